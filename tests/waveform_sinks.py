"""Sinks for tests, in a module of their own: the worker process has to import them."""

from __future__ import annotations

import os
import signal
import time as clock
from typing import Any

import numpy as np

from emulator.streaming import Array


class Keep:
    """Keeps everything, and its copies of the blocks' sizes."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.time: list[Array] = []
        self.values: list[Array] = []

    def begin(self, names: tuple[str, ...]) -> None:
        self.names = names

    def take(self, time: Array, values: Array) -> None:
        self.time.append(time)
        self.values.append(values)

    def result(self) -> Any:
        """Names, time, values, and the number of blocks."""
        if not self.time:
            return self.names, np.empty(0), np.empty((0, len(self.names))), 0
        return self.names, np.concatenate(self.time), np.concatenate(self.values), len(self.time)


class Failing(Keep):
    """Raises in one of its methods, or does worse there."""

    def __init__(self, where: str, what: str = "raise") -> None:
        super().__init__()
        self.where, self.what = where, what

    def _reach(self, where: str) -> None:
        if where != self.where:
            return
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "hang":
            clock.sleep(1000)
        raise ZeroDivisionError(f"the sink fails in {where}")

    def begin(self, names: tuple[str, ...]) -> None:
        super().begin(names)
        self._reach("begin")

    def take(self, time: Array, values: Array) -> None:
        super().take(time, values)
        self._reach("take")

    def result(self) -> Any:
        self._reach("result")
        return super().result()


class Count:
    """Counts the points, and takes its time over every block."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s, self.points, self.blocks, self.largest = pause_s, 0, 0, 0

    def begin(self, names: tuple[str, ...]) -> None:
        """Nothing to prepare."""

    def take(self, time: Array, values: Array) -> None:
        self.points += len(time)
        self.blocks += 1
        self.largest = max(self.largest, values.nbytes)
        clock.sleep(self.pause_s)

    def result(self) -> tuple[int, int, int]:
        """Points, blocks, and bytes of the largest block."""
        return self.points, self.blocks, self.largest
