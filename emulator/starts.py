"""Samples that share a start: the same seed and number, through several dies or converters.

They are no independent samples. The trained model makes one and the same of them, and a die that lacks nothing
does so too: to take them for as many samples brings copies into distances, and makes intervals too narrow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from netlists.core import Index


def starts_of(seeds: npt.NDArray[np.integer], numbers: npt.NDArray[np.integer]) -> Index:
    """(S,) start of each sample, counted from 0 in the order of seeds and numbers (S,)."""
    _, starts = np.unique(np.stack([seeds, numbers], axis=1), axis=0, return_inverse=True)
    return np.asarray(starts).reshape(-1)


def rows_of(starts: Index) -> Index:
    """(starts, dies) samples of each start; where some are missing, the others stand in their place once more."""
    order = np.argsort(starts, kind="stable")
    counts = np.bincount(starts)
    turn = np.arange(counts.max(initial=0)) % counts[:, None]
    return np.asarray(order[(np.cumsum(counts) - counts)[:, None] + turn])


def one_of_each(starts: Index) -> Index:
    """(starts,) one sample of each start, of the dies in turn."""
    rows = rows_of(starts)
    turn = np.arange(len(rows))
    return np.asarray(rows[turn, turn % rows.shape[1]])
