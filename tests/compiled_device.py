"""A compiled device called through ctypes, as a simulator would call it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from device_models.printers.osdi import DeviceLibrary, Jacobian
from emulator.compiled import build

TRANSIENT, ALPHA = 1 << 13, 4.0e8


class Info(ctypes.Structure):
    _fields_ = (
        ("parameters", ctypes.c_void_p * 4), ("abstime", ctypes.c_double), ("prev_solve", ctypes.c_void_p),
        ("states", ctypes.c_void_p * 2), ("flags", ctypes.c_uint32),
    )  # fmt: skip


class Device:
    """One instance of ``own`` states, set up as a simulator would: node k of the solver is terminal k − 1."""

    def __init__(self, library: DeviceLibrary, neighbours: int, jacobian: Jacobian, own: int = 1) -> None:
        self.own = own
        self.lib = ctypes.CDLL(str(build(library.source)))
        size = ctypes.c_uint32.in_dll(self.lib, "OSDI_DESCRIPTOR_SIZE").value
        count = ctypes.c_uint32.in_dll(self.lib, "OSDI_NUM_DESCRIPTORS").value
        table = ctypes.addressof(ctypes.c_char.in_dll(self.lib, "OSDI_DESCRIPTORS"))
        wanted = library.device(neighbours, jacobian).encode()
        for k in range(count):
            self.at = table + k * size
            if ctypes.string_at(ctypes.c_void_p.from_address(self.at).value or 0) == wanted:
                break
        else:
            raise AssertionError(f"no descriptor {wanted!r}")
        self.entries = self.uint(24)
        self.instance = ctypes.create_string_buffer(self.uint(116))
        self.model = ctypes.create_string_buffer(self.uint(120))
        self.full = jacobian == "full"
        self.nodes = np.frombuffer(self.instance, np.uint32, own + neighbours, self.uint(96))
        self.nodes[:] = np.arange(1, own + neighbours + 1)
        self.elements = np.zeros(self.entries)
        pointers = np.frombuffer(self.instance, np.uint64, self.entries, self.uint(100))
        pointers[:] = self.elements.ctypes.data + 8 * np.arange(self.entries)

    def uint(self, offset: int) -> int:
        return ctypes.c_uint32.from_address(self.at + offset).value

    def function(self, index: int, result: object, *arguments: object) -> Callable[..., object]:
        """The descriptor's function number ``index``: 0 is access."""
        pointer = ctypes.c_void_p.from_address(self.at + 128 + 8 * index).value
        return ctypes.CFUNCTYPE(result, *arguments)(pointer)  # type: ignore[call-overload, no-any-return]

    def set_up(self, numbers: list[float], texts: list[str], shared: list[float]) -> int:
        pointer, uint = ctypes.c_void_p, ctypes.c_uint32
        access = self.function(0, pointer, pointer, pointer, uint, uint)
        libc = ctypes.CDLL(None)
        libc.strdup.restype = pointer
        for k, value in enumerate(numbers):
            ctypes.c_double.from_address(access(self.instance, None, 1 + k, 5)).value = value  # type: ignore[arg-type]
        for k, text in enumerate(texts):  # the device frees them
            place = access(self.instance, None, 1 + len(numbers) + k, 5)
            pointer.from_address(place).value = libc.strdup(text.encode())  # type: ignore[arg-type]
        for k, value in enumerate(shared):
            place = access(None, self.model, 1 + len(numbers) + len(texts) + k, 1)
            ctypes.c_double.from_address(place).value = value  # type: ignore[arg-type]
        result = ctypes.create_string_buffer(16)
        simulator = ctypes.create_string_buffer(32)
        self.function(1, None, pointer, pointer, pointer, pointer)(None, self.model, simulator, result)
        self.function(2, None, pointer, pointer, pointer, ctypes.c_double, uint, pointer, pointer)(
            None, self.instance, self.model, 300.0, len(self.nodes), simulator, result
        )
        return int.from_bytes(result[:4], "little")

    def evaluate(
        self, solution: np.ndarray, time: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of the own states: resistive and reactive residuals, Jacobian of a transient, and right-hand side.

        The Jacobian has a column an own state; with a full one the neighbours' follow in the first row.
        """
        pointer, double = ctypes.c_void_p, ctypes.c_double
        info = Info(abstime=time, prev_solve=solution.ctypes.data, flags=TRANSIENT)
        evaluate = self.function(3, ctypes.c_uint32, pointer, pointer, pointer, pointer)
        assert evaluate(None, self.instance, self.model, ctypes.byref(info)) == 0
        self.elements[:] = 0
        targets = np.zeros((3, len(solution)))
        load = [self.function(k, None, pointer, pointer, pointer) for k in (5, 6)]
        for function, target in zip(load, targets, strict=False):
            function(self.instance, self.model, target.ctypes.data)
        self.function(10, None, pointer, pointer, pointer, pointer, double)(
            self.instance, self.model, targets[2].ctypes.data, solution.ctypes.data, ALPHA
        )
        self.function(13, None, pointer, pointer, double)(self.instance, self.model, ALPHA)
        assert not np.delete(targets, np.arange(1, self.own + 1), axis=1).any()
        square = self.own**2
        jacobian = np.zeros((self.own, self.own + len(self.elements) - square))
        jacobian[:, : self.own] = self.elements[:square].reshape(self.own, self.own)
        jacobian[0, self.own :] = self.elements[square:]
        resistive, reactive, source = targets[:, 1 : self.own + 1]
        return resistive, reactive, jacobian, source

    @property
    def longest_step(self) -> float:
        """Seconds that the simulator may step next, as the instance says."""
        return float(np.frombuffer(self.instance, np.float64, 1, self.uint(112))[0])
