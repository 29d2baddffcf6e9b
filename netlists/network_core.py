"""A Langevin network as a core of compiled cells: for long transients, which separate elements take too long for.

Each cell listens to all others that M couples it to. The factors of a skip are multiplied out here, inside the
compiled form, and nowhere else: a simulator's sum over neighbours costs nothing, whereas summing buses would be nodes
without a state of their own, which the solver then has to find in every step.
"""

from __future__ import annotations

import numpy as np

from device_models.langevin import LANGEVIN
from netlists.core import AnalogCore, Array, InitialDistribution
from netlists.network import LangevinNetwork


def network_core(
    network: LangevinNetwork, bias: Array, duration: float, matrix: Array | None = None
) -> AnalogCore:
    """The network under (N,) forces, to run for ``duration`` model time units.

    Modules of the same size are the rows of its grid; others share one row. ``matrix`` is what takes the place of M,
    that of a network as it can be made; it need not be symmetric.
    """
    matrix = network.matrix if matrix is None else matrix
    receivers, senders = np.nonzero(matrix - np.diag(np.diag(matrix)))
    same = len(set(network.sizes)) == 1
    return AnalogCore(
        family_name=LANGEVIN.family,
        shape=(len(network.sizes), network.sizes[0]) if same else (1, network.nodes),
        edges=np.stack([receivers, senders], axis=1),
        visible=np.asarray(network.visible, dtype=np.int64),
        boundaries=np.array([0.0, duration]),
        coupling=matrix[receivers, senders][None, :],
        # V holds xᵀJx: its diagonal is the node's own
        parameters={
            "quadratic": np.diag(matrix) / 2, "quartic": network.quartic.astype(np.float64),
            "bias": np.asarray(bias, dtype=np.float64)[None, :],
        },
        symmetric=bool((matrix == matrix.T).all()),
        readout=LANGEVIN.default_readout,
        image_shape=None,
        initial=InitialDistribution(0.0, 0.0),
    )  # fmt: skip
