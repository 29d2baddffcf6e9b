"""What an audit says, in sentences that follow from its figures."""

from __future__ import annotations

from emulator.thermo.audit import Audit
from emulator.thermo.audit_noise import NoisyReadout

# baselines that compute nothing of the input, or nothing with the skip or the substrate
RIVALS = {
    "constant": "a constant",
    "no_skip": "the substrate without its skip",
    "interface_only": "the digital interface alone",
}
WIDE = 0.1  # of a cosine: what signs may decide without a sentence about it


def findings(audit: Audit) -> list[str]:
    """Sentences on the score, the skip, its signs, and the noise."""
    scores = audit.evaluation
    full = scores.regimes["full"]
    above = [name for key, name in RIVALS.items() if scores.baselines[key].cosine > full.cosine]
    said = []
    if above:
        said.append(
            f"By decoder cosine {_listed(above)} {'score' if len(above) > 1 else 'scores'} above the full pipeline: "
            "the published score does not show what the substrate adds."
        )
    else:
        said.append("By decoder cosine the full pipeline scores above every baseline.")
    apart = scores.baselines["no_skip"].r2
    verb = "raises" if apart > full.r2 else "lowers"
    said.append(
        f"Taking the skip out {verb} the centred R² of the full pipeline from {full.r2:.3f} to {apart:.3f}."
    )
    low, high = audit.signs.skip_only
    if high - low > WIDE:
        said.append(
            f"What the skip alone brings hangs on the signs of singular vectors, which are arbitrary: a cosine of "
            f"{low:.2f} to {high:.2f}."
        )
    needed = audit.averaging[0]
    if needed.samples > 1:
        said.append(
            f"At kT = {audit.substrate.network.kt:g} the thermal noise of a node is {needed.noise / needed.signal:.0f} "
            f"times what tells inputs apart: averaging it down takes {needed.time / audit.settling.time:,.0f} times as "
            "long as settling."
        )
    if audit.transients is not None and audit.transients.noise:
        said.append(_in_the_circuit(audit.transients.noise[0]))
    return said


def _in_the_circuit(noise: NoisyReadout) -> str:
    first, last = noise.lengths[0], noise.lengths[-1]
    return (
        f"In the circuit one instant of the full pipeline scores a cosine of {first.cosine:.2f}, and an average over "
        f"{last.correlation_times:.0f} correlation times {last.cosine:.2f} (at rest {noise.resting_cosine:.2f}); its "
        f"centred R² is then still {last.r2:.3g} (at rest {noise.resting_r2:.2f})."
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
