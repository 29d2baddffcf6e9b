"""The compiled device itself, called through ctypes without a simulator, against SymPy."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from compiled_device import ALPHA, Device

from device_models.kuramoto import KURASHIL
from device_models.lc_oscillator import LIMITED
from device_models.model import CellModel, Parameter, State, with_values
from device_models.printers.osdi import JACOBIANS, DeviceLibrary, Jacobian, osdi_library
from emulator.compiled import BuildFailed, build

X, A, GAIN = sp.symbols("x alpha gain", real=True)
SUM = sp.Symbol("sum_x", real=True)

# a coupling that is not linear in the sum, with a parameter of each scope
TANH_ISING = CellModel(
    family="tanh_test", title="tanh Ising", state=State(X, unit="1"),
    parameters=(
        Parameter(A, "alpha", "1", "node-and-chunk", 0.5, -9, 9, "self-coupling", "test"),
        Parameter(GAIN, "gain", "1", "node", 1.0, -9, 9, "decay", "test"),
    ),
    self_term=-GAIN * X + A * X**3, features={"x": X}, sums={"x": SUM},
    coupling=sp.tanh(2 * X + SUM) - sp.tanh(2 * X), source="test",
)  # fmt: skip
# as the compiler hands them over: what all cells share is a number
OSCILLATORS = [
    with_values(model, {"epsilon": 0.3, "amplitude": 0.8, "shil_phase": 0.4, "bias_phase": -0.7})
    for model in LIMITED.values()
]
MODELS = [KURASHIL, TANH_ISING, *OSCILLATORS]
OMEGA = 3.0e6  # of a carrier, rad/s
CHUNKS, G, C = 3, 2.0e-6, 3.0e-12
SWITCHES = (1.0e-6, 2.0e-6)


def shared(model: CellModel) -> list[float]:
    """What all cells are told."""
    return [G, C, *([OMEGA] if model.carrier is not None else []), *SWITCHES]


def values_of(model: CellModel) -> list[float]:
    """The same number for each of an instance's parameters."""
    return [0.1] * sum(CHUNKS if p.scope == "node-and-chunk" else 1 for p in model.given)


def sympy_values(
    model: CellModel, parameters: dict[str, float], weights: np.ndarray, states: np.ndarray, time: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rates of the own states, and their derivatives by those and by each neighbour's, by brute force."""
    others = sp.symbols(f"other0:{len(weights)}", real=True)
    sums = {
        symbol: sp.Add(*(w * model.features[name].subs(model.state.symbol, y)
                         for w, y in zip(weights.tolist(), others, strict=True)))
        for name, symbol in model.sums.items()
    }  # fmt: skip
    values = {p.symbol: parameters[p.name] for p in model.given}
    if model.carrier is not None:
        values[model.carrier.phase] = OMEGA * time
    own = [model.self_term + model.coupling.subs(sums)]
    unknowns = (model.state.symbol, *others)
    if model.resonator is not None:
        tank = model.resonator
        own = [own[0] - tank.current, model.state.symbol / tank.inductance.symbol]
        unknowns = (model.state.symbol, tank.current, *others)
    rates = [rate.subs(values) for rate in own]
    function = sp.lambdify(
        unknowns, [[rate, *(sp.diff(rate, u) for u in unknowns)] for rate in rates], "math"
    )
    result = np.array(function(*states.tolist()))
    return result[:, 0], result[:, 1:]


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.family)
def library(request: pytest.FixtureRequest) -> tuple[CellModel, DeviceLibrary]:
    printed = osdi_library(request.param, [0, 3, 8], CHUNKS)
    try:
        build(printed.source)
    except BuildFailed as error:
        pytest.skip(str(error))
    return request.param, printed


@pytest.mark.parametrize("jacobian", JACOBIANS)
@pytest.mark.parametrize("neighbours", [0, 3, 8])
def test_residuals_and_jacobian_are_sympys(
    library: tuple[CellModel, DeviceLibrary], neighbours: int, jacobian: Jacobian
) -> None:
    model, printed = library
    own = len(model.states)
    rng = np.random.default_rng(neighbours)
    weights = rng.normal(0, 0.5, (CHUNKS, neighbours))
    by_chunk = {p.name: rng.normal(0, 0.5, CHUNKS if p.scope == "node-and-chunk" else 1) for p in model.given}
    numbers = [float(value) for values in by_chunk.values() for value in values]
    texts = [":".join(map(repr, row.tolist())) for row in weights]
    device = Device(printed, neighbours, jacobian, own)
    assert device.set_up(numbers, texts, shared(model)) == 0
    # a boundary's own time belongs to the chunk before it; times rise, so that the sweep predicts
    for time, chunk in [
        (0.5e-6, 0),
        (0.8e-6, 0),
        (1.0e-6, 0),
        (1.0e-6 * (1 + 1e-12), 1),
        (2.5e-6, 2),
        (2.6e-6, 2),
    ]:
        solution = np.concatenate(([0.0], rng.uniform(-3, 3, own + neighbours)))
        device.evaluate(solution, time)  # the first of a step may be linearised elsewhere
        again = solution.copy()  # a simulator's second vector
        resistive, reactive, found, source = device.evaluate(again, time)
        parameters = {name: float(values[chunk % len(values)]) for name, values in by_chunk.items()}
        rate, derivative = sympy_values(model, parameters, weights[chunk], solution[1:], time)
        scale = G * (1 + np.abs(derivative).sum())
        wanted = -G * (derivative if device.full else derivative[:, :own])
        wanted = wanted + np.eye(*wanted.shape) * ALPHA * C
        assert np.abs(resistive + G * rate).max() < 1e-12 * scale
        assert np.abs(reactive - C * solution[1 : own + 1]).max() < 1e-12 * C
        assert np.abs(found - wanted).max() < 1e-12 * (scale + ALPHA * C)
        linear = wanted @ again[1 : 1 + wanted.shape[1]] + G * rate
        assert np.abs(source - linear).max() < 1e-11 * (scale + ALPHA * C)


def test_first_linearisation_of_a_step_is_where_the_last_ones_point(
    library: tuple[CellModel, DeviceLibrary],
) -> None:
    model, printed = library
    own = len(model.states)
    device = Device(printed, 3, "own", own)
    numbers = values_of(model)
    device.set_up(numbers, ["0.1:0.2:0.3"] * CHUNKS, shared(model))
    slopes = np.array([0.0, 1.0, -2.0, 0.5, 0.25, -0.75])[: own + 4] * 1e5
    buffers = [np.zeros(own + 4), np.zeros(own + 4)]
    charges = []
    for step in range(5):
        time = 1e-7 * (step + 1)
        for iteration, buffer in enumerate(buffers):  # the first one still holds the last step's solution
            buffer[:] = slopes * (time - 1e-7 * (iteration == 0))
            charges.append(device.evaluate(buffer, time)[1])
    # from the third step on two accepted points lie on a line, and the prediction is on it
    for step in (3, 4):
        wanted = C * slopes[1 : own + 1] * 1e-7 * (step + 1)
        np.testing.assert_allclose(charges[2 * step], wanted, rtol=1e-9)


def test_not_a_number_stays_one(library: tuple[CellModel, DeviceLibrary]) -> None:
    model, printed = library
    own = len(model.states)
    device = Device(printed, 3, "own", own)
    numbers = values_of(model)
    device.set_up(numbers, ["0.1:0.2:0.3"] * CHUNKS, shared(model))
    for time in (1e-7, 2e-7, 3e-7):
        solution = np.array([0.0, *[0.5] * own, np.nan, 0.1, 0.2])
        assert np.isnan(device.evaluate(solution, time)[0][0])


@pytest.mark.parametrize("text", ["0.1:0.2", "0.1:0.2:0.3:0.4", "0.1:zwei:0.3"])
def test_weights_that_are_not_as_many_as_neighbours_are_refused(
    library: tuple[CellModel, DeviceLibrary], text: str
) -> None:
    model, printed = library
    numbers = values_of(model)
    assert Device(printed, 3, "own", len(model.states)).set_up(numbers, [text] * CHUNKS, shared(model)) == 2


def test_what_c_has_no_name_for_is_refused() -> None:
    strange = CellModel(
        family="strange", title="", state=State(X, unit="1"), parameters=(), self_term=sp.besselj(1, X),
        features={"x": X}, sums={"x": SUM}, coupling=SUM, source="",
    )  # fmt: skip
    with pytest.raises(ValueError, match="besselj"):
        osdi_library(strange, [1], 1)
