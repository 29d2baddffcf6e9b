"""What a network's file holds, for people."""

from __future__ import annotations

from collections.abc import Sequence

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
    about = [
        ("sha256", file.sha256),
        ("modules", ", ".join(f"{module.name}: {module.nodes} nodes" for module in network.modules)),
        ("visible", f"{len(network.visible)} of {network.nodes} nodes"),
        ("temperature kT", f"{network.kt:g}"),
        ("quartic wells", f"{int((network.quartic > 0).sum())} of {network.nodes} nodes"),
        ("eigenvalues of M", f"{found.smallest:.6g} to {found.largest:.6g}, ratio {found.condition:.4g}"),
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
