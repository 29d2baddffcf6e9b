"""How a decoder's equilibrium is compared with what the digital network computed.

The published score and, beside it, one that a constant can't win.
"""

from __future__ import annotations

import numpy as np

from netlists.core import Array


def decoder_cosine(found: Array, wanted: Array) -> float:
    """Mean over samples of cos(z(y), z(d)), y and d (S, D); z removes one scalar mean over the whole batch.

    The deviation that z divides by cancels in a cosine. Source: De, arXiv:2604.14332. What all samples have in
    common counts as success here: see ``centred_r2``.
    """
    y, d = found - found.mean(), wanted - wanted.mean()
    norms = np.linalg.norm(y, axis=1) * np.linalg.norm(d, axis=1)
    return float(np.mean(np.sum(y * d, axis=1) / np.where(norms == 0, 1.0, norms)))


def centred_r2(found: Array, wanted: Array) -> float:
    """R² of the deviations from the mean of the samples, each about its own: 1 − Σ‖Δy − Δd‖² / Σ‖Δd‖².

    1 if the samples differ from one another just as they should, 0 if they don't differ at all, below 0 if that would
    have been better.
    """
    y, d = found - found.mean(axis=0), wanted - wanted.mean(axis=0)
    return float(1 - np.sum((y - d) ** 2) / np.sum(d**2))


def relative_shift(found: Array, before: Array, wanted: Array) -> float:
    """Mean over samples of ‖y − y_before‖/‖d‖, the published decoder shift."""
    return float(np.mean(np.linalg.norm(found - before, axis=1) / np.linalg.norm(wanted, axis=1)))


def relative_error(found: Array, exact: Array) -> float:
    """Largest over samples of ‖x − x_exact‖/‖x_exact‖."""
    return float(np.max(np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)))
