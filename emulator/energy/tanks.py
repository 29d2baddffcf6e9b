"""What the active elements of LC tanks deliver, element by element, from the tanks' phasors.

With v = Re z e^{iθ} and Y = ω C, the mean power over a cycle that an element delivers into node i is

    coupling κ_ij          2 κ Y v_j v_i                           Y κ_ij Re(z_i z̄_j)
    pump s_i               4 s Y cos(2θ + ψ₂) v_i²                 Y s_i Re(z_i² e^{−iψ₂})
    reference b_i          2 b Y A cos(θ + ψ₁) v_i                 Y b_i A Re(z_i e^{−iψ₁})
    the cell's own         what is left of the loss Y |z_i|²/2Q

An element counts where it delivers; where it absorbs, nothing is recovered. What is left out is the change of the
energy stored, Q/2π cycles' worth of the loss at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netlists.core import Array
from netlists.lc import LcArray


@dataclass(frozen=True)
class Delivered:
    """Joules over a run from the cells' own active conductances, the couplers, and pumps and references."""

    oscillators: float
    couplers: float
    injection: float


def delivered(array: LcArray, time: Array, phasors: npt.NDArray[np.complex128], heat: float) -> Delivered:
    """What the elements of an array deliver.

    Args:
        array: the array.
        time: (R+1,) seconds, from the run's start to its end.
        phasors: (R+1, N) volts, against the carrier.
        heat: joules that all losses turn into heat, harmonics included: the phasors only say where and when.
    """
    core, unit = array.core, array.scaling.conductance
    receiver, sender = core.edges.T
    names = ("amplitude", "shil_phase", "bias_phase")
    amplitude, pumped, referred = (float(core.parameters[name]) for name in names)
    squares = np.abs(phasors) ** 2
    losses = squares * (heat / float(np.trapezoid(squares.sum(axis=1), time)))
    chunks = np.searchsorted(core.boundaries[1:-1] * array.scaling.tau, (time[:-1] + time[1:]) / 2)
    sums = np.zeros(3)
    for row, chunk in enumerate(chunks.tolist()):
        for end in (row, row + 1):
            z = phasors[end]
            couplers = unit * core.coupling[chunk] * (z[receiver] * z[sender].conj()).real
            pumps = unit * core.parameters["shil"][chunk] * (z**2 * np.exp(-1j * pumped)).real
            pulls = unit * core.parameters["bias"][chunk] * amplitude * (z * np.exp(-1j * referred)).real
            own = losses[end] - np.bincount(receiver, couplers, core.nodes) - pumps - pulls
            powers = [own, couplers, np.concatenate([pumps, pulls])]
            sums += (time[row + 1] - time[row]) / 2 * np.array([np.maximum(p, 0).sum() for p in powers])
    return Delivered(*sums.tolist())
