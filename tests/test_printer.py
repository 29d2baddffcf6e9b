"""Every expression we print for ngspice's B sources, evaluated by ngspice and compared with SymPy's."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st

from device_models.families import FAMILIES, REALISATIONS
from device_models.model import (
    OTHER,
    OWN,
    CellModel,
    Parameter,
    State,
    coupling_form,
    is_reciprocal,
    pair_rate,
)
from device_models.phase_cell import (
    INITIAL_CURRENT,
    cell_block,
    common_parameter,
    coupler_block,
    coupler_name,
    summing_ports,
)
from device_models.printers.ngspice import ExpressionPrinter, literal, number
from device_models.printers.spice import NGSPICE, block_text
from emulator.ngspice import Deck, capabilities
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.core import Array

x, y, z = sp.symbols("x y z", real=True)
NAMES = {x: "v(x)", y: "v(y)", z: "v(z)"}
# both signs, no zeros, none on the boundary of a case below
POINTS = [
    (a, b, c)
    for a in (-3.1, -1.9, -0.7, -0.003, 0.0017, 0.92, 2.3, 3.7)
    for b in (-2.2, -0.31, 0.43, 1.7)
    for c in (-1.3, 0.6)
]


def unevaluated(kind: type, *arguments: sp.Expr) -> sp.Expr:
    return kind(*arguments, evaluate=False)


EXPRESSIONS = [
    # odd and even powers, where ngspice's own `^` takes the absolute value
    x**2, x**3, -(x**3), x**4, x**5, -(x**7), x**16, x**-1, -(x**-1), x**-2, -(x**-3), (x - y) ** 3,
    -((x + y) ** 2), x**2 * y**-3, unevaluated(sp.Pow, -x, 3), unevaluated(sp.Pow, sp.Pow(x, 2), -1),
    sp.sin(x) ** 3, -(sp.tanh(x) ** 3), x**2.0, x**-1.0,
    # roots
    sp.sqrt(x**2 + 1), 1 / sp.sqrt(x**2 + 1), -sp.sqrt(sp.exp(x)), (x**2 + 2) ** sp.Float(0.5),
    (x**2 + 2) ** sp.Float(-0.5), sp.sqrt(2) * x, x / sp.sqrt(3),
    # functions
    sp.sin(x), sp.sin(2 * x), -sp.sin(-x + y), sp.cos(x), sp.tan(x / 4), sp.sinh(x), sp.cosh(x), sp.tanh(x),
    sp.exp(x), sp.exp(-x), sp.exp(x) * sp.exp(-y), sp.log(x**2 + 2), sp.Abs(x), -sp.Abs(x * y), sp.sign(x),
    sp.asin(x / 4), sp.acos(x / 4), sp.atan(x), sp.atan(-10 * x),
    sp.tanh(x + sp.Rational(1, 2) * sp.tanh(y)),
    # signs and brackets
    -x, -x - y, -(x + y), x - (y - z), unevaluated(sp.Add, x, -(y - z)), unevaluated(sp.Mul, -1, x + y),
    unevaluated(sp.Add, x, unevaluated(sp.Mul, -1, unevaluated(sp.Add, y, z))), x * (x - 1),
    (x - y) * (y - z) * (z - x), -(x - y) * (y - z), x * unevaluated(sp.Mul, -2, y),
    unevaluated(sp.Mul, x, sp.Integer(-2)), unevaluated(sp.Mul, x, sp.Float(-2.5)),
    unevaluated(sp.Mul, x, sp.Rational(-2, 3)), unevaluated(sp.Add, x, sp.Float(-0.3)),
    -3 * (x + 2) - 4 * (-x - y),
    # quotients
    x / y / z, x / (y / z), (x / y) / (y / x) ** 2, 1 / (x * y * z), -x / (y**2 + 1), (x - y) / (x**2 + 1),
    unevaluated(sp.Mul, x, unevaluated(sp.Pow, unevaluated(sp.Mul, y, z), -1)),
    # numbers
    sp.Rational(1, 3) * x, -sp.Rational(2, 3) * x, x / 3 - y / 7, sp.Rational(4, 3) * x**3,
    sp.Integer(0) + 0 * x, sp.Integer(7), sp.Rational(-22, 7), sp.Float(0.1), sp.Float(1 / 3) * x,
    sp.Float(-1 / 3) + x, sp.Float(1e-17) * x, sp.Float(-1e-17) * x * y,
    sp.Float(1.0382770355507054e-09) * x, sp.Float(1e-9) * x**2 * sp.Float(1e9),
    sp.Float(123456789.12345678) * x, sp.pi * x, x - sp.pi, -sp.pi, sp.E * y, sp.GoldenRatio * z,
    sp.Integer(12345678901234567) * x, sp.Integer(2) ** 60 * x, sp.Rational(123456789012345, 7) * x,
    sp.Rational(1, 10**20) * x, sp.Float("0.1234567890123456789012345678901234567890", 40) * x,
    # cases
    sp.Piecewise((x, x < 0), (y, True)), sp.Piecewise((-x, x <= -1), (-y, x > 1), (z, True)),
    sp.Piecewise(
        (x**2, x < 0), (sp.Piecewise((y, y >= sp.Float(-0.33)), (-z, True)), 2 * x <= 3), (sp.sin(z), True)
    ),
    x * sp.Piecewise((-x, x + y < -z), (y, True)) - sp.Piecewise((-x, x >= 0), (y, True)),
    -sp.Piecewise((x - 1, x > y), (-x - 1, True)) ** 3, sp.Max(x, y).rewrite(sp.Piecewise),
]  # fmt: skip


def evaluated(
    simulator: Simulator,
    texts: Sequence[str],
    points: Sequence[tuple[float, ...]] = POINTS,
    names: str = "xyz",
) -> tuple[Array, Array]:
    """(P, 3) arguments and (P, M) values of expressions, as ngspice computes them in one transient.

    Voltage sources ramp from point to point, B sources evaluate the texts on the way.
    """
    lines = ["* expressions"]
    for name, column in zip(names, zip(*points, strict=True), strict=True):
        ramp = " ".join(f"{second} {value!r}" for second, value in enumerate(column))
        lines.append(f"V{name} {name} 0 PWL({ramp})")
    lines += [f"Be{k} e{k} 0 V = {text}" for k, text in enumerate(texts)]
    stop = len(points) - 1
    # a step of a whole second would stop at the ramps' corners alone: points in between are worth having
    lines += [".options reltol=1e-9 vntol=1e-15", f".tran 0.4 {stop} 0 0.4", ".end", ""]
    vectors = (*names, *(f"e{k}" for k in range(len(texts))))
    result = simulator.simulate(Deck("\n".join(lines), vectors, float(stop)))
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    return result.values[:, : len(names)], result.values[:, len(names) :]


def exact(expression: sp.Expr, arguments: Array, symbols: Sequence[sp.Symbol] = (x, y, z)) -> Array:
    """(P,) values at arguments (P, M), computed in 40 digits."""
    call = sp.lambdify(symbols, expression, "mpmath")
    with mpmath.workdps(40):
        return np.array([float(call(*map(mpmath.mpf, row))) for row in arguments.tolist()])


def test_every_expression_means_in_ngspice_what_it_means_in_sympy(any_simulator: Simulator) -> None:
    arguments, found = evaluated(any_simulator, [ExpressionPrinter(NAMES).doprint(e) for e in EXPRESSIONS])
    assert len(arguments) > 2 * len(POINTS)
    for expression, values in zip(EXPRESSIONS, found.T, strict=True):
        # a difference may cancel: what rounding leaves is relative to its terms, which are of the order of one
        np.testing.assert_allclose(
            values, exact(expression, arguments), rtol=1e-12, atol=1e-15, err_msg=str(expression)
        )


@pytest.mark.parametrize("text", ["v(x)^3", "v(x)**3", "pow(v(x),3)"])
def test_ngspice_takes_the_absolute_value_of_what_it_raises_to_a_power(
    any_simulator: Simulator, text: str
) -> None:
    """The trap the printer avoids: up to version 46, a power is that of the absolute value."""
    arguments, found = evaluated(any_simulator, [text, ExpressionPrinter(NAMES).doprint(x**3)])
    keeps_sign = any_simulator.call(capabilities).version >= 47
    base = arguments[:, 0] if keeps_sign else np.abs(arguments[:, 0])
    np.testing.assert_allclose(found[:, 0], base**3, rtol=1e-12)
    np.testing.assert_allclose(found[:, 1], arguments[:, 0] ** 3, rtol=1e-12)


def test_polynomials_of_any_sign_survive_the_way_into_ngspice(any_simulator: Simulator) -> None:
    """Random sums of products: whatever brackets and signs SymPy's own ordering asks for."""
    generator = np.random.default_rng(1)
    expressions = []
    for _ in range(40):
        terms = []
        for _ in range(generator.integers(1, 5)):
            powers = generator.integers(-3, 5, size=3)
            factor = sp.Rational(int(generator.integers(-9, 10)) or 1, int(generator.integers(1, 9)))
            terms.append(sp.Mul(factor, *(s ** int(n) for s, n in zip((x, y, z), powers, strict=True))))
        total = sp.Add(*terms)
        expressions += [total, sp.factor(total), -sp.Rational(1, 3) / (2 + total**2)]
    arguments, found = evaluated(
        any_simulator, [ExpressionPrinter(NAMES).doprint(e) for e in expressions], POINTS[::5]
    )
    for expression, values in zip(expressions, found.T, strict=True):
        # sums of either sign cancel: what rounding leaves is relative to the terms
        size = exact(sp.Add(*map(sp.Abs, sp.Add.make_args(sp.expand(expression)))), arguments)
        assert np.all(np.abs(values - exact(expression, arguments)) < 1e-12 * size), expression


# --- subcircuits -----------------------------------------------------------------------------------------

alpha, received = sp.symbols("alpha received", real=True)
POLYNOMIAL = CellModel(
    family="polynomial",
    title="a bistable cell that listens to the third power of its neighbours",
    state=State(x, unit="1"),
    parameters=(
        Parameter(alpha, "gain", "1", "node-and-chunk", 0.5, -math.inf, math.inf, "for the test", "none"),
        Parameter(y, "offset", "1", "node", -0.25, -math.inf, math.inf, "for the test", "none"),
    ),
    self_term=alpha * x - x**3 - y,
    features={"cube": -(x**3)},
    sums={"cube": received},
    coupling=received * (1 - sp.Rational(1, 3) * x),
    source="this test",
)
MODELS = {**FAMILIES, **REALISATIONS, "polynomial": POLYNOMIAL}
OMEGA = 1.9  # of a carrier, rad/s
LEVELS = (-5.3, -2.2, -0.7, 0.0, 0.4, 1.9, 6.1)


def currents(
    simulator: Simulator, library: str, instances: Sequence[str], voltages: Mapping[str, float], chunks: int,
    analysis: str = "",
) -> tuple[Array, Array]:  # fmt: skip
    """Time (P,) and the currents (P, M) that a bench's instances drive into nodes held at given voltages.

    A chunk is a second long; ais_g is 1 A, so that currents are rates. ``analysis`` ends the .tran line.
    """
    lines = [
        "* bench",
        f".param ais_c = 1e-15 ais_g = 1.0 ais_w = {OMEGA!r}",
        *(f".param ais_switch_{k} = {k * (1 + 1e-9)!r}" for k in range(1, chunks)),
        library,
        *instances,
        *(f"V{node} {node} 0 {value!r}" for node, value in voltages.items()),
        # without an operating point, nothing is to be charged first
        *(f".ic v({node})={value!r}" for node, value in voltages.items() if analysis),
        # corners at the boundaries, as in the compiler's own bench
        "Vclock clock 0 PWL(" + " ".join(f"{k} {k}" for k in range(chunks + 1)) + ")",
        ".options reltol=1e-9 abstol=1e-15",
        f".tran 0.1 {chunks} 0 0.1 {analysis}",
        ".end",
        "",
    ]
    vectors = tuple(f"v{node}#branch" for node in voltages)
    result = simulator.simulate(Deck("\n".join(lines), vectors, float(chunks)))
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    return result.time, result.values


def chunk_at(time: Array, chunks: int) -> Array:
    """The chunk of each point: one that ends at a boundary belongs to the chunk before it."""
    return np.clip(np.ceil(time * (1 - 1e-12)).astype(int) - 1, 0, chunks - 1)


def common_values(model: CellModel) -> dict[sp.Symbol, float]:
    """A value for each parameter that all cells share."""
    return {p.symbol: 0.6 + 0.3 * k for k, p in enumerate(model.parameters) if p.scope == "core"}


def common_lines(model: CellModel) -> str:
    values = common_values(model)
    return "".join(
        f".param {common_parameter(model, p.name)} = {number(values[p.symbol])}\n"
        for p in model.parameters
        if p.symbol in values
    )


@pytest.mark.parametrize("chunks", [1, 2, 4])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_cell_drives_its_rate_into_its_port(any_simulator: Simulator, name: str, chunks: int) -> None:
    """All of it where the cell sums its inputs itself, the self term where couplers act on the state."""
    model = MODELS[name]
    generator = np.random.default_rng(chunks)
    common, adders = common_values(model), summing_ports(model)
    rate = (model.self_term + model.coupling if adders else model.self_term).subs(common)
    own = [parameter for parameter in model.parameters if parameter.scope != "core"]
    instances, voltages, rates = [], {}, []
    for cell, level in enumerate(LEVELS):
        sums = {f"{node}{cell}": float(generator.normal()) for node in adders.values()}
        words, columns = [f"Xcell{cell}", f"n{cell}", *sums, f"{model.family}_cell"], []
        for parameter in own:
            values = generator.normal(size=1 if parameter.scope == "node" else chunks)
            keys = (
                [parameter.name]
                if parameter.scope == "node"
                else [f"{parameter.name}_{k + 1}" for k in range(chunks)]
            )
            words += [f"{key}={number(value)}" for key, value in zip(keys, values, strict=True)]
            columns.append(np.broadcast_to(values, chunks))
        tank: dict[sp.Symbol, float] = {}
        if model.resonator is not None:  # so large that it keeps its current, which is next to nothing
            kept = (1.3 - level) * 1e-30
            tank = {model.resonator.inductance.symbol: 1e60, model.resonator.current: kept}
            words += [f"{model.resonator.inductance.name}=1e60", f"{INITIAL_CURRENT}={number(kept)}"]
        instances.append(" ".join(words))
        voltages |= {f"n{cell}": level, **sums}
        inputs = {model.sums[f]: value for f, value in zip(adders, sums.values(), strict=True)}
        rates.append((rate.subs(inputs | tank), np.column_stack([np.full(chunks, level), *columns])))
        # a summing node is a resistor of one unit of rate: it takes what it holds
        rates += [(sp.Float(-value), np.zeros((chunks, 1 + len(own)))) for value in sums.values()]
    library = common_lines(model) + block_text(cell_block(model, chunks), NGSPICE)
    # at an operating point an inductor would short its cell
    analysis = "uic" if model.resonator is not None else ""
    time, found = currents(any_simulator, library, instances, voltages, chunks, analysis)
    assert {float(k) for k in range(1, chunks)} <= set(time)
    symbols = [model.state.symbol, *(parameter.symbol for parameter in own)]
    if model.carrier is None:
        wanted = np.array([exact(e, a, symbols) for e, a in rates]).T[chunk_at(time, chunks)]
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
        return
    angle, chunk = OMEGA * time, chunk_at(time, chunks)
    symbols.append(model.carrier.phase)
    wanted = np.array([exact(e, np.column_stack([a[chunk], angle]), symbols) for e, a in rates]).T
    # the product of sources' time and frequency is rounded once more, and a sum of cosines can cancel
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=2e-14 * np.abs(wanted).max())


@pytest.mark.parametrize("chunks", [1, 2, 4])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_coupler_drives_its_rate_into_its_ports(
    any_simulator: Simulator, name: str, symmetric: bool, chunks: int
) -> None:
    model = MODELS[name]
    form = coupling_form(model, symmetric=symmetric)
    generator = np.random.default_rng(chunks)
    instances, voltages, rates = [], {}, []
    pairs = [(a, b) for a in LEVELS for b in LEVELS[::2]]
    for row, (own, other) in enumerate(pairs):
        weights = generator.normal(size=chunks)
        keys = " ".join(f"k_{k + 1}={number(weight)}" for k, weight in enumerate(weights))
        inputs = [f"{node}{row}" for node in summing_ports(model).values()] or [f"i{row}"]
        instances.append(f"Xpair{row} {' '.join(inputs)} j{row} {coupler_name(model, form)} {keys}")
        voltages |= {**dict.fromkeys(inputs, own), f"j{row}": other}
        here = np.array([[own, other]])
        if form == "summing":
            features = [f.subs(model.state.symbol, y) for f in model.features.values()]
            rates += [weights * exact(f, here, (x, y)) for f in features]
            rates.append(np.zeros(chunks))
            continue
        # SymPy's answer to the equation of the model itself, not to the simplified rate of a pair
        there, back = (
            model.coupling.subs(model.state.symbol, me)
            .subs(
                {
                    model.sums[f]: feature.subs(model.state.symbol, you)
                    for f, feature in model.features.items()
                }
            )
            .subs(common_values(model))
            for me, you in ((x, y), (y, x))
        )
        rates.append(weights * exact(there, here, (x, y)))
        rates.append(np.zeros(chunks) if form == "directed" else weights * exact(back, here, (x, y)))
    library = common_lines(model) + block_text(coupler_block(model, chunks, form), NGSPICE)
    time, found = currents(any_simulator, library, instances, voltages, chunks)
    # atol: the sine of a difference is computed as such, and loses what the difference loses
    np.testing.assert_allclose(found, np.array(rates).T[chunk_at(time, chunks)], rtol=1e-12, atol=3e-15)


def test_coupling_of_a_pair_is_the_sine_of_the_difference() -> None:
    assert sp.expand_trig(pair_rate(FAMILIES["kurashil"]) - sp.sin(OTHER - OWN)).expand() == 0
    assert is_reciprocal(pair_rate(FAMILIES["kurashil"]))
    assert not is_reciprocal(pair_rate(POLYNOMIAL))


def test_forms_of_coupling() -> None:
    form = {name: coupling_form(model, symmetric=True) for name, model in MODELS.items()}
    assert form["kurashil"] == form["kuramoto"] == "reciprocal"
    assert form["polynomial_ising"] == form["langevin"] == form["polynomial"] == "mutual"
    assert form["tanh_ising"] == "summing"
    assert coupling_form(FAMILIES["kurashil"], symmetric=False) == "directed"


def test_a_coupling_that_is_not_a_sum_over_neighbours_needs_a_summing_node() -> None:
    for coupling in (sp.tanh(received), received + x, received * alpha):
        model = replace(POLYNOMIAL, coupling=coupling)
        assert pair_rate(model) is None
        assert coupling_form(model, symmetric=True) == "summing"


def test_lines_of_a_subcircuit_are_short_enough_to_read() -> None:
    for model in MODELS.values():
        head = block_text(cell_block(model, 12), NGSPICE).split("\nCstate")[0]
        assert max(map(len, head.splitlines())) <= 110
        assert f".subckt {model.family}_cell {model.state.symbol}" in head


# --- what can't be said ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        (sp.cbrt(x), r"x\*\*\(1/3\)"), (x**sp.Rational(3, 2), r"x\*\*\(3/2\)"), (x**y, r"x\*\*y"),
        (2**x, r"2\*\*x"), (x**17, r"x\*\*17"), (x**-17, "x"), (x**0.3, r"x\*\*0\.3"),
        (x**sp.pi, r"x\*\*pi"), (sp.Heaviside(x), "Heaviside"), (sp.Function("f")(x), r"f\(x\)"),
        (sp.Mod(x, 2), "Mod"), (sp.floor(x), "floor"), (sp.atan2(x, y), "atan2"), (sp.Max(x, y), "Max"),
        (sp.Min(x, y), "Min"), (sp.gamma(x), "gamma"), (sp.erf(x), "erf"), (sp.DiracDelta(x), "DiracDelta"),
        (sp.cot(x), "cot"), (sp.Derivative(sp.Function("f")(x), x), "Derivative"),
        (sp.Integral(sp.sin(x**2), x), "Integral"), (sp.I * x, "ImaginaryUnit"), (sp.oo, "Infinity"),
        (-sp.oo, "NegativeInfinity"), (sp.nan, "NaN"), (sp.zoo, "ComplexInfinity"), (x > 0, "x > 0"),
        (sp.And(x > 0, y > 0), "And"), (sp.true, "BooleanTrue"), (sp.Piecewise((x, x < 0)), "last case"),
        (sp.Piecewise((x, sp.Eq(x, y)), (y, True)), "Eq"),
        (sp.Piecewise((x, (x > 0) & (y > 0)), (y, True)), "x > 0"), (sp.Symbol("q"), "symbol q"),
        (sp.Symbol("x"), "symbol x"), (sp.sin(x + sp.Symbol("w", real=True)), "symbol w"),
        (sp.Matrix([x, y]), "Matrix"), (sp.Integer(10) ** 400 * x, "inf"), (sp.Float("1e400") * x, "inf"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_b_source_cannot_express_is_refused_by_name(expression: sp.Basic, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ExpressionPrinter(NAMES).doprint(expression)


# --- numbers ---------------------------------------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(-0.0)
@example(5e-324)
@example(1.7976931348623157e308)
@example(1e22)
def test_a_printed_number_reads_back_as_itself(value: float) -> None:
    assert float(number(value)) == value
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[-+]\d+)?", number(value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_printed(value: float) -> None:
    with pytest.raises(ValueError, match=re.escape(str(value))):
        number(value)
    with pytest.raises(ValueError, match=re.escape(str(value))):
        literal(value)


@given(st.floats(-1e300, 1e300).filter(lambda value: value == 0 or abs(value) > 1e-290))
@example(1 / 3)
@example(-1.0382770355507054e-09)
def test_eleven_digits_of_each_part_of_a_literal_are_enough(value: float) -> None:
    parts = [float(f"{float(part):.10e}") for part in re.findall(r"-?\d[\d.]*(?:e[-+]\d+)?", literal(value))]
    total = parts[0] + (
        math.copysign(parts[1], 1 if " + " in literal(value) else -1) if len(parts) == 2 else 0.0
    )
    assert total == pytest.approx(value, rel=2e-16, abs=0.0)


def samples() -> Array:
    """Numbers of the sizes a netlist holds, and some awkward ones."""
    generator = np.random.default_rng(0)
    awkward = [
        1 / 3,
        -1 / 3,
        math.pi,
        0.1,
        4.35,
        0.30000000000000004,
        1e-17,
        1e15 / 7,
        2**53 + 2.0,
        1e-30,
        1.5e19,
    ]
    sizes = 10 ** generator.uniform(-15, 6, 1000)
    return np.concatenate([awkward, generator.normal(size=1000), sizes, -sizes])


def test_ngspice_reads_numbers_to_a_few_units_in_the_last_place(any_simulator: Simulator) -> None:
    """As a literal in an expression, a subcircuit's parameter, a source's value, an initial state."""
    values = samples()
    lines = ["* numbers", ".subckt holder port k=0", "Bk port 0 V = {k}", ".ends"]
    for row, value in enumerate(values):
        lines += [f"Bl{row} l{row} 0 V = {literal(value)}", f"Xp{row} p{row} holder k={number(value)}"]
        lines += [
            f"Vv{row} v{row} 0 {number(value)}",
            f"Ci{row} i{row} 0 1",
            f".ic v(i{row})={number(value)}",
        ]
    lines += [".tran 1e-9 1e-9 uic", ".end", ""]
    vectors = tuple(f"{kind}{row}" for kind in "lpvi" for row in range(len(values)))
    result = any_simulator.simulate(Deck("\n".join(lines), vectors, 1e-9))
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    for kind, found in zip("lpvi", result.values[0].reshape(4, -1), strict=True):
        np.testing.assert_allclose(found, values, rtol=1e-15, err_msg=kind)


def test_ngspice_keeps_eleven_digits_of_a_plain_literal(any_simulator: Simulator) -> None:
    """The other trap the printer avoids: 1/3 written with 16 digits comes out as 0.33333333333."""
    arguments, found = evaluated(
        any_simulator, ["0.3333333333333333", "{0.3333333333333333}", literal(1 / 3), "pi"]
    )
    assert len(arguments)
    np.testing.assert_array_equal(found[:, :2], 0.33333333333)
    np.testing.assert_allclose(found[:, 2], 1 / 3, rtol=2e-16)
    np.testing.assert_allclose(found[:, 3], math.pi, rtol=2e-16)


@pytest.mark.parametrize("chunks", [1, 2, 3, 4])
def test_a_scheduled_parameter_stands_in_parentheses(chunks: int) -> None:
    """Or a negative value behind a minus sign would stand there as `--0.3`."""
    text = block_text(cell_block(FAMILIES["kurashil"], chunks), NGSPICE)
    (rate,) = re.findall(r"I = (.*)", text)
    assert [rate.count(f"{{bias_{k}}}") for k in range(1, chunks + 1)] == [1] * chunks
    assert f"-({'time <= {ais_switch_1} ? ' if chunks > 1 else ''}{{bias_1}}" in rate
