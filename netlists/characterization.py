"""What the simulation of one or two cells says of an oscillator: the numbers the compiler sizes an array with.

Conventions of phase, PPV and coupling function: ``device_models.oscillator_cell``. Harmonics are complex
amplitudes: a periodic function is Re Σ_k c_k e^{ikθ}, so c_1 of cos θ is 1, and of −sin θ is 1j.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device_models.oscillator_cell import ShilKind
from netlists.core import Array

Complex = npt.NDArray[np.complex128]
NO_TUNING = "no_tuning"  # the setting that says why a cell that could be tuned has no ``tuning``


@dataclass(frozen=True)
class LimitCycle:
    """The free-running cell: P phases, uniformly from 0 up, S signals.

    Attributes:
        phase: (P,) θ in rad.
        signals: (S,) names, ``v(node)`` for ports and nodes inside, ``i(inductor)`` for inductor currents.
        values: (P, S) volts and amperes.
    """

    phase: Array
    signals: tuple[str, ...]
    values: Array

    def at(self, phase: float | Array) -> Array:
        """(…, S) signals at phases, by trigonometric interpolation."""
        spectrum = np.fft.rfft(self.values, axis=0) / len(self.phase)
        spectrum[1:] *= 2
        if len(self.phase) % 2 == 0:
            spectrum[-1] /= 2
        waves = np.exp(1j * np.multiply.outer(np.asarray(phase, float), np.arange(len(spectrum))))
        return np.asarray((waves @ spectrum).real)


@dataclass(frozen=True)
class PhaseSensitivity:
    """The PPV of one injection port.

    Attributes:
        port: the port.
        phase: (P,) θ at which charge was put in, rad.
        value: (P,) rad per coulomb.
        harmonics: (H,) complex, from the mean (k = 0) on, rad per coulomb.
        charge: coulomb put in.
        nonlinearity: largest difference to half the charge's PPV, relative to the largest value.
    """

    port: str
    phase: Array
    value: Array
    harmonics: Complex
    charge: float
    nonlinearity: float


@dataclass(frozen=True)
class CouplingFunction:
    """Γ of one coupler type, measured with two cells, per unit of its strength with every bit at 1.

    Attributes:
        coupler: its name.
        crossed: whether it is the crossed wiring.
        strength: what it was measured at.
        phase: (P,) φ_receiver − φ_sender, rad.
        rate: (P,) rad/s of the receiver per unit of strength.
        harmonics: (H,) complex of ``rate``, from the mean on. −sin x has harmonics[1] = 1j.
        predicted: (H,) the same from PPV and the coupler's current into a driven cell, where it can be had.
        sender_rate: (P,) rad/s that the sender itself feels, per unit of strength (loading, or a passive element).
        pulling: rad/s per unit of strength, mean of ``rate``: the frequency shift whatever the phases.
        power: watts per unit of strength.
        idle: rad/s per unit of strength by which it pulls receiver and sender while every bit is 0, as gates load
            whether or not they conduct; 0 without bits. Part of ``rate`` and ``sender_rate`` as well.
    """

    coupler: str
    crossed: bool
    strength: float
    phase: Array
    rate: Array
    harmonics: Complex
    predicted: Complex
    sender_rate: Array
    pulling: float
    power: float
    idle: tuple[float, float] = (0.0, 0.0)

    @property
    def gain(self) -> float:
        """rad/s of −sin Δφ per unit of strength."""
        return float(self.harmonics[1].imag)

    @property
    def lag(self) -> float:
        """rad: the first harmonic is −|gain| sin(Δφ + lag), or with plus for a negative gain; 0 is ideal."""
        first = self.harmonics[1] * np.sign(self.harmonics[1].imag)
        return float(np.angle(first / 1j))


@dataclass(frozen=True)
class ShilLock:
    """Sub-harmonic injection locking at one port.

    A drive of amplitude I · cos(4π f₀ t + ``drive_phase``) gives dφ/dt = −I · ``gain`` · sin 2φ, on average. It is a
    current into the port, in ampere; or of a ``pump``, in siemens, a current of that times the port's voltage.

    Attributes:
        port: where the current goes in.
        kind: ``current`` or ``pump``.
        drive_phase: rad, so that the stable phases are 0 and π.
        gain: rad/s per ampere or siemens: half the magnitude of the second harmonic of the PPV, for a pump of the
            PPV times the port's voltage.
        current: ampere or siemens, at which the lock range was measured.
        predicted_hz: (2,) range of half the injection's frequency that locks, relative to f₀, from the PPV.
        measured_hz: (2,) the same by a sweep.
        sweep_hz, locked: (P,) what was swept, and whether the cell followed.
    """

    port: str
    kind: ShilKind
    drive_phase: float
    gain: float
    current: float
    predicted_hz: Array
    measured_hz: Array
    sweep_hz: Array
    locked: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tuning:
    """What a parameter of the cell does to its frequency: ln(f/f₀) = a u + b u²/2, with u = ln(parameter/its default).

    Attributes:
        parameter: the subcircuit's.
        default: its value.
        sensitivity: a, the frequency's relative change over the parameter's.
        curvature: b; 0 for a power law, as of a tank.
        reach: largest |u| at which it was measured.
    """

    parameter: str
    default: float
    sensitivity: float
    curvature: float
    reach: float


@dataclass(frozen=True)
class Characterization:
    """All that was measured of a cell, and how.

    Attributes:
        cell: its name.
        source_sha256: of its netlist, with models and options: what the numbers belong to.
        points_per_cycle: the fixed step is the measured period over this.
        f0_hz: free-running frequency, in those steps.
        amplitude_v: of the output's fundamental.
        mean_v: of the output.
        harmonics: (H,) complex of the output, from the mean on, volts; the first is real and positive.
        power_w: from all supplies.
        cycle: the limit cycle.
        ppv: by port.
        coupling: by coupler name, with ``:crossed`` appended for the crossed wiring.
        shil: lock range at the injection port; None where it was not measured.
        reference_phase: rad: a current I · cos(2π f₀ t + ``reference_phase``) into the first injection port pulls
            the phase to 0: dφ/dt = −I · ``reference_gain`` · sin φ, on average.
        reference_gain: rad/s per ampere: half the magnitude of the PPV's first harmonic.
        settings: solver options, versions, counts.
        tuning: of cells that have a parameter for it; None of others, and where it could not be measured.
    """

    cell: str
    source_sha256: str
    points_per_cycle: int
    f0_hz: float
    amplitude_v: float
    mean_v: float
    harmonics: Complex
    power_w: float
    cycle: LimitCycle
    ppv: Mapping[str, PhaseSensitivity]
    coupling: Mapping[str, CouplingFunction]
    shil: ShilLock | None
    reference_phase: float
    reference_gain: float
    settings: Mapping[str, str | float]
    tuning: Tuning | None = None
