"""Noise of oscillators: currents into their nodes that make phases diffuse at a stated rate.

A white drive of σ_v² per unit of time turns the phase by the mean of Z times it, Z the phase sensitivity: the phase
diffuses at σ_v² · mean(Z²) per unit of time, over all harmonics of Z (Demir, Mehrotra & Roychowdhury, IEEE Trans.
Circuits Syst. I 47 (2000) 655). The drive is the noise of ``netlists.noise``, a number at each grid point, m of the
solver's steps h apart, and linear between them. The trapezoidal rule sums what it sees at its steps, so that of the
harmonic k of the carrier ω it hears

    K_k = (sin(m k ω h/2) / (m sin(k ω h/2)))²,

which for many steps is sinc² of the grid. It is known, and σ_v makes up for it: of a σ in rad per root of model time

    σ² · (model time per unit of time) = σ_v² (Z_0² + Σ_k K_k² |Z_k|²/2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from device_models.noise import normals
from netlists.characterization import Characterization, Complex
from netlists.core import Array
from netlists.lc import LcArray
from netlists.lc_design import LcDesign
from netlists.noise import NoiseError, NoiseGrid, checked_seed
from netlists.oscillator_array import OscillatorArray

BOLTZMANN = 1.380649e-23  # J/K
MOST_POINTS = 10**7  # of the noise that stands in a netlist
_MATTERS = 1e-3  # of the diffusion: less of it than that the reference does without
_PER_CYCLE = 16  # grid points, about: of the carrier K² is then 0.97


@dataclass(frozen=True)
class CarrierNoise:
    """What drives an array of oscillators, and how the phases feel it.

    Attributes:
        sigma: of the phases, rad per root of the trained model's time.
        grid: of the drive, in the unit of time that ``omega`` is given by.
        omega: of the carrier, rad per unit of time.
        cycles: of the carrier in a unit of the trained model's time.
        orders: (H,) harmonics of Z that matter, ascending.
        gains: (H,) K_k Z_k of each, rad per unit of the drive's integral.
    """

    sigma: float
    grid: NoiseGrid
    omega: float
    cycles: float
    orders: tuple[int, ...]
    gains: tuple[complex, ...]

    @property
    def step(self) -> float:
        """Between grid points, in the trained model's time."""
        return self.grid.step * self.omega / (2 * math.pi * self.cycles)


@dataclass(frozen=True)
class SeenByPhases:
    """The noise of a sample as the averaged phase equation has it: dφ/dt = … + Re Σ_k a_k(t) exp(ikφ).

    a_k(t) is the mean over a cycle of Z_k exp(ikωt) times the drive, linear from cycle to cycle: what the circuit's own
    noise does to a phase.
    """

    told: CarrierNoise
    sample: int

    @property
    def step(self) -> float:
        """Model time of a cycle."""
        return 1 / self.told.cycles

    @property
    def orders(self) -> tuple[int, ...]:
        """Harmonics."""
        return self.told.orders

    def rates(self, nodes: int, duration: float) -> Complex:
        """(K+1, N, H) a_k at whole cycles of the trained core's time, rad per unit of it."""
        told, grid = self.told, self.told.grid
        cycles = math.ceil(duration * told.cycles) + 1
        # the cycle around each of 0, 1, …; of the first one only the second half is there
        middles = (np.arange(cycles + 1) - 0.5) * (2 * math.pi / told.omega)
        edges = np.ceil(middles / grid.step - 1e-9).astype(np.int64).clip(0).tolist()
        found = np.empty((cycles, nodes, len(told.orders)), np.complex128)
        turns = 1j * told.omega * grid.step * np.array(told.orders)
        for k in range(cycles):
            points = np.arange(edges[k], edges[k + 1])
            drawn = normals(grid.seed, self.sample, nodes, edges[k], len(points))
            found[k] = drawn.T @ np.exp(np.multiply.outer(points, turns)) / len(points)
        return np.asarray(
            found * (grid.amplitude * np.array(told.gains) * 2 * math.pi * told.cycles / told.omega)
        )


def carrier_noise(
    sigma: float, sensitivity: Complex, omega: float, solver_step: float, cycles: float, seed: int
) -> CarrierNoise:
    """The noise under which phases diffuse by ``sigma``² per unit of the trained model's time.

    Args:
        sigma: rad per root of that time.
        sensitivity: (H,) complex harmonics of Z from the mean on, rad per unit of the drive's integral.
        omega: of the carrier, rad per unit of time.
        solver_step: h, in that unit.
        cycles: of the carrier in a unit of the trained model's time.
        seed: of the run.

    Raises:
        NoiseError: a seed beyond the generator's.
    """
    substeps = max(1, round(2 * math.pi / (omega * solver_step) / _PER_CYCLE))
    density = sigma**2 * omega / (2 * math.pi * cycles) / heard(sensitivity, omega * solver_step, substeps)
    step = substeps * solver_step
    gains = sensitivity[1:] * _kernel(np.arange(1.0, len(sensitivity)), omega * solver_step, substeps)
    orders = 1 + np.flatnonzero(np.abs(gains) ** 2 > _MATTERS * np.sum(np.abs(gains) ** 2))
    grid = NoiseGrid(math.sqrt(density), step, checked_seed(seed))
    return CarrierNoise(sigma, grid, omega, cycles, tuple(orders.tolist()), tuple(gains[orders - 1].tolist()))


def array_noise(
    array: OscillatorArray, known: Characterization, sigma: float, duration: float, seed: int
) -> CarrierNoise:
    """The same of an array of circuit cells that carries out a core of a ``duration``: ampere into each output.

    By the measured sensitivity, of which the first injection port is the only one that every cell has, and seconds.

    Raises:
        NoiseError: there is too much of it for a netlist.
    """
    omega = 2 * math.pi * array.sizing.carrier_hz
    sensitivity = known.ppv[array.cell.injections[0]].harmonics
    found = carrier_noise(sigma, sensitivity, omega, array.step, array.sizing.cycles / duration, seed)
    check_size(found.grid, array.core.nodes, array.stop)
    return found


def lc_noise(array: LcArray, sigma: float, duration: float, seed: int) -> CarrierNoise:
    """The same of an LC array that carries out a core of a ``duration``, whose drive is on the nodes' rates."""
    design, cycles = array.design, array.cycles / duration
    return carrier_noise(sigma, harmonics(design), 1.0, 2 * math.pi / design.points_per_cycle, cycles, seed)


def thermal_sigma(array: LcArray, quality: float, kelvin: float, duration: float) -> float:
    """rad per root of trained time by which phases diffuse under the Johnson noise of the tanks' loss.

    The loss G = ω₀C/Q is a current of the density 4kTG, one-sided, which on the node's rate is 2kT/(QC) per radian.
    With v = A cos ψ that is a diffusion of kT/(Q C A²) per radian.
    """
    per_radian = 2 * BOLTZMANN * kelvin / (quality * array.scaling.capacitance)
    diffusion = per_radian * float(np.mean(array.design.sensitivity**2))
    return math.sqrt(diffusion * 2 * math.pi * array.cycles / duration)


def heard(sensitivity: Complex, angle: float, substeps: int) -> float:
    """Z_0² + Σ_k K_k² |Z_k|²/2, for steps of an ``angle`` of the carrier, rad."""
    kernel = _kernel(np.arange(1.0, len(sensitivity)), angle, substeps)
    return float(sensitivity[0].real ** 2 + np.sum(kernel**2 * np.abs(sensitivity[1:]) ** 2) / 2)


def harmonics(design: LcDesign) -> Complex:
    """(H,) complex harmonics of the LC cell's Z from the mean on, less the highest, of which there is none."""
    found = np.fft.rfft(design.sensitivity)[:-1] / len(design.sensitivity)
    found[1:] *= 2
    return np.asarray(found)


def _kernel(order: Array, angle: float, substeps: int) -> Array:
    half = order * angle / 2
    return np.asarray((np.sin(substeps * half) / (substeps * np.sin(half))) ** 2)


def check_size(grid: NoiseGrid, nodes: int, duration: float) -> None:
    """Whether the noise of a sample can stand in a netlist, number by number.

    Raises:
        NoiseError: there are too many.
    """
    if (count := nodes * math.ceil(duration / grid.step)) > MOST_POINTS:
        raise NoiseError(
            f"the noise of {nodes} cells would be {count:.1e} numbers in the netlist, and {MOST_POINTS:.0e} are the "
            "most. Take compiled devices, which make it themselves, fewer --cycles, or --level phase."
        )
