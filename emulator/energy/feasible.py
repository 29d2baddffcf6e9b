"""All pairs (a, b) that linear constraints low <= c·(a, b) <= high leave, with a, b >= 0: a polygon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netlists.core import Array

_SAME = 1e-9  # relative to its size, corners closer than this are one, and a set as thin as this is none


class InfeasibleError(ValueError):
    """No pair, or none with any freedom, meets all constraints."""


@dataclass(frozen=True)
class Strip:
    """low <= first·a + second·b <= high."""

    first: float
    second: float
    low: float
    high: float


@dataclass(frozen=True)
class Polygon:
    """A convex set of pairs (a, b).

    Attributes:
        vertices: (V, 2) corners, counter-clockwise, the first the one of least a.
    """

    vertices: Array

    @property
    def centroid(self) -> Array:
        """(2,) centre of its area."""
        origin = self.vertices[0]
        first, second = self.vertices[1:-1] - origin, self.vertices[2:] - origin
        areas = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
        return np.asarray(origin + areas @ (first + second) / (3 * areas.sum()))

    def bounds(self, first: float, second: float) -> tuple[float, float]:
        """Least and largest first·a + second·b of the polygon; being linear, they are at corners."""
        values = self.vertices @ np.array([first, second])
        return float(values.min()), float(values.max())


def feasible_set(strips: Sequence[Strip]) -> Polygon:
    """The polygon that the strips leave of the quadrant a, b >= 0.

    Raises:
        InfeasibleError: there is none of any area, or it has no end.
    """
    from scipy.spatial import HalfspaceIntersection  # which other commands need not wait for

    rows = [(-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)]  # normal and offset: normal·x + offset <= 0
    for strip in strips:
        rows += [(strip.first, strip.second, -strip.high), (-strip.first, -strip.second, strip.low)]
    halfspaces = np.array(rows)
    halfspaces /= np.linalg.norm(halfspaces[:, :2], axis=1)[:, None]
    inside = _deepest(halfspaces)
    with np.errstate(divide="ignore", invalid="ignore"):  # where the set has no end
        corners = HalfspaceIntersection(halfspaces, inside).intersections
    if not np.isfinite(corners).all():
        raise InfeasibleError("the constraints leave a set without an end")
    return Polygon(_in_order(corners))


def _deepest(halfspaces: Array) -> Array:
    """The point farthest from all sides (Boyd & Vandenberghe, Convex Optimization, 8.5.1).

    Raises:
        InfeasibleError: no point is well inside all of them.
    """
    from scipy.optimize import linprog  # a fifth of a second

    normals, offsets = halfspaces[:, :2], halfspaces[:, 2]
    reach = np.column_stack([normals, np.ones(len(normals))])
    largest = 1 + 2 * float(np.abs(offsets).max())  # an unbounded set has no deepest point
    found = linprog([0, 0, -1], A_ub=reach, b_ub=-offsets, bounds=[(0, None), (0, None), (0, largest)])
    # what is thinner than rounding has no corners to speak of
    if found.x is None or not found.x[2] > _SAME * (1 + found.x[:2].max()):
        raise InfeasibleError("no pair (a, b) meets all constraints, or none with any freedom")
    return np.asarray(found.x[:2], dtype=np.float64)


def _in_order(corners: Array) -> Array:
    """Corners once each, counter-clockwise from the one of least a."""
    middle = corners.mean(axis=0)
    size = np.ptp(corners, axis=0).max()
    angle = np.arctan2(*(corners - middle).T[::-1])
    ordered = corners[np.argsort(angle)]
    new = np.linalg.norm(ordered - np.roll(ordered, 1, axis=0), axis=1) > _SAME * size
    ordered = ordered[new]
    return np.asarray(np.roll(ordered, -int(np.argmin(ordered[:, 0])), axis=0))
