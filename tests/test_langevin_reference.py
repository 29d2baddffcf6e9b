"""References of Langevin networks: exact propagation, stochastic Heun, statistical mechanics; each against another."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.linalg import eigh_tridiagonal, expm, solve_continuous_lyapunov
from substrates import one_node, random_network

from emulator.thermo.boltzmann import Well
from emulator.thermo.heun import drift, heun, largest_step, slowest_rate, white
from emulator.thermo.ornstein_uhlenbeck import ornstein_uhlenbeck
from netlists.core import Array
from netlists.network import NetworkError, one_module

times = st.floats(1e-3, 30)

# --- exact propagation


@given(seed=st.integers(0, 10**6), time=times)
def test_mean_and_covariance_by_matrix_exponentials(seed: int, time: float) -> None:
    """Van Loan's block exponential knows nothing of eigenvectors."""
    network = random_network(seed)
    process, n = ornstein_uhlenbeck(network), network.nodes
    start = np.random.default_rng(seed).standard_normal(n)
    decay = expm(-network.matrix * time)
    rest = np.linalg.solve(network.matrix, network.bias)
    np.testing.assert_allclose(process.mean(start, time), rest + decay @ (start - rest), atol=1e-9)
    short = min(time, 2.0)  # its exponential grows as e^{λt}
    zero = np.zeros((n, n))
    blocks = expm(np.block([[network.matrix, 2 * network.kt * np.eye(n)], [zero, -network.matrix.T]]) * short)
    expected = blocks[n:, n:].T @ blocks[:n, n:]
    np.testing.assert_allclose(process.covariance(short), expected, atol=1e-8)


def test_the_stationary_covariance_solves_lyapunov_s_equation() -> None:
    network = random_network(2, (8, 8), 3)
    expected = solve_continuous_lyapunov(network.matrix, 2 * network.kt * np.eye(16))
    process = ornstein_uhlenbeck(network)
    np.testing.assert_allclose(process.stationary_covariance(), expected, rtol=1e-10)
    np.testing.assert_allclose(process.covariance(1e4), expected, rtol=1e-10)


@given(seed=st.integers(0, 10**6), first=times, second=times)
def test_two_stretches_are_one(seed: int, first: float, second: float) -> None:
    network = random_network(seed)
    process = ornstein_uhlenbeck(network)
    start = np.ones(network.nodes)
    np.testing.assert_allclose(
        process.mean(process.mean(start, first), second), process.mean(start, first + second), atol=1e-9
    )
    decay = expm(-network.matrix * second)
    composed = decay @ process.covariance(first) @ decay.T + process.covariance(second)
    np.testing.assert_allclose(composed, process.covariance(first + second), atol=1e-9)


def test_modes_that_run_away_or_stand_still() -> None:
    still, away = one_node(0.0, bias=0.3, kt=0.2), one_node(-0.25, bias=0.3, kt=0.2)
    assert ornstein_uhlenbeck(still).mean(np.array([1.0]), 2.0) == pytest.approx(1 + 0.6)
    assert ornstein_uhlenbeck(still).covariance(2.0) == pytest.approx(2 * 0.2 * 2)
    assert ornstein_uhlenbeck(away).covariance(2.0) == pytest.approx(0.2 * (np.e**2 - 1) / 0.5)
    for network in (still, away):
        with pytest.raises(NetworkError, match="expected above 0"):
            ornstein_uhlenbeck(network).stationary_covariance()
    with pytest.raises(NetworkError, match="quartic wells; expected none"):
        ornstein_uhlenbeck(one_node(1.0, quartic=0.1))


def frobenius_bound(covariance: Array, samples: int) -> float:
    """Root of the expected squared Frobenius error of a sample covariance of normal vectors about a known mean."""
    return float(np.sqrt((np.trace(covariance) ** 2 + np.trace(covariance @ covariance)) / samples))


def test_paths_have_that_covariance() -> None:
    network = random_network(4, (8, 8), 3)
    process, walkers = ornstein_uhlenbeck(network), 20_000
    start = np.zeros((walkers, 16))
    found = process.path(start, np.array([0.5, 0.8]), np.random.default_rng(0))
    decay = expm(-network.matrix * 0.3)
    for row, time in enumerate((0.5, 0.8)):
        centred = found[row] - process.mean(start[0], time)
        expected = process.covariance(time)
        assert np.linalg.norm(centred.T @ centred / walkers - expected) < 1.5 * frobenius_bound(
            expected, walkers
        )
    early, late = (found[row] - process.mean(start[0], time) for row, time in ((0, 0.5), (1, 0.8)))
    lagged = decay @ process.covariance(0.5)
    assert np.linalg.norm(late.T @ early / walkers - lagged) < 1.5 * frobenius_bound(
        process.covariance(0.8), walkers
    )


def test_thermox_agrees() -> None:
    """The same path has the same probability; and its paths have our covariance."""
    thermox = pytest.importorskip(
        "thermox", reason="the package thermox is not installed (pip install .[thermox])"
    )
    jax = pytest.importorskip("jax")
    network = random_network(6, (8, 8), 3)
    process, n = ornstein_uhlenbeck(network), network.nodes
    rest = np.linalg.solve(network.matrix, network.bias)
    diffusion = 2 * network.kt * np.eye(n)
    grid = np.cumsum(np.random.default_rng(1).uniform(0.05, 3.0, 30))
    path = process.path(np.zeros(n), grid, np.random.default_rng(2))
    ours = 0.0
    for before, after, time in zip(path[:-1], path[1:], np.diff(grid), strict=True):
        covariance, off = process.covariance(time), after - process.mean(before, time)
        ours -= 0.5 * (off @ np.linalg.solve(covariance, off) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    with jax.enable_x64(True):
        drift_matrix, centre, noise = (jax.numpy.asarray(a) for a in (network.matrix, rest, diffusion))
        theirs = thermox.log_prob(
            jax.numpy.asarray(grid), jax.numpy.asarray(path), drift_matrix, centre, noise
        )
        assert float(theirs) == pytest.approx(ours, rel=1e-9)
        times = jax.numpy.arange(4000) * 40.0  # far apart: independent
        key = jax.random.PRNGKey(0)
        drawn = thermox.sample(key, times, centre, drift_matrix, centre, noise, associative_scan=False)
    samples = np.asarray(drawn)[1:] - rest
    expected = process.stationary_covariance()
    assert np.linalg.norm(samples.T @ samples / len(samples) - expected) < 1.5 * frobenius_bound(
        expected, len(samples)
    )


# --- stochastic Heun


def test_heun_by_hand() -> None:
    network = one_node(0.5, quartic=0.1, bias=0.2, kt=0.3)
    x, h, xi = 0.7, 0.05, 1.3

    def f(y: float) -> float:
        return 0.2 - 1.0 * y - 0.4 * y**3

    noise = np.sqrt(2 * 0.3 * h) * xi
    guess = x + h * f(x) + noise
    expected = x + h / 2 * (f(x) + f(guess)) + noise
    assert heun(network, np.array([x]), h, 1, lambda _: np.array([xi]))[0, 0] == pytest.approx(
        expected, rel=1e-14
    )


def test_heun_has_strong_order_one_and_weak_order_two() -> None:
    """On a linear network: its paths, and the exact stationary covariance of its own recursion."""
    network = random_network(3, (4, 3), 2)
    generator = np.random.default_rng(0)
    fine, end = 2**11, 2.0
    increments = generator.standard_normal((fine, 400, network.nodes))
    start = np.zeros((400, network.nodes))

    def at(steps: int) -> Array:
        merged = increments.reshape(steps, fine // steps, 400, -1).sum(axis=1) / np.sqrt(fine // steps)
        return heun(network, start, end / steps, steps, lambda k: merged[k], every=steps)[0]

    reference = at(fine)
    errors = [np.sqrt(np.mean((at(steps) - reference) ** 2)) for steps in (16, 32, 64)]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.25)

    def stationary_error(h: float) -> float:
        # a step is x' = (1 − Mh + ½M²h²) x + (1 − ½Mh) √(2kTh) ξ
        m, one = network.matrix, np.eye(network.nodes)
        rates = np.linalg.eigvalsh(m)
        own = (
            2 * network.kt * h * (1 - rates * h / 2) ** 2 / (1 - (1 - rates * h + (rates * h) ** 2 / 2) ** 2)
        )
        step = heun(replace(network, bias=0 * network.bias, kt=0.0), one, h, 1, lambda _: 0 * one)[0]
        np.testing.assert_allclose(step, one - m * h + m @ m * h**2 / 2, atol=1e-14)
        return float(np.abs(own - network.kt / rates).max())

    assert stationary_error(0.1) / stationary_error(0.05) == pytest.approx(4, rel=0.2)


def standard_errors(values: Array, expected: float) -> float:
    """How far a mean over independent walkers is from what was expected, in its standard errors."""
    return abs(float(values.mean()) - expected) / float(values.std() / np.sqrt(len(values)))


@pytest.mark.parametrize(
    ("quadratic", "quartic", "bias", "kt"),
    [(0.5, 0.25, 0.3, 0.5), (0.0, 0.5, 0.0, 1.0), (-0.5, 0.25, 0.1, 0.6)],
    ids=["quartic", "pure quartic", "double well"],
)
def test_moments_are_those_of_boltzmann(quadratic: float, quartic: float, bias: float, kt: float) -> None:
    well, network = Well(quadratic, quartic, bias, kt), one_node(quadratic, quartic, bias, kt)
    generator, walkers = np.random.default_rng(0), 20_000
    step = 0.01
    assert step < largest_step(network)
    final = heun(network, np.zeros((walkers, 1)), step, 3000, white(generator, (walkers, 1)), every=3000)[
        0, :, 0
    ]
    for power in (1, 2, 4):
        assert standard_errors(final**power, well.moment(power)) < 3


def test_coupled_nodes_have_the_moments_of_their_joint_density() -> None:
    """Two quartic nodes with a coupling, against a sum over a grid of both."""
    coupling = np.array([[0.0, -0.3], [-0.3, 0.1]])
    quartic, kt = np.array([0.2, 0.3]), 0.7
    network = one_module(coupling, np.array([0.1, -0.2]), quartic, np.array([0.2, 0.0]), kt, [0, 1])
    axis = np.linspace(-5, 5, 801)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    v = 0.1 * x**2 + 0.2 * x**4 - 0.2 * y**2 + 0.3 * y**4 - 0.6 * x * y + 0.1 * y**2 - 0.2 * x
    density = np.exp(-(v - v.min()) / kt)
    generator, walkers = np.random.default_rng(1), 20_000
    final = heun(network, np.zeros((walkers, 2)), 0.02, 600, white(generator, (walkers, 2)), every=600)[0]
    for values, grid in ((final[:, 0], x), (final[:, 0] * final[:, 1], x * y), (final[:, 1] ** 2, y**2)):
        assert standard_errors(values, float((density * grid).sum() / density.sum())) < 3


def test_escapes_come_at_kramers_rate() -> None:
    """A barrier of 5 kT: walkers that arrive at the other bottom are counted, and put back."""
    network, well = one_node(-1.0, quartic=0.25, kt=0.2), Well(-1.0, 0.25, 0.0, 0.2)
    assert well.escape_rate() == pytest.approx(well.kramers_rate(), rel=0.2)
    generator, walkers, step, stretch = np.random.default_rng(0), 2000, 0.02, 20
    x, escaped, time = np.full((walkers, 1), -np.sqrt(2)), 0, 0.0
    normals = white(generator, (walkers, 1))
    while time < 300:
        x = heun(network, x, step, stretch, normals, every=stretch)[0]
        time += step * stretch
        there = x[:, 0] > np.sqrt(2)
        escaped += int(there.sum())
        x[there] = -np.sqrt(2)
    rate = escaped / (walkers * time)
    assert rate == pytest.approx(well.kramers_rate(), rel=0.2)
    assert rate == pytest.approx(well.escape_rate(), rel=0.1)


def test_a_step_too_large_is_named() -> None:
    network = one_node(-1.0, quartic=5.0, kt=1.0)
    generator = np.random.default_rng(0)
    with pytest.raises(NetworkError, match="states ran away at a step of 1; expected at most about"):
        heun(network, np.zeros((100, 1)), 1.0, 200, white(generator, (100, 1)))
    small = largest_step(network)
    assert np.isfinite(heun(network, np.zeros((100, 1)), small, 2000, white(generator, (100, 1)))).all()
    with pytest.raises(NetworkError, match="step is 0; expected above 0"):
        heun(network, np.zeros(1), 0, 1, white(generator, (1,)))


def test_the_drift_is_that_of_the_family() -> None:
    network = random_network(1, quartic=0.3)
    x = np.random.default_rng(0).standard_normal((6, network.nodes))
    expected = np.array([network.bias - network.matrix @ row - 4 * network.quartic * row**3 for row in x])
    np.testing.assert_allclose(drift(network)(x), expected, rtol=1e-12)


# --- statistical mechanics of a node


@given(
    quadratic=st.floats(0.05, 5), bias=st.floats(-3, 3), kt=st.floats(0.01, 5),
)  # fmt: skip
def test_a_parabola_is_gaussian(quadratic: float, bias: float, kt: float) -> None:
    well = Well(quadratic, 0.0, bias, kt)
    mean, variance = bias / (2 * quadratic), kt / (2 * quadratic)
    assert well.moment(1) == pytest.approx(mean, rel=1e-8, abs=1e-9)
    assert well.moment(2) == pytest.approx(mean**2 + variance, rel=1e-8)


@given(quadratic=st.floats(-2, 2), quartic=st.floats(0.05, 2), bias=st.floats(-1, 1), kt=st.floats(0.05, 2))
def test_equipartition(quadratic: float, quartic: float, bias: float, kt: float) -> None:
    """E x V'(x) = kT, which needs no knowledge of how the moments were found."""
    well = Well(quadratic, quartic, bias, kt)
    found = 2 * quadratic * well.moment(2) + 4 * quartic * well.moment(4) - bias * well.moment(1)
    assert found == pytest.approx(kt, rel=1e-7)


def test_a_high_barrier_is_crossed_as_kramers_says() -> None:
    ratios = [Well(-1.0, 0.25, 0.0, kt) for kt in (0.2, 0.05, 0.02)]
    errors = [abs(well.escape_rate() / well.kramers_rate() - 1) for well in ratios]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02


def test_kramers_by_hand() -> None:
    """V = −x² + x⁴/4: curvatures 4 and −2, a barrier of 1."""
    assert Well(-1.0, 0.25, 0.0, 0.2).kramers_rate() == pytest.approx(
        np.sqrt(8) / (2 * np.pi) * np.exp(-5), rel=1e-9
    )


def test_escape_rate_by_the_flux_over_population() -> None:
    """A second way to the same rate: stationary flux from a source left to a sink right, over the population left."""
    well, kt = Well(-1.0, 0.25, 0.1, 0.15), 0.15
    left, top = well.resting_points()[:2]
    low = left - 2.5

    def v(x: float) -> float:
        return well.potential(x) - well.potential(left)

    # with a sink at the top and a source of J at the left, p(y) = J/kT e^{−V(y)/kT} ∫ e^{V/kT} from y, or left, to top
    def density(y: float) -> float:
        return np.exp(-v(y) / kt) / kt * quad(lambda z: np.exp(v(z) / kt), max(y, left), top)[0]

    population = quad(density, low, top, points=[left], limit=200)[0]
    assert well.escape_rate() == pytest.approx(1 / (2 * population), rel=1e-5)


def test_wells_that_are_none() -> None:
    with pytest.raises(NetworkError, match="J2 = -1 and J4 = 0: no bottom; expected"):
        Well(-1.0, 0.0, 0.0, 1.0)
    with pytest.raises(NetworkError, match="temperature kT is 0; expected above 0"):
        Well(1.0, 0.0, 0.0, 0.0)
    with pytest.raises(NetworkError, match="is a single well; expected two"):
        Well(1.0, 0.2, 0.0, 1.0).kramers_rate()


# --- rates


def relaxation_rate(quadratic: float, quartic: float, kt: float) -> float:
    """The smallest rate above 0 of the Fokker-Planck equation in V = J2 x² + J4 x⁴, as a Schrödinger equation."""
    # of each part by itself; the narrower one bounds the states
    reach = 6 * min(
        (kt / quartic) ** 0.25 if quartic else math.inf, math.sqrt(kt / max(abs(quadratic), 1e-12))
    )
    x, h = np.linspace(-reach, reach, 1201, retstep=True)
    slope = 2 * quadratic * x + 4 * quartic * x**3
    potential = slope**2 / (4 * kt) - (2 * quadratic + 12 * quartic * x**2) / 2
    beside = np.full(len(x) - 1, -kt / h**2)
    found = eigh_tridiagonal(potential + 2 * kt / h**2, beside, select="i", select_range=(0, 1))[0]
    return float(found[1] - found[0])


@pytest.mark.parametrize("kt", [0.1, 1.0, 20.0])
@pytest.mark.parametrize(
    ("quadratic", "quartic"), [(0.0, 0.3), (1e-9, 2.0), (0.5, 0.2), (0.5, 0.0), (-0.1, 0.5)]
)
def test_the_slowest_rate_is_that_of_the_fokker_planck_equation_within_a_factor(
    quadratic: float, quartic: float, kt: float
) -> None:
    network = replace(one_node(quadratic, quartic), kt=kt)
    ratio = slowest_rate(network) / relaxation_rate(quadratic, quartic, kt)
    if quartic == 0.0:
        assert ratio == pytest.approx(1, rel=1e-3)
    # in a well with two shallow bottoms both parts are added, though they pull apart
    assert 0.5 < ratio < (2.5 if quadratic < 0 else 2)


def test_a_mode_that_no_well_holds_stays_the_slowest() -> None:
    network = one_module(np.zeros((2, 2)), np.array([0.05, 0.5]), np.array([0.0, 1.0]), np.zeros(2), 1.0, [0])
    assert slowest_rate(network) == pytest.approx(0.1)
