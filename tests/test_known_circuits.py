"""ngspice and our cells against known answers: closed forms, conserved quantities, symmetries.

Most runs take equal steps, so that the error is the trapezoidal rule's own, second order in the step: bounds
below are that error, worked out or measured, times about two. Whatever exceeds it is a wrong circuit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cores import UNIT, all_to_all, both_ways, core, run, symmetric_weights, window_grid
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicHermiteSpline
from scipy.linalg import expm
from scipy.special import ellipk, lambertw

from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions
from netlists.scaling import Scaling


def transient(
    simulator: Simulator, elements: Sequence[str], initial: Mapping[str, float], vectors: Sequence[str],
    stop: float, steps: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Time (P,) and vectors (P, M) of a circuit written by hand, at equal steps of the trapezoidal rule."""
    step = stop / steps
    text = "\n".join([
        "* a known circuit",
        *elements,
        *(f".ic v({node})={value!r}" for node, value in initial.items()),
        # the tolerance of the local error so wide that the step stays at its limit; Newton's tight, as
        # ngspice carries on with the last but one iteration
        ".options method=trap reltol=1e-12 vntol=1e-14 abstol=1e-15 trtol=1e12",
        f".save {' '.join(v if '#' in v else f'v({v})' for v in vectors)}",
        f".tran {step!r} {stop!r} 0 {step!r} uic",
        ".end",
        "",
    ])  # fmt: skip
    result = simulator.simulate(Deck(text, tuple(vectors), stop), limit_s=60)
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    return result.time, result.values


def equal_steps(time: Array) -> slice:
    """The longest run of points one step limit apart: start-up and the last, shortened steps left out."""
    full = np.flatnonzero(np.diff(time) > 0.999 * np.diff(time).max())
    return slice(int(full[0]), int(full[-1]) + 1)


def crossings(time: Array, value: Array, rate: Array) -> Array:
    """Times at which a signal rises through zero, from values and rates at the solver's points."""
    curve = CubicHermiteSpline(time, value, rate)
    at = np.array([root for root in curve.roots(extrapolate=False) if curve(root, 1) > 0])
    return np.unique(at)


def extrapolated(coarse: float, fine: float) -> float:
    """Richardson: the value at step 0 of something whose error goes with the step's square."""
    return (4.0 * fine - coarse) / 3.0


# --- linear circuits -------------------------------------------------------------------------------------


def test_capacitor_charges_along_its_exponential_and_the_error_goes_with_the_square_of_the_step(
    simulator: Simulator,
) -> None:
    errors = []
    for steps in (50, 100, 200, 400, 800):
        elements = ["V1 in 0 1", "R1 in out 2k", "C1 out 0 0.5m"]
        _, values = transient(simulator, elements, {"out": 0.0}, ["out"], 2.0, steps)
        errors.append(values[-1, 0] - (1 - math.exp(-2.0)))
    # trapezoidal rule on x' = -x: x(t) (1 - h² t / 12 + ...), once start-up at smaller steps is negligible
    theory = (2.0 / 800) ** 2 / 12 * 2.0 * math.exp(-2.0)
    assert errors[-1] == pytest.approx(theory, rel=0.02)
    ratios = np.divide(errors[:-1], errors[1:])
    assert np.all(np.diff(ratios) > 0)
    assert ratios[-1] == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("damping", [0.1, 0.5, 2.0])
def test_series_rlc_rings_down_along_its_closed_form(simulator: Simulator, damping: float) -> None:
    stop, steps = 10.0, 4000
    elements = ["L1 a b 1", f"R1 b 0 {2 * damping!r}", "C1 a 0 1"]
    time, values = transient(simulator, elements, {"a": 1.0}, ["a"], stop, steps)
    poles = np.roots([1.0, 2 * damping, 1.0]).astype(complex)
    shares = np.array([poles[1], -poles[0]]) / (poles[1] - poles[0])
    modes = shares * np.exp(np.outer(time, poles))
    # what the trapezoidal rule does to a mode: e^{pt} (1 + p³ h² t / 12)
    rule = (modes * poles**3 * time[:, None]).sum(axis=1).real * (stop / steps) ** 2 / 12
    error = values[:, 0] - modes.sum(axis=1).real
    assert np.abs(error).max() == pytest.approx(np.abs(rule).max(), rel=0.05)


@pytest.mark.parametrize("points_per_cycle", [20, 40, 64, 200])
def test_trapezoidal_rule_detunes_a_tank_by_a_twelfth_of_its_squared_step(
    simulator: Simulator, points_per_cycle: int
) -> None:
    inductance, capacitance = 2.0, 0.125
    omega = 1 / math.sqrt(inductance * capacitance)
    cycles = 50
    stop = cycles * 2 * math.pi / omega
    elements = [f"L1 a 0 {inductance!r}", f"C1 a 0 {capacitance!r}"]
    time, values = transient(
        simulator, elements, {"a": 1.0}, ["a", "l1#branch"], stop, cycles * points_per_cycle
    )
    even = equal_steps(time)
    voltage, current = values[even, 0], values[even, 1] * math.sqrt(inductance / capacitance)
    slope = np.polyfit(time[even], np.unwrap(np.arctan2(current, voltage)), 1)[0]
    angle = 2 * math.pi / points_per_cycle  # ω h
    detuning = slope / omega - 1
    assert detuning == pytest.approx(math.atan(angle / 2) / (angle / 2) - 1, rel=1e-6)
    assert detuning == pytest.approx(-(angle**2) / 12, rel=angle**2 * 3 / 20)
    # and it neither gains nor loses energy
    assert np.ptp(np.hypot(voltage, current)) < 1e-9


# --- nonlinear oscillators and other circuits of B sources -----------------------------------------------


def van_der_pol(
    simulator: Simulator, epsilon: float, cycles: int, steps_per_cycle: int
) -> tuple[float, float]:
    """Period and amplitude of x'' - ε (1 - x²) x' + x = 0 (Liénard): a tank and an active conductance."""
    elements = ["C1 x 0 1", "L1 x 0 1", f"Bg 0 x I = {epsilon!r}*(v(x) - v(x)*v(x)*v(x)/3.0)"]
    stop = cycles * 2 * math.pi * max(1.0, epsilon / 2)
    time, values = transient(
        simulator, elements, {"x": 2.0}, ["x", "l1#branch"], stop, cycles * steps_per_cycle
    )
    even = equal_steps(time)
    time, x, current = time[even], values[even, 0], values[even, 1]
    rate = epsilon * (x - x**3 / 3) - current
    late = time > 0.75 * stop
    passes = crossings(time[late], x[late], rate[late])
    curve = CubicHermiteSpline(time[late], x[late], rate[late])
    top = max(curve(root) for root in curve.derivative().roots(extrapolate=False))
    return float((passes[-1] - passes[0]) / (len(passes) - 1)), float(top)


def test_van_der_pol_at_one_has_the_published_period_and_amplitude(simulator: Simulator) -> None:
    coarse, fine = (van_der_pol(simulator, 1.0, 20, n) for n in (500, 1000))
    assert extrapolated(coarse[0], fine[0]) == pytest.approx(6.6632868593231, abs=1e-8)
    assert extrapolated(coarse[1], fine[1]) == pytest.approx(2.0086198608748, abs=1e-7)


@pytest.mark.parametrize("epsilon", [0.1, 0.2])
def test_weakly_active_van_der_pol_runs_slow_by_a_sixteenth_of_epsilon_squared(
    simulator: Simulator, epsilon: float
) -> None:
    coarse, fine = (van_der_pol(simulator, epsilon, int(8 / epsilon), n)[0] for n in (200, 400))
    # Andersen and Geer, SIAM J. Appl. Math. 42, 678 (1982)
    series = 1 - epsilon**2 / 16 + 17 * epsilon**4 / 3072 + 35 * epsilon**6 / 884736
    assert 2 * math.pi / extrapolated(coarse, fine) == pytest.approx(series, abs=3e-9)


def test_relaxation_oscillator_has_the_published_period(simulator: Simulator) -> None:
    coarse, fine = (van_der_pol(simulator, 10.0, 6, n)[0] for n in (6000, 12000))
    assert extrapolated(coarse, fine) == pytest.approx(19.0783695669, abs=1e-7)


@pytest.mark.parametrize("swing", [0.5, 2.0, 3.0])
def test_pendulum_has_the_period_of_the_elliptic_integral(simulator: Simulator, swing: float) -> None:
    """Also the Josephson junction without loss: phase on a capacitor, rate of the phase on another."""
    period = float(4 * ellipk(math.sin(swing / 2) ** 2))
    elements = ["C1 angle 0 1", "B1 0 angle I = v(rate)", "C2 rate 0 1", "B2 0 rate I = -sin(v(angle))"]

    def measured(steps: int) -> float:
        time, values = transient(
            simulator, elements, {"angle": swing, "rate": 0.0}, ["angle", "rate"], 3.2 * period, steps
        )
        even = equal_steps(time)
        passes = crossings(time[even], values[even, 0], values[even, 1])
        return float((passes[-1] - passes[0]) / (len(passes) - 1))

    assert extrapolated(measured(3200), measured(6400)) == pytest.approx(period, rel=1e-9)


def test_predator_and_prey_keep_their_conserved_quantity(simulator: Simulator) -> None:
    elements = [
        "C1 prey 0 1", "B1 0 prey I = v(prey)*(1 - v(hunter))",
        "C2 hunter 0 1", "B2 0 hunter I = v(hunter)*(v(prey) - 1)",
    ]  # fmt: skip
    swings = []
    for steps in (2000, 4000):
        time, values = transient(
            simulator, elements, {"prey": 2.0, "hunter": 1.0}, ["prey", "hunter"], 20.0, steps
        )
        conserved = (values - np.log(values)).sum(axis=1)[time > 1.0]
        swings.append(np.abs(conserved - (3.0 - math.log(2.0))).max())
    assert swings[1] < 5e-6
    assert swings[0] / swings[1] == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize(
    ("rates", "start", "window", "steps"),
    [
        (
            ("10.0*(v(y) - v(x))", "v(x)*(28.0 - v(z)) - v(y)", "v(x)*v(y) - 8.0/3.0*v(z)"),
            (-8.0, 7.0, 27.0), 0.5, 10000,
        ),
        (
            ("-v(y) - v(z)", "v(x) + 0.2*v(y)", "0.2 + v(z)*(v(x) - 5.7)"),
            (-8.0, -2.0, 0.05), 2.0, 10000,
        ),
    ],
    ids=["lorenz", "roessler"],
)  # fmt: skip
def test_chaotic_circuits_follow_an_independent_solver_window_by_window(
    simulator: Simulator,
    rates: tuple[str, str, str],
    start: tuple[float, float, float],
    window: float,
    steps: int,
) -> None:
    """Chaotic trajectories part whatever the solver: each window starts at the circuit's own state."""
    lorenz = window == 0.5

    def rate(_: float, s: Array) -> list[float]:
        x, y, z = s
        if lorenz:
            return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]
        return [-y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)]

    elements = [line for name, text in zip("xyz", rates, strict=True) for line in (
        f"C{name} {name} 0 1", f"B{name} 0 {name} I = {text}"
    )]  # fmt: skip

    def defect(count: int) -> float:
        time, values = transient(
            simulator, elements, dict(zip("xyz", start, strict=True)), ["x", "y", "z"], 20 * window, count
        )
        worst = 0.0
        cuts = [int(np.argmin(np.abs(time - k * window))) for k in range(21)]
        for first, last in pairwise(cuts[1:]):
            solved = solve_ivp(
                rate, (time[first], time[last]), values[first], method="DOP853", rtol=1e-11, atol=1e-11
            )
            worst = max(worst, float(np.abs(solved.y[:, -1] - values[last]).max()))
        return worst

    coarse, fine = defect(steps), defect(2 * steps)
    assert fine < (5e-4 if lorenz else 5e-5)
    assert coarse / fine > 3.8


def test_exponential_junction_settles_where_lamberts_function_says(simulator: Simulator) -> None:
    saturation, thermal, resistance, supply = 1e-12, 0.025, 1e3, 2.0
    elements = [
        f"V1 in 0 {supply!r}", f"R1 in out {resistance!r}",
        f"B1 out 0 I = {saturation!r}*(exp(v(out)/{thermal!r}) - 1)",
    ]  # fmt: skip
    text = "\n".join(["* junction", *elements, ".options reltol=1e-12 gmin=1e-21", ".op", ".end", ""])
    result = simulator.simulate(Deck(text, ("out",), None))
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    x = saturation * resistance / thermal
    exact = supply + saturation * resistance - thermal * lambertw(x * math.exp((supply / thermal) + x)).real
    assert result.values[-1, 0] == pytest.approx(exact, rel=1e-12)


# --- one cell --------------------------------------------------------------------------------------------


def adler(rate: float, pull: float, start: float, time: Array) -> Array:
    """The solution of x' = rate - pull sin x from x(0) = start, 0 < |start| < π, unwrapped."""
    if rate == 0.0:
        half = np.tan(start / 2) * np.exp(-pull * time)
    else:
        beat = np.emath.sqrt(complex(rate**2 - pull**2))  # imaginary inside the lock range
        begin = np.arctan((math.tan(start / 2) - pull / rate) * rate / beat)
        half = (pull / rate + beat / rate * np.tan(beat * time / 2 + begin)).real
    return np.unwrap(np.concatenate([[start], 2 * np.arctan(half)]))[1:]


ADLER = [
    (0.0, 1.3), (0.0, -0.7), (0.5, 1.0), (-0.5, 1.0), (0.5, -1.0), (0.99, 1.0),
    (1.01, 1.0), (1.5, 1.0), (-0.9, -0.6), (-2.0, 0.7),
]  # fmt: skip


@pytest.mark.parametrize(("detuning", "pull"), ADLER)
def test_cell_follows_adlers_equation_under_bias(simulator: Simulator, detuning: float, pull: float) -> None:
    cell = core(bias=pull, detuning=detuning, boundaries=(0.0, 8.0))
    for start in (2.5, -1.1):
        found = run(simulator, cell, start, steps=2000)
        assert np.abs(found.phase[:, 0] - adler(detuning, pull, start, found.time)).max() < 2e-5


@pytest.mark.parametrize(("detuning", "pull"), ADLER)
def test_cell_follows_adlers_equation_in_twice_the_phase_under_injection(
    simulator: Simulator, detuning: float, pull: float
) -> None:
    cell = core(shil=pull, detuning=detuning, boundaries=(0.0, 8.0))
    found = run(simulator, cell, 1.2, steps=4000)
    exact = adler(2 * detuning, 2 * pull, 2.4, found.time) / 2
    assert np.abs(found.phase[:, 0] - exact).max() < 2e-5


def test_error_of_a_cell_goes_with_the_square_of_the_step(simulator: Simulator) -> None:
    cell = core(shil=1.0, detuning=1.5, boundaries=(0.0, 8.0))
    exact = adler(3.0, 2.0, 2.4, np.linspace(0.0, 8.0, 1000))[-1] / 2
    errors = [run(simulator, cell, 1.2, steps=n).final[0] - exact for n in (500, 1000, 2000, 4000)]
    assert np.divide(errors[:-1], errors[1:]) == pytest.approx(4.0, rel=0.03)


@pytest.mark.parametrize("strength", [0.8, -0.8])
@pytest.mark.parametrize("ratio", [-0.98, -0.5, 0.5, 0.98])
def test_inside_the_lock_range_a_cell_settles_on_the_arcsine(
    simulator: Simulator, strength: float, ratio: float
) -> None:
    detuning = ratio * abs(strength)
    injected = run(
        simulator, core(shil=strength, detuning=detuning, boundaries=(0.0, 200.0)), 0.3, steps=4000
    )
    rest = math.asin(ratio) / 2 if strength > 0 else (math.pi - math.asin(-ratio)) / 2
    assert (injected.final[0] - rest + math.pi / 2) % math.pi - math.pi / 2 == pytest.approx(0.0, abs=1e-9)
    biased = run(simulator, core(bias=strength, detuning=detuning, boundaries=(0.0, 200.0)), 0.3, steps=4000)
    rest = math.asin(ratio) if strength > 0 else math.pi - math.asin(-ratio)
    assert (biased.final[0] - rest + math.pi) % (2 * math.pi) - math.pi == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("ratio", [1.02, 1.5, -3.0])
def test_outside_the_lock_range_a_cell_beats_at_adlers_period(simulator: Simulator, ratio: float) -> None:
    strength = 0.8
    detuning = ratio * strength
    for name, harmonic in (("bias", 1), ("shil", 2)):
        beat = 2 * math.pi / (harmonic * math.sqrt(detuning**2 - strength**2))

        def measured(steps: int, beat: float = beat, name: str = name, harmonic: int = harmonic) -> float:
            cell = core(**{name: strength}, detuning=detuning, boundaries=(0.0, 4.4 * beat))
            found = run(simulator, cell, 0.3, steps=steps)
            turned = math.copysign(harmonic, detuning) * found.phase[:, 0]
            rate = harmonic * abs(detuning) - harmonic * strength * np.sin(turned)
            even = equal_steps(found.time)
            turns = CubicHermiteSpline(found.time[even], turned[even], rate[even])
            first = math.ceil(turned[even][0] / (2 * math.pi))
            ends = [turns.solve(2 * math.pi * (first + k), extrapolate=False)[0] for k in (0, 3)]
            return float(ends[1] - ends[0]) / 3

        assert extrapolated(measured(2000), measured(4000)) == pytest.approx(beat, rel=1e-7)


# --- two cells -------------------------------------------------------------------------------------------

PAIR = both_ways([(0, 1)])


@pytest.mark.parametrize(("gap", "coupling"), [(0.0, 0.5), (0.6, 0.5), (1.3, 0.5), (-0.7, -0.6), (2.0, 0.4)])
@pytest.mark.parametrize("symmetric", [True, False])
def test_two_oscillators_follow_the_closed_form_of_their_difference(
    simulator: Simulator, gap: float, coupling: float, symmetric: bool
) -> None:
    mean = 0.35
    pair = core(
        (1, 2),
        PAIR,
        coupling,
        detuning=(mean + gap / 2, mean - gap / 2),
        boundaries=(0.0, 8.0),
        symmetric=symmetric,
    )
    found = run(simulator, pair, (1.0, -0.9), steps=2000)
    difference = found.phase[:, 0] - found.phase[:, 1]
    assert np.abs(difference - adler(gap, 2 * coupling, 1.9, found.time)).max() < 2e-5
    # the mean phase only feels the mean frequency: what one gets the other gives
    assert np.abs(found.phase.mean(axis=1) - 0.05 - mean * found.time).max() < 1e-9


def test_two_oscillators_lock_at_the_arcsine_and_beat_beyond_it(simulator: Simulator) -> None:
    coupling = 0.4
    for gap in (0.3, 0.79, -0.79):
        pair = core((1, 2), PAIR, coupling, detuning=(gap, 0.0), boundaries=(0.0, 200.0), symmetric=True)
        final = run(simulator, pair, (0.5, 0.0), steps=4000).final
        assert final[0] - final[1] == pytest.approx(math.asin(gap / (2 * coupling)), abs=1e-9)
    gap = 1.0
    beat = 2 * math.pi / math.sqrt(gap**2 - 4 * coupling**2)
    pair = core((1, 2), PAIR, coupling, detuning=(gap, 0.0), boundaries=(0.0, 3 * beat), symmetric=True)
    final = run(simulator, pair, (0.5, 0.0), steps=30000).final
    # after whole beats the difference is back where it began, whole turns on
    assert final[0] - final[1] == pytest.approx(0.5 + 6 * math.pi, abs=1e-6)


def test_directed_coupler_drives_one_way(simulator: Simulator) -> None:
    """Edge (i, j): i receives from j. Node 1 hears node 0, which runs as if it were alone."""
    pull, leader, follower = 0.8, 0.25, 0.7
    drive = core((1, 2), [(1, 0)], pull, detuning=(leader, follower), boundaries=(0.0, 8.0))
    found = run(simulator, drive, (0.4, 1.9), steps=2000)
    assert np.abs(found.phase[:, 0] - 0.4 - leader * found.time).max() < 1e-12
    behind = found.phase[:, 1] - found.phase[:, 0]
    assert np.abs(behind - adler(follower - leader, pull, 1.5, found.time)).max() < 2e-5


def test_opposite_directed_couplers_chase_each_other_for_ever(simulator: Simulator) -> None:
    """K_01 = -K_10: both run at -K sin of a difference that never changes. No passive circuit could."""
    chase = core((1, 2), [(0, 1), (1, 0)], (0.9, -0.9), boundaries=(0.0, 10.0))
    found = run(simulator, chase, (1.2, 0.2), steps=200)
    exact = np.array([1.2, 0.2]) - 0.9 * math.sin(1.0) * found.time[:, None]
    assert np.abs(found.phase - exact).max() < 1e-12


# --- the schedule ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bias", "shil", "coupling"])
@pytest.mark.parametrize(
    "options", [None, SolverOptions(), SolverOptions(method="gear")], ids=["equal", "trap", "gear"]
)
@pytest.mark.parametrize(
    "boundaries", [(0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 1 / 3, 2.1, 2.1 + 1e-3, 5.0), (0.0, 0.7, 1.9)]
)
def test_weights_change_at_the_boundaries_and_nowhere_else(
    simulator: Simulator, name: str, options: SolverOptions | None, boundaries: tuple[float, ...]
) -> None:
    """tan(x/2) grows and shrinks by e^{∓Bt}: an error in *when* B changes stays in the exponent."""
    weights = np.array([0.9, -1.1, 1.7, -0.6])[: len(boundaries) - 1, None]
    # the variable whose rate is -pull sin, and the pull in units of the weight
    harmonic, pull = {"bias": (1, 1), "shil": (2, 2), "coupling": (1, 2)}[name]
    if name == "coupling":
        cells = core((1, 2), PAIR, weights, boundaries=boundaries, symmetric=True)
    else:
        cells = core(**{name: weights}, boundaries=boundaries)
    start = np.array([1.3, 0.2]) if name == "coupling" else np.array([1.3 / harmonic])
    if options is None:
        found = run(simulator, cells, start, steps=4000)
    else:
        found = run(simulator, cells, start, options=options)
    variable = found.phase[:, 0] - found.phase[:, 1] if name == "coupling" else harmonic * found.phase[:, 0]

    edges = np.array(boundaries)
    gone = np.clip(found.time[:, None] - edges[:-1], 0.0, np.diff(edges))
    exact = 2 * np.arctan(math.tan(variable[0] / 2) * np.exp(-pull * gone @ weights[:, 0]))
    # with the project's own options the error is that of 200 steps; gear's constant is four times trap's
    bound = 1e-6 if options is None else {"trap": 3e-4, "gear": 1.2e-3}[options.method]
    assert np.abs(variable - exact).max() < bound
    for boundary in boundaries[1:]:
        nearest = np.abs(found.time - boundary).min()
        assert nearest <= 1e-14 * boundary
    inside = (found.time[:-1, None] < edges * (1 - 1e-14)) & (edges * (1 + 1e-14) < found.time[1:, None])
    assert not inside.any()


def test_a_schedule_of_equal_chunks_is_a_single_chunk(simulator: Simulator) -> None:
    generator = np.random.default_rng(5)
    edges = window_grid(3, 3, 1)
    weights = symmetric_weights(edges, generator)
    shil, bias, detuning = generator.normal(size=(3, 9))
    start = generator.uniform(-3, 3, 9)
    one, four = (
        run(
            simulator,
            core(
                (3, 3), edges, weights, boundaries=boundaries, shil=shil, bias=bias, detuning=detuning,
                symmetric=True,
            ),
            start,
            steps=4000,
        )
        for boundaries in ((0.0, 4.0), (0.0, 1.0, 2.0, 3.0, 4.0))
    )  # fmt: skip
    assert np.abs(one.final - four.final).max() < 1e-7


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_negative_parameters_are_not_read_as_a_double_minus(simulator: Simulator, chunks: int) -> None:
    """-0.3 behind the minus sign of -B sin x: in parentheses, though ngspice 39 and 46 read `--0.3` alike."""
    boundaries = np.linspace(0.0, 6.0, chunks + 1)
    negative = run(simulator, core(bias=-0.3, detuning=-0.2, boundaries=boundaries), 2.0, steps=2000)
    assert np.abs(negative.phase[:, 0] - adler(-0.2, -0.3, 2.0, negative.time)).max() < 1e-6
    negative = run(simulator, core(shil=-0.3, detuning=-0.2, boundaries=boundaries), 1.0, steps=2000)
    assert np.abs(negative.phase[:, 0] - adler(-0.4, -0.6, 2.0, negative.time) / 2).max() < 1e-6
    for symmetric in (True, False):
        pair = core((1, 2), PAIR, -0.3, detuning=(-0.2, 0.0), boundaries=boundaries, symmetric=symmetric)
        negative = run(simulator, pair, (1.0, -1.0), steps=2000)
        difference = negative.phase[:, 0] - negative.phase[:, 1]
        assert np.abs(difference - adler(-0.2, -0.6, 2.0, negative.time)).max() < 1e-6


# --- many cells ------------------------------------------------------------------------------------------


def rates(network: AnalogCore, phase: Array, chunk: int = 0) -> Array:
    """dφ/dt at states (P, N), straight from the equation."""
    i, j = network.edges.T
    total = network.parameters["detuning"] - network.parameters["bias"][chunk] * np.sin(phase)
    total -= network.parameters["shil"][chunk] * np.sin(2 * phase)
    pulls = -network.coupling[chunk] * np.sin(phase[:, i] - phase[:, j])
    np.add.at(total.T, i, pulls.T)
    return total


def energy(network: AnalogCore, phase: Array) -> Array:
    """(P,) E whose gradient drives a core without detuning: φ' = -∂E/∂φ, if K is symmetric."""
    i, j = network.edges.T
    paired = -0.5 * (network.coupling[0] * np.cos(phase[:, i] - phase[:, j])).sum(axis=1)
    biased = -(network.parameters["bias"][0] * np.cos(phase)).sum(axis=1)
    return paired + biased - 0.5 * (network.parameters["shil"][0] * np.cos(2 * phase)).sum(axis=1)


@pytest.mark.parametrize("shape", [(1, 12), (5, 5)], ids=["ring", "grid"])
def test_symmetric_network_runs_down_its_energy_by_what_it_dissipates(
    simulator: Simulator, shape: tuple[int, int]
) -> None:
    generator = np.random.default_rng(shape[1])
    nodes = shape[0] * shape[1]
    ring = both_ways([(k, (k + 1) % nodes) for k in range(nodes)])
    edges = ring if shape[0] == 1 else window_grid(*shape, 2)
    network = core(
        shape, edges, symmetric_weights(edges, generator), shil=generator.normal(size=nodes),
        bias=generator.normal(size=nodes), boundaries=(0.0, 3.0), symmetric=True,
    )  # fmt: skip
    found = run(simulator, network, generator.uniform(-np.pi, np.pi, nodes), steps=3000)
    level = energy(network, found.phase)
    assert np.all(np.diff(level) < 0)
    dissipated = np.trapezoid((rates(network, found.phase) ** 2).sum(axis=1), found.time)
    assert dissipated == pytest.approx(level[0] - level[-1], rel=2e-6)


def test_active_couplings_can_raise_the_energy_that_passive_ones_run_down(simulator: Simulator) -> None:
    generator = np.random.default_rng(3)
    edges = window_grid(3, 3, 1)
    network = core((3, 3), edges, generator.normal(size=len(edges)), boundaries=(0.0, 20.0))
    found = run(simulator, network, generator.uniform(-np.pi, np.pi, 9), steps=3000)
    level = energy(network, found.phase)
    assert (level - np.minimum.accumulate(level)).max() > 0.05


def lorentzian(nodes: int, width: float) -> Array:
    """Quantiles of the Lorentz distribution of half width ``width``, as frequencies in mixed order."""
    place = (np.arange(nodes) + 0.5) / nodes
    return np.random.default_rng(0).permutation(width * np.tan(np.pi * (place - 0.5)))


@pytest.mark.parametrize("ratio", [0.5, 1.6, 2.0, 3.0])
def test_all_to_all_oscillators_synchronise_above_kuramotos_threshold(
    simulator: Simulator, ratio: float
) -> None:
    """r = √(1 - Kc/K) above Kc = 2γ from disorder; below, order dissolves to the 1/√N of chance."""
    nodes, width = 40, 0.1
    critical = 2 * width
    network = core(
        (1, nodes), all_to_all(nodes), ratio * critical / nodes, detuning=lorentzian(nodes, width),
        boundaries=(0.0, 120.0), symmetric=True,
    )  # fmt: skip
    spread = np.random.default_rng(1).permutation(np.linspace(-np.pi, np.pi, nodes, endpoint=False))
    start = 0.2 * spread if ratio < 1 else spread + 0.3 * np.sin(spread)
    found = run(simulator, network, start, options=SolverOptions(reltol=1e-4, rows=400))
    order = np.abs(np.exp(1j * found.phase).mean(axis=1))
    late = found.time > 60.0
    settled = float(np.trapezoid(order[late], found.time[late]) / np.ptp(found.time[late]))
    if ratio < 1:
        assert order[0] > 0.9
        assert settled < 1 / math.sqrt(nodes)
    else:
        assert order[0] < 0.2
        assert settled == pytest.approx(math.sqrt(1 - 1 / ratio), abs=0.02)


@pytest.mark.parametrize("symmetric", [True, False])
def test_small_phases_follow_the_matrix_exponential_of_the_weights(
    simulator: Simulator, symmetric: bool
) -> None:
    """Linear where sin x = x: x' = (K - diag(ΣK + B + 2S)) x + ω, chunk by chunk: every weight shows."""
    generator = np.random.default_rng(11)
    shape, edges = (4, 5), window_grid(4, 5, 2)
    boundaries = np.array([0.0, 0.5, 0.8, 1.5])
    weights = symmetric_weights(edges, generator, 3) if symmetric else generator.normal(size=(3, len(edges)))
    weights *= 0.3
    bias, shil = 0.5 * generator.normal(size=(2, 3, 20))
    detuning = 1e-5 * generator.normal(size=20)
    network = core(
        shape,
        edges,
        weights,
        bias=bias,
        shil=shil,
        detuning=detuning,
        boundaries=boundaries,
        symmetric=symmetric,
    )
    start = 1e-5 * generator.normal(size=20)
    exact = np.append(start, 1.0)  # with a constant 1 at the end, the detuning becomes part of the matrix
    for k, duration in enumerate(np.diff(boundaries)):
        matrix = np.zeros((21, 21))
        matrix[edges[:, 0], edges[:, 1]] = weights[k]
        matrix[:20, :20] -= np.diag(matrix[:20, :20].sum(axis=1) + bias[k] + 2 * shil[k])
        matrix[:20, 20] = detuning
        exact = expm(matrix * duration) @ exact
    found = run(simulator, network, start, steps=6000)
    assert np.abs(found.final - exact[:20]).max() < 3e-7 * np.abs(exact[:20]).max()


@pytest.mark.parametrize(("turns", "stays"), [(1, True), (2, True), (-2, True), (4, False), (5, False)])
def test_twisted_states_of_a_ring_are_stable_up_to_a_quarter_turn_a_cell(
    simulator: Simulator, turns: int, stays: bool
) -> None:
    """Wiley, Strogatz and Girvan, Chaos 16, 015103 (2006): φ_k = 2πqk/N is an attractor if |q| < N/4."""
    nodes = 12
    ring = core(
        (1, nodes), both_ways([(k, (k + 1) % nodes) for k in range(nodes)]), 1.0,
        boundaries=(0.0, 100.0), symmetric=True,
    )  # fmt: skip
    twist = 2 * np.pi * turns * np.arange(nodes) / nodes
    kick = 0.05 * np.random.default_rng(2).normal(size=nodes)
    final = run(simulator, ring, twist + kick, options=SolverOptions()).final
    left = final - twist - (final - twist).mean()
    assert bool(np.abs(left).max() < 1e-5) is stays


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_scheduled_network_follows_an_independent_solver(simulator: Simulator, symmetric: bool) -> None:
    generator = np.random.default_rng(23)
    edges = window_grid(4, 4, 2)
    boundaries = np.array([0.0, 0.4, 1.1, 1.5, 2.0])
    weights = symmetric_weights(edges, generator, 4) if symmetric else generator.normal(size=(4, len(edges)))
    bias, shil = generator.normal(size=(2, 4, 16))
    network = core(
        (4, 4), edges, weights, bias=bias, shil=shil, detuning=generator.normal(size=16),
        boundaries=boundaries, symmetric=symmetric,
    )  # fmt: skip
    state = start = generator.uniform(-np.pi, np.pi, 16)
    for k in range(4):
        state = solve_ivp(
            lambda _, y, k=k: rates(network, y[None], k)[0], boundaries[k : k + 2], state,
            method="DOP853", rtol=1e-12, atol=1e-12,
        ).y[:, -1]  # fmt: skip
    errors = [np.abs(run(simulator, network, start, steps=n).final - state).max() for n in (2000, 4000)]
    assert errors[1] < 2e-5
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


# --- symmetries ------------------------------------------------------------------------------------------
# Bounds are Newton's tolerance of 1e-12 a step, grown by the dynamics; or rounding, for equal equations.


def random_network(seed: int, *, bias: bool, shil: bool) -> tuple[AnalogCore, Array]:
    """A 3 x 3 core of one chunk, symmetric for even seeds, and an initial state."""
    generator = np.random.default_rng(seed)
    edges = window_grid(3, 3, 1)
    symmetric = seed % 2 == 0
    weights = symmetric_weights(edges, generator)[0] if symmetric else generator.normal(size=len(edges))
    network = core(
        (3, 3), edges, weights, bias=generator.normal(size=9) * bias, shil=generator.normal(size=9) * shil,
        detuning=generator.normal(size=9), boundaries=(0.0, 3.0), symmetric=symmetric,
    )  # fmt: skip
    return network, generator.uniform(-np.pi, np.pi, 9)


def end(simulator: Simulator, network: AnalogCore, start: Array, scaling: Scaling = UNIT) -> Array:
    """(N,) phases at the end of a run of 500 steps."""
    return run(simulator, network, start, steps=500, scaling=scaling).final


@pytest.mark.parametrize("seed", range(6))
def test_without_bias_half_a_turn_of_all_phases_changes_nothing(simulator: Simulator, seed: int) -> None:
    network, start = random_network(seed, bias=False, shil=True)
    moved = end(simulator, network, start + np.pi) - end(simulator, network, start)
    assert np.abs(moved - np.pi).max() < 1e-9
    network, start = random_network(seed, bias=True, shil=True)
    moved = end(simulator, network, start + np.pi) - end(simulator, network, start)
    assert np.abs(moved - np.pi).max() > 0.1


@pytest.mark.parametrize("seed", range(6))
def test_couplings_alone_know_no_absolute_phase(simulator: Simulator, seed: int) -> None:
    angle = np.random.default_rng(seed).uniform(-20.0, 20.0)
    network, start = random_network(seed, bias=False, shil=False)
    moved = end(simulator, network, start + angle) - end(simulator, network, start)
    assert np.abs(moved - angle).max() < 1e-9
    network, start = random_network(seed, bias=False, shil=True)
    moved = end(simulator, network, start + angle) - end(simulator, network, start)
    assert np.abs(moved - angle).max() > 0.1


@pytest.mark.parametrize("seed", range(6))
def test_whole_turns_of_single_phases_change_nothing(simulator: Simulator, seed: int) -> None:
    network, start = random_network(seed, bias=True, shil=True)
    whole = 2 * np.pi * np.random.default_rng(seed).integers(-3, 4, size=9)
    moved = end(simulator, network, start + whole) - end(simulator, network, start)
    assert np.abs(moved - whole).max() < 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_mirrored_phases_and_frequencies_give_the_mirrored_run(simulator: Simulator, seed: int) -> None:
    """φ → -φ with ω → -ω: every force is odd."""
    network, start = random_network(seed, bias=True, shil=True)
    opposite = {**network.parameters, "detuning": -network.parameters["detuning"]}
    mirrored = end(simulator, replace(network, parameters=opposite), -start)
    assert np.abs(end(simulator, network, start) + mirrored).max() < 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_order_of_the_edges_does_not_matter(simulator: Simulator, seed: int) -> None:
    network, start = random_network(seed, bias=True, shil=True)
    order = np.random.default_rng(seed).permutation(len(network.edges))
    shuffled = replace(network, edges=network.edges[order], coupling=network.coupling[:, order])
    assert np.abs(end(simulator, network, start) - end(simulator, shuffled, start)).max() < 1e-11


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_passive_couplers_do_what_pairs_of_equal_directed_ones_do(simulator: Simulator, seed: int) -> None:
    network, start = random_network(seed, bias=True, shil=True)
    assert network.symmetric
    directed = end(simulator, replace(network, symmetric=False), start)
    assert np.abs(end(simulator, network, start) - directed).max() < 1e-11


@pytest.mark.parametrize("tau", [1e-9, 1e-6, 1.0])
@pytest.mark.parametrize("capacitance", [1e-15, 1e-12])
def test_time_unit_and_capacitor_do_not_show_in_model_units(
    simulator: Simulator, tau: float, capacitance: float
) -> None:
    network, start = random_network(7, bias=True, shil=True)
    scaled = end(simulator, network, start, Scaling(tau=tau, capacitance=capacitance))
    assert np.abs(end(simulator, network, start) - scaled).max() < 1e-11
