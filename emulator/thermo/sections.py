"""What a network's file holds, and what came of its run, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
from pydantic import ValidationError

from emulator.energy.estimate import NotThere
from emulator.energy.floors import thermal_floors
from emulator.energy.network import balance, network_measured
from emulator.energy.words import NETWORK_PART_NAMES, between, in_joules
from emulator.thermo.network_facts import NetworkFacts
from emulator.thermo.network_plan import NetworkRunSettings
from emulator.thermo.network_results import NetworkResults
from netlists.bilinear import wiring
from netlists.network import NetworkError, require_confining
from netlists.network_file import NetworkFile

Section = tuple[str, Sequence[tuple[str, str]]]


def network_sections(file: NetworkFile) -> list[Section]:
    """Modules, skips, spectrum, interface and inputs, and the provenance as the file says it."""
    substrate = file.substrate
    network, names = substrate.network, substrate.module_names
    found = network.spectrum
    try:
        require_confining(network)
        rests = "yes"
    except NetworkError as error:
        rests = f"no: {error}"
    ratio = f", ratio {found.condition:.4g}" if found.smallest > 0 else ""
    about = [
        ("sha256", file.sha256),
        ("modules", ", ".join(f"{module.name}: {module.nodes} nodes" for module in network.modules)),
        ("visible", f"{len(network.visible)} of {network.nodes} nodes"),
        ("temperature kT", f"{network.kt:g}"),
        ("quartic wells", f"{int((network.quartic > 0).sum())} of {network.nodes} nodes"),
        ("eigenvalues of M", f"{found.smallest:.6g} to {found.largest:.6g}{ratio}"),
        ("has an equilibrium", rests),
    ]
    for number, skip in enumerate(network.skips):
        wires = wiring(skip)
        said = (
            f"{names[skip.onto]} and {names[skip.other]}, rank {skip.rank}: {wires.bus} transconductors, dense "
            f"{wires.dense}, as many at rank {wires.break_even:g}"
        )
        about.append((f"skip {number}", said))
    interface = substrate.interface
    about.append(
        ("digital interface", "none" if interface is None else f"{interface.parameters:,} parameters")
    )
    for split, modules in substrate.inputs.items():
        about.append(
            (f"inputs {split}", ", ".join(f"{name} {values.shape}" for name, values in modules.items()))
        )
    provenance = [(name, str(value)) for name, value in file.provenance.items()]
    return [("network", about), ("provenance, as the file says", provenance)]


def over_inputs(results: NetworkResults) -> Iterator[tuple[str, str, str]]:
    """Name, median and worst over inputs of what was simulated, as text."""
    rows = results.rows
    for name, dataset, form in [
        ("operating point, against the conductances as made", "rest/error", ".2g"),
        ("operating point, against the trained network", "rest/error_network", ".2g"),
        ("on the way from 0, against the reference", "settling/path_error", ".2g"),
        ("  in a window of it", "settling/defect", ".2g"),
        ("growth of a perturbation of the start", "settling/sensitivity", ".3g"),
        ("slowest local rate at rest, per model time", "settling/local_rate", ".4g"),
        ("rates of the modes, against the spectrum", "settling/rate_error", ".2%"),
        ("time constant of the slowest mode, model time", "settling/slowest", ".4g"),
        ("settled to 1 %, model time", "settling/time", ".4g"),
        ("covariance, against its closed form", "equilibrium/covariance_error", ".2%"),
        ("  standard error of that", "equilibrium/covariance_bound", ".2%"),
        ("covariance, against kT/M", "equilibrium/boltzmann_error", ".2%"),
        ("under the same noise, circuit against reference", "equilibrium/defect", ".2%"),
    ]:
        found = rows[dataset][np.isfinite(rows[dataset])]
        if len(found):
            # of rates it is the slowest, and any below 0, that is worst
            worst = found.min() if dataset == "settling/local_rate" else found.max()
            yield name, format(float(np.median(found)), form), format(float(worst), form)
    sums, wanted = (rows[f"equilibrium/{name}"].sum(axis=1) for name in ("variance", "variance_expected"))
    known = np.isfinite(sums) & np.isfinite(wanted)
    if known.any():
        off = sums[known] / wanted[known] - 1
        worst = off[np.argmax(np.abs(off))]
        yield "sum of variances, over its closed form less 1", f"{np.median(off):+.1%}", f"{worst:+.1%}"
    codes = rows["readout/codes_within_1lsb"]
    yield "codes within 1 LSB", f"{np.median(codes):.1%}", f"{codes.min():.1%}"


def over_averages(results: NetworkResults) -> Iterator[tuple[str, str, str]]:
    """Length of an average, its variance as measured and in closed form (or nothing), as text."""
    measured, expected = results.rows["averaging/variance"], results.rows["averaging/expected"]
    for k, times in enumerate(results.rows["averaging/times"][0].tolist()):
        if np.isfinite(measured[:, k]).all():
            closed = float(expected[:, k].mean())
            said = f"over {times:g} time constants of the slowest mode"
            yield said, f"{measured[:, k].mean():.4g}", f"{closed:.4g}" if np.isfinite(closed) else ""


def over_energy(results: NetworkResults) -> Iterator[tuple[str, str, str]]:
    """Joules an input by part, what each rests on, and how far above thermal floors the sum is; nothing if unknown."""
    figure = network_measured(results)
    if isinstance(figure, NotThere):
        return
    for share in figure.shares:
        part = NETWORK_PART_NAMES[share.part]
        said = f"{in_joules(share.joules)} ({between((share.low, share.high))})"
        yield part, said, f"{share.kind}: {share.source}"
    yield "together", in_joules(figure.joules), str(figure.kind)
    nodes, visible = results.rows["inputs/force"].shape[1], results.rows["readout/codes"].shape[1]
    with suppress(KeyError, ValidationError):  # settings not recorded, or of another version
        settings = NetworkRunSettings.model_validate_json(str(results.attributes["settings"]))
        for floor in thermal_floors(figure.joules, nodes, visible * settings.adc_bits):
            yield floor.name, in_joules(floor.joules), f"{floor.ratio:.2g} times less"
    books = np.abs(balance(results.rows))
    if np.isfinite(books).any():
        yield (
            "given against lost and stored", f"{np.nanmax(books):.1g}", "the worst input's balance, relative"
        )  # fmt: skip


def network_run_sections(results: NetworkResults) -> list[Section]:
    """What was run, and the figures over inputs."""
    accepted = int(results.rows["verdict/accepted"].sum())
    names = (
        "weights",
        "weights_sha256",
        "inputs",
        "realization",
        "noise",
        "ngspice_version",
        "emulator_version",
    )
    about = [(name, str(results.attributes.get(name, "unknown"))) for name in names]
    figures = [(name, f"median {median}, worst {worst}") for name, median, worst in over_inputs(results)]
    averages = [
        (f"variance of an average {name}", f"{measured}{f', closed form {closed}' if closed else ''}")
        for name, measured, closed in over_averages(results)
    ]
    energy = [(name, f"{value}, {said}") for name, value, said in over_energy(results)]
    return [
        ("run of a network", [("inputs run", str(results.inputs)), *about]),
        (
            "over inputs",
            [
                (f"as {NetworkFacts.judge(results.attributes)} says", f"{accepted} of {results.inputs}"),
                *figures,
                *averages,
            ],
        ),
        *([("energy of an input", energy)] if energy else []),
    ]
