"""The report of a network's run: what was asked, what came of it beside linear algebra, and of what circuit."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from emulator.conclusion import figure, percent
from emulator.doctor import warnings as shortcomings
from emulator.ngspice import Capabilities
from emulator.page import as_data, page_environment
from emulator.receipt.model import Receipt
from emulator.receipt.page import receipt_view
from emulator.thermo import network_figures
from emulator.thermo.netlist import bench_duration, circuit_facts
from emulator.thermo.network_plan import Plan
from emulator.thermo.network_results import NetworkResults
from emulator.thermo.network_row import REST_TOLERANCE
from emulator.thermo.network_settling import RATE_TOLERANCE, WINDOW_TOLERANCE, WINDOWS
from emulator.thermo.scores import decoder_cosine
from emulator.thermo.sections import over_averages, over_inputs
from emulator.thermo.thermal import settling
from netlists.bilinear import wiring
from netlists.core import Array
from netlists.printable import printable

MOST_ROWS, MOST_WORDS = 100, 2000
TOO_SHORT = ", which only a longer --averaging makes telling"

NOISES = {
    "off": ("no noise", "inputs are at rest, and read out there"),
    "on": (
        "isotropic noise",
        "each node has its own, of one strength: the Boltzmann answer, covariance kT M⁻¹",
    ),
    "johnson": (
        "Johnson noise",
        "every resistor and amplifier has its own: kT·I among resistors, and not the Boltzmann answer",
    ),
}

BOLTZMANN_OF_WELLS = (
    "each node has its own, of one strength: the Boltzmann distribution, which has no covariance in closed form with "
    "quartic wells; states start at rest, and stay in that well unless noise takes them to another"
)


def network_report(plan: Plan, results: NetworkResults, record: Mapping[str, Any], receipt: Receipt) -> str:
    """The page. ``record`` is what ``run.json`` says."""
    accepted = results.rows["verdict/accepted"].astype(bool)
    good, total = int(accepted.sum()), results.inputs
    noise, noise_said = NOISES[plan.settings.noise]
    if plan.settings.noise == "on" and plan.descents:
        noise_said = BOLTZMANN_OF_WELLS
    template = page_environment(value=_value).get_template("network.html.j2")
    return template.render(
        title=printable(plan.file.path.name),
        status="pass" if good == total else "mixed" if good else "fail",
        good=good, total=total, split=printable(plan.name), network=plan.network, noise=noise, noise_said=noise_said,
        technology=plan.circuit.technology, sentence=_sentence(plan, results), reasons=_reasons(results),
        warnings=[printable(remark, MOST_WORDS) for remark in (*_lost(record), *plan.remarks, *_close_calls(plan))],
        tiles=list(_tiles(plan, results)),
        drawings=_drawings(plan, results), overview=list(over_inputs(results)), averages=list(over_averages(results)),
        table=_table(results), wires=[_wiring(plan, number) for number in range(len(plan.network.skips))],
        elements=_elements(plan),
        facts=circuit_facts(plan.circuit, bench_duration(plan.network, plan.circuit, plan.descents)),
        settings=_settings(plan), command=_command(record), settled=min(plan.settings.settle, total),
        attributes=[
            (printable(name), printable(str(value), MOST_WORDS)) for name, value in sorted(results.attributes.items())
        ],
        digest=plan.file.sha256, version=results.attributes.get("emulator_version", ""),
        averaging=plan.settings.averaging, adc=plan.adc, tolerance=REST_TOLERANCE, judge=plan.judge,
        wells=bool(plan.descents), windows=WINDOWS, window_tolerance=WINDOW_TOLERANCE,
        receipt=receipt_view(receipt),
    )  # fmt: skip


def _lost(record: Mapping[str, Any]) -> list[str]:
    """What this ngspice lacks; nothing if it is not recorded, or by another version."""
    with suppress(KeyError, TypeError):
        return shortcomings(Capabilities(**record["ngspice"]))
    return []


def _close_calls(plan: Plan) -> list[str]:
    """Inputs that settle, from a start that hardly leads where it does."""
    ways = enumerate(plan.descents[: plan.settings.settle])
    return [f"input {number}: {way.close_call}" for number, way in ways if way.close_call]


def _value(number: float) -> str:
    """Three figures; a dash for what was not simulated."""
    return "–" if not np.isfinite(number) else f"{number:.3g}"


def _sentence(plan: Plan, results: NetworkResults) -> str:
    good, total = int(results.rows["verdict/accepted"].sum()), results.inputs
    done = ["operating points"]
    rates = results.rows["settling/rate_error"]
    # amplifiers with a slow pole relax otherwise, which is no fault of theirs
    paths = results.rows["settling/path_error"]
    if (np.isfinite(rates).any() and np.nanmax(rates) <= RATE_TOLERANCE) or np.isfinite(paths).any():
        done.append("settling")
    if np.isfinite(results.rows["equilibrium/covariance_error"]).any():
        done.append(f"equilibrium under {NOISES[plan.settings.noise][0]}")
    elif np.isfinite(results.rows["equilibrium/defect"]).any():  # quartic wells have no closed form
        done.append(f"paths under {NOISES[plan.settings.noise][0]}")
    said = f"{', '.join(done[:-1])} and {done[-1]}" if len(done) > 1 else done[0]
    of = "All inputs are" if good == total else f"{good} of {total} inputs are"
    return f"{of} what {plan.judge} says of the conductances as they are made: {said}."


def _reasons(results: NetworkResults) -> list[tuple[int, str]]:
    rows = results.rows
    failed = np.flatnonzero(~rows["verdict/accepted"].astype(bool))[:10]
    return [
        (int(rows["inputs/index"][k]), printable(str(rows["verdict/reason"][k]), MOST_WORDS)) for k in failed
    ]


def _tiles(plan: Plan, results: NetworkResults) -> Iterator[tuple[str, str, str]]:
    """(value, what it is, remark) of the figures at the head of the page."""
    rows = results.rows
    good = int(rows["verdict/accepted"].sum())
    yield (
        f"{good} / {results.inputs}",
        f"inputs as {plan.judge} says",
        f"{plan.circuit.technology.name} realization",
    )
    trained = rows["rest/error_network"]
    beside = (
        f"{figure(float(np.nanmax(trained)))} from the trained network" if np.isfinite(trained).any() else ""
    )
    yield figure(float(rows["rest/error"].max())), "operating point, relative error", beside
    readouts, wanted = rows["readout/analog"], rows["readout/analog_reference"]
    worst = min(_cosine(a, b) for a, b in zip(readouts, wanted, strict=True))
    yield f"{worst:.4f}", "cosine of readout and rest", "of the worst input; " + _decoder_said(plan, readouts)
    times = rows["settling/time"][np.isfinite(rows["settling/time"])]
    if len(times):
        yield f"{times.max():.3g}", "model time until settled to 1 %", _settled_said(plan, results)
    paths, rates = (
        rows[name][np.isfinite(rows[name])] for name in ("settling/path_error", "settling/rate_error")
    )
    if len(paths):
        yield _percent(float(paths.max())), "off the reference on the way", "of the largest state at rest"
    if len(rates):
        late = " late, next to rest" if plan.descents else ""
        yield (
            _percent(float(rates.max())),
            "largest error of a mode’s rate",
            f"{int(rows['settling/modes'].max())} modes measured{late}",
        )
    noise, _ = NOISES[plan.settings.noise]
    if plan.drive is None:
        yield "off", "noise", "a readout is the state at rest"
    else:
        off, bound = rows["equilibrium/covariance_error"], rows["equilibrium/covariance_bound"]
        far = rows["equilibrium/boltzmann_error"]
        if np.isfinite(off).any():
            doubt = float(np.nanmax(bound))
            yield (
                _percent(float(np.nanmax(off))), f"covariance off, {noise}",
                f"standard error {_percent(doubt)}{TOO_SHORT if doubt > 0.5 else ''}; "
                f"{_percent(float(np.nanmax(far)))} off kT M⁻¹",
            )  # fmt: skip
        else:
            yield (
                _percent(float(np.nanmax(rows["equilibrium/defect"]))), f"defect, {noise}",
                "circuit and reference under the same noise, of the states’ spread; no closed form with quartic wells",
            )  # fmt: skip
    yield percent(float(rows["readout/codes_within_1lsb"].min())), "codes within 1 LSB", "of the worst input"
    seconds = rows["timing/simulator_cpu"]
    yield f"{np.median(seconds):.3g} s", "processor time an input", f"{seconds.sum():.3g} s in all"


def _percent(share: float) -> str:
    """Two figures of a share that may be tiny."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def _cosine(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / (size or 1.0)


def _decoder_said(plan: Plan, readouts: Array) -> str:
    """The decoder's score, where the file has what the decoder should show."""
    network, inputs = plan.network, plan.file.substrate.inputs.get(plan.name)
    decoder = range(network.nodes)[network.span(1)] if len(network.modules) == 2 else range(0)
    if inputs is None or len(readouts) < 2 or network.visible.tolist() != list(decoder):
        return "of what is read out"
    wanted = plan.file.substrate.activations(plan.name, 1)[: len(readouts)]
    return f"decoder cosine {decoder_cosine(readouts, wanted):.4f}"


def _settled_said(plan: Plan, results: NetworkResults) -> str:
    done = np.isfinite(results.rows["settling/time"])
    if plan.descents:
        slowest = min(float(plan.descents[k].rates[0]) for k in np.flatnonzero(done))
        return f"slowest local rate at rest {slowest:.3g}"
    done &= results.rows["rest/network"].any(axis=1)  # without a force nothing has to settle
    if not done.any():
        return ""
    predicted = max(settling(plan.network, rest[None]).time for rest in results.rows["rest/network"][done])
    return f"{predicted:.3g} by linear algebra; 1/λ_min is {1 / plan.slowest:.3g}"


def _drawings(plan: Plan, results: NetworkResults) -> dict[str, str]:
    rows, network = results.rows, plan.network
    rest = rows["rest/as_made"]
    size = float(np.sqrt(np.mean(rest**2))) or 1.0
    errors = np.sqrt(np.mean((rows["rest/circuit"] - rest) ** 2, axis=0)) / size
    drawn = {"errors": network_figures.node_errors(errors, list(network.offsets), REST_TOLERANCE)}
    done = np.flatnonzero(np.isfinite(rows["settling/visible"]).all(axis=(1, 2)))
    if len(done):
        k = int(done[0])
        time = rows["settling/row_time"][k]
        drawn["settling"] = network_figures.settling(
            time, rows["settling/visible"][k], _wanted(plan, k, rest[k], time)[:, network.visible],
            [plan.circuit.nodes[node] for node in network.visible], float(rows["settling/time"][k]),
        )  # fmt: skip
        rates = plan.descents[k].rates if plan.descents else np.sort(np.linalg.eigvals(plan.matrix).real)
        if rates[0] > 0:  # a saddle has no slowest mode
            drawn["spectrum"] = network_figures.time_constants(rates, rows["settling/rates"][k])
    measured = rows["equilibrium/variance"][0]
    if np.isfinite(measured).all():
        boltzmann = (
            network.kt * np.diag(np.linalg.inv(plan.matrix))
            if not network.quartic.any()
            else measured * np.nan
        )
        drawn["variances"] = network_figures.variances(
            rows["equilibrium/variance"].mean(axis=0), rows["equilibrium/variance_expected"][0], boltzmann, network.kt,
            network.visible,
        )  # fmt: skip
        drawn["averages"] = network_figures.averages(
            rows["averaging/times"][0], rows["averaging/variance"].mean(axis=0), rows["averaging/expected"].mean(axis=0)
        )  # fmt: skip
    return {name: as_data("svg+xml", data) for name, data in drawn.items()}


def _wanted(plan: Plan, k: int, rest: Array, times: Array) -> Array:
    """(R, N) states of the reference on the way of input k from 0 to rest."""
    if plan.descents:
        return plan.descents[k].at(times)
    return _propagated(plan.matrix, rest, times)


def _propagated(matrix: Array, rest: Array, times: Array) -> Array:
    """(R, N) states on the way from 0 to rest: x(t) = (I − e^{−Mt}) x*."""
    rates, modes = np.linalg.eig(matrix)
    weights = np.linalg.solve(modes, rest.astype(complex))
    return np.asarray(rest - ((np.exp(-np.outer(times, rates)) * weights) @ modes.T).real)


def _table(results: NetworkResults) -> list[dict[str, Any]]:
    """A row an input; those that failed first of all, if there are too many."""
    rows = results.rows
    passed = rows["verdict/accepted"].astype(bool)
    chosen = np.sort(np.argsort(passed, kind="stable")[:MOST_ROWS])
    return [
        {
            "number": int(rows["inputs/index"][k]), "passed": bool(passed[k]),
            **{name.replace("/", "_"): column[k].item() for name, column in rows.items() if column.ndim == 1
               and column.dtype.kind in "fiu"},
        }
        for k in chosen
    ]  # fmt: skip


def _wiring(plan: Plan, number: int) -> tuple[str, ...]:
    skip = plan.network.skips[number]
    counts = wiring(skip)
    better = counts.bus < counts.dense
    return (
        f"{number + 1}", f"{len(skip.left)} and {len(skip.right)}", f"{skip.rank}", f"{counts.bus:,}",
        f"{counts.dense:,}", f"{counts.break_even:g}", "buses" if better else "products",
    )  # fmt: skip


def _elements(plan: Plan) -> list[tuple[str, str]]:
    counted = plan.circuit.inventory(plan.circuit.bench(plan.biases[0]))
    rows = [(kind, f"{count:,}") for kind, count in sorted(counted.devices.items()) if count]
    return [
        *rows,
        ("all elements", f"{sum(counted.devices.values()):,}"),
        ("unknowns", f"{counted.unknowns:,}"),
    ]


def _settings(plan: Plan) -> list[tuple[str, str, str]]:
    said = []
    for model in (plan.settings, plan.settings.circuit, plan.settings.circuit.scaling):
        for name, field in type(model).model_fields.items():
            if name not in ("circuit", "scaling", "ota"):
                said.append((name, printable(str(getattr(model, name))), field.description or ""))
    return said


def _command(record: Mapping[str, Any]) -> str:
    words = record.get("command")
    if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
        return ""
    program = "ais" if Path(words[0]).name == "ais" else words[0]
    return printable(shlex.join([program, *words[1:]]), MOST_WORDS)
