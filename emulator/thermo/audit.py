"""The audit of a substrate: what was published, measured again beside what its score needs to be judged by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emulator.thermo.audit_transients import CircuitTransients, Stage, Transients
from emulator.thermo.equilibrium import Solver, equilibrium
from emulator.thermo.evaluation import Evaluation, RankRow, SignSpread, evaluate, over_ranks, over_signs
from emulator.thermo.forces import conditioning_deficit
from emulator.thermo.thermal import Averaging, Settling, averaging, settling, signal_between_inputs
from netlists.bilinear import Wiring, wiring
from netlists.core import Array
from netlists.network import NetworkError, Spectrum, require_confining
from netlists.network_file import NetworkFile, Substrate

RANKS = (1, 2, 4, 8, 16, 32, 48, 64)  # the published sweep, and 1
NOISE_RATIOS = (1.0, 0.1)
LINEAR_ALGEBRA = "linear algebra"


@dataclass(frozen=True)
class Audit:
    """Everything the report shows.

    Attributes:
        path, sha256: of the substrate's file.
        solver: what found the equilibria: linear algebra, or a circuit in words.
        substrate: what was audited.
        split: inputs it was audited on.
        interface_parameters: numbers in the interface's arrays.
        evaluation: scores by regime and baseline.
        ranks: skips of other ranks.
        signs: what the signs of singular vectors leave open.
        deficit: conditioning deficit of the encoder module.
        spectrum: of M.
        wiring: of the skip.
        settling: of the full pipeline's inputs.
        averaging: for each noise-to-signal ratio; the signal is what tells the decoder's activations apart.
        equilibria: (S, N) of the full pipeline, by linear algebra.
        transients: of the circuit, under the full pipeline's forces; None if nothing but linear algebra was asked.
    """

    path: Path
    sha256: str
    solver: str
    substrate: Substrate
    split: str
    interface_parameters: int
    evaluation: Evaluation
    ranks: list[RankRow]
    signs: SignSpread
    deficit: float
    spectrum: Spectrum
    wiring: Wiring
    settling: Settling
    averaging: list[Averaging]
    equilibria: Array
    transients: Transients | None

    @property
    def operating_point_error(self) -> float | None:
        """Of the circuit against linear algebra; None if nothing but linear algebra was asked."""
        return None if self.solver == LINEAR_ALGEBRA else self.evaluation.operating_point_error


def audit(
    file: NetworkFile, solve: Solver = equilibrium, solver: str = LINEAR_ALGEBRA, split: str = "test",
    run: CircuitTransients | None = None, stage: Stage = lambda *_: None,
) -> Audit:  # fmt: skip
    """Audits a substrate of an encoder and a decoder module, one skip, an interface, and inputs.

    Args:
        file: the substrate.
        solve, solver: what finds equilibria, and its name.
        split: inputs.
        run: what makes transients; None for none.
        stage: is told what comes next.

    Raises:
        NetworkError: it lacks one of these, or its M is not positive definite.
        CircuitFailed: a simulation did not complete.
    """
    substrate = file.substrate
    network = substrate.network
    if len(network.modules) != 2 or len(network.skips) != 1 or substrate.interface is None:
        has = "an" if substrate.interface else "no"
        raise NetworkError(
            f"{len(network.modules)} modules, {len(network.skips)} skips, {has} interface; expected an encoder and a "
            "decoder module, a skip between them and a digital interface, as `ais thermo build` makes them"
        )
    if network.quartic.any():
        raise NetworkError(
            f"{int((network.quartic > 0).sum())} of {network.nodes} nodes have quartic wells; expected none: the "
            "published table, and the closed forms beside it, are of linear networks. `ais run` simulates this one"
        )
    require_confining(network)
    biases, wanted = substrate.biases(split), substrate.activations(split, 1)
    equilibria, signal = equilibrium(network, biases), signal_between_inputs(wanted)
    ranks = [k for k in RANKS if k <= min(network.sizes)]
    stage("scores", 0, 3)
    evaluation = evaluate(substrate, solve, split)
    stage("ranks", 1, 3)
    rows = over_ranks(substrate, ranks, solve, split)
    stage("signs", 2, 3)
    signs = over_signs(substrate, split)
    return Audit(
        path=file.path,
        sha256=file.sha256,
        solver=solver,
        substrate=substrate,
        split=split,
        interface_parameters=substrate.interface.parameters,
        evaluation=evaluation,
        ranks=rows,
        signs=signs,
        deficit=conditioning_deficit(network, substrate.activations(split, 0)),
        spectrum=network.spectrum,
        wiring=wiring(network.skips[0]),
        settling=settling(network, equilibria),
        averaging=[averaging(network, signal, ratio) for ratio in NOISE_RATIOS],
        equilibria=equilibria,
        transients=None if run is None else run(network, biases, wanted, signal, stage),
    )
