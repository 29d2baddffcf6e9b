"""Characterisations as files: HDF5 with everything, JSON with the figures people ask for.

HDF5: root attributes ``format`` = "ais-characterization", ``version`` = 2, the scalars of ``Characterization`` and its
settings; complex harmonics are (H, 2) real and imaginary parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from netlists import hdf5
from netlists.characterization import (
    Characterization,
    Complex,
    CouplingFunction,
    LimitCycle,
    PhaseSensitivity,
    ShilLock,
    Tuning,
)
from netlists.core import Array
from netlists.files import write_text_whole
from netlists.printable import printable

FORMAT, VERSION = "ais-characterization", 2
_SETTING = "setting_"
_SCALARS = ("f0_hz", "amplitude_v", "mean_v", "power_w", "reference_phase", "reference_gain")
_KINDS = ("current", "pump")


class CharacterizationError(ValueError):
    """Not a characterisation that can be used; the message says why."""


def write_characterization(path: Path, found: Characterization) -> None:
    """Writes the HDF5 file; on any error ``path`` stays as it was."""

    def fill(file: h5py.File) -> None:
        file.attrs.update({
            "format": FORMAT, "version": VERSION, "cell": found.cell, "source_sha256": found.source_sha256,
            "points_per_cycle": found.points_per_cycle, **{name: getattr(found, name) for name in _SCALARS},
            **{_SETTING + name: value for name, value in found.settings.items()},
        })  # fmt: skip
        for name, (values, meaning) in _datasets(found).items():
            file.create_dataset(name, data=values).attrs["meaning"] = meaning

    hdf5.write_file(path, fill)


def _datasets(found: Characterization) -> dict[str, tuple[Any, str]]:
    """Every dataset, with what it holds."""
    text = h5py.string_dtype()
    datasets: dict[str, tuple[Any, str]] = {
        "harmonics": (_pairs(found.harmonics), "output, volts, from the mean on"),
        "cycle/phase": (found.cycle.phase, "rad, 0 where the output's fundamental peaks"),
        "cycle/signals": (np.array(found.cycle.signals, text), "v(node) and i(inductor)"),
        "cycle/values": (found.cycle.values, "(phase, signal) volts and ampere"),
    }
    for port, ppv in found.ppv.items():
        datasets |= {
            f"ppv/{port}/phase": (ppv.phase, "rad"),
            f"ppv/{port}/value": (ppv.value, "rad per coulomb"),
            f"ppv/{port}/harmonics": (_pairs(ppv.harmonics), "rad per coulomb, from the mean on"),
            f"ppv/{port}/charge": (ppv.charge, "coulomb put in"),
            f"ppv/{port}/nonlinearity": (
                ppv.nonlinearity,
                "difference to half the charge, of the largest value",
            ),
        }
    for key, gamma in found.coupling.items():
        datasets |= {
            f"coupling/{key}/strength": (gamma.strength, "what it was measured at"),
            f"coupling/{key}/phase": (gamma.phase, "rad, receiver less sender"),
            f"coupling/{key}/rate": (gamma.rate, "rad/s of the receiver per unit of strength"),
            f"coupling/{key}/sender_rate": (gamma.sender_rate, "rad/s of the sender per unit of strength"),
            f"coupling/{key}/harmonics": (_pairs(gamma.harmonics), "of rate, from the mean on"),
            f"coupling/{key}/predicted": (_pairs(gamma.predicted), "the same from the PPV; may be empty"),
            f"coupling/{key}/power": (gamma.power, "watts per unit of strength"),
            f"coupling/{key}/idle": (
                np.array(gamma.idle),
                "rad/s of receiver and sender per unit of strength, every bit at 0",
            ),
        }
    if (shil := found.shil) is not None:
        datasets |= {
            "shil/port": (shil.port, "where the drive acts"),
            "shil/kind": (shil.kind, "current, or pump: a conductance"),
            "shil/drive_phase": (shil.drive_phase, "rad"),
            "shil/gain": (shil.gain, "rad/s per ampere or siemens"),
            "shil/current": (shil.current, "ampere or siemens the range was measured at"),
            "shil/predicted_hz": (shil.predicted_hz, "lock range relative to f0"),
            "shil/measured_hz": (shil.measured_hz, "lock range relative to f0"),
            "shil/sweep_hz": (shil.sweep_hz, "half the drive's frequency relative to f0"),
            "shil/locked": (shil.locked.astype(np.int8), "whether the cell followed"),
        }
    if (tuning := found.tuning) is not None:
        datasets |= {
            "tuning/parameter": (
                tuning.parameter,
                "of the subcircuit, by which a cell gets its own frequency",
            ),
            "tuning/default": (tuning.default, "its value"),
            "tuning/sensitivity": (tuning.sensitivity, "d ln f / d ln parameter"),
            "tuning/curvature": (tuning.curvature, "d2 ln f / d (ln parameter)^2"),
            "tuning/reach": (tuning.reach, "largest |ln| of the parameter's change measured"),
        }
    return datasets


def read_characterization(path: Path) -> Characterization:
    """Reads the HDF5 file.

    Raises:
        CharacterizationError: not such a file, damaged, or datasets that don't fit together.
    """
    shown = printable(str(path))
    try:
        with hdf5.opened(path) as file:
            attributes = hdf5.attributes(file)
            if attributes.get("format") != FORMAT or attributes.get("version") != VERSION:
                raise CharacterizationError(f"{shown}: not a {FORMAT} file of version {VERSION}")
            reader = _Reader(file)
            found = reader.all(attributes)
    except hdf5.Hdf5Error as error:
        raise CharacterizationError(f"{shown}: {error}") from error
    if reader.problems:
        raise CharacterizationError("\n  ".join([f"{shown}: not usable", *reader.problems]))
    return found


class _Reader(hdf5.Reader):
    """What is missing or wrong is complained of, and stands as zeros until all has been read."""

    def all(self, attributes: Mapping[str, hdf5.Scalar]) -> Characterization:
        numbers = {name: self._number(attributes, name) for name in _SCALARS}
        phase = self._real("cycle/phase")
        signals = tuple(map(str, self._text_list("cycle/signals")))
        values = self.array("cycle/values", (len(phase), len(signals)), "real")
        return Characterization(
            cell=str(attributes.get("cell", "")),
            source_sha256=str(attributes.get("source_sha256", "")),
            points_per_cycle=int(self._number(attributes, "points_per_cycle")),
            harmonics=self._complex("harmonics"),
            cycle=LimitCycle(
                phase, signals, np.zeros((len(phase), len(signals))) if values is None else values
            ),
            ppv={port: self._ppv(port) for port in self.names("ppv")},
            coupling={key: self._coupling(key) for key in self.names("coupling")},
            shil=self._shil() if self.has("shil") else None,
            settings={
                name.removeprefix(_SETTING): value if isinstance(value, str) else float(value)
                for name, value in attributes.items()
                if name.startswith(_SETTING)
            },
            tuning=self._tuning() if self.has("tuning") else None,
            **numbers,
        )

    def _tuning(self) -> Tuning:
        return Tuning(
            parameter=self._word("tuning/parameter"),
            default=self._scalar("tuning/default"),
            sensitivity=self._scalar("tuning/sensitivity"),
            curvature=self._scalar("tuning/curvature"),
            reach=self._scalar("tuning/reach"),
        )

    def _ppv(self, port: str) -> PhaseSensitivity:
        phase = self._real(f"ppv/{port}/phase")
        return PhaseSensitivity(
            port=port,
            phase=phase,
            value=self._real(f"ppv/{port}/value", len(phase)),
            harmonics=self._complex(f"ppv/{port}/harmonics"),
            charge=self._scalar(f"ppv/{port}/charge"),
            nonlinearity=self._scalar(f"ppv/{port}/nonlinearity"),
        )

    def _coupling(self, key: str) -> CouplingFunction:
        phase = self._real(f"coupling/{key}/phase")
        found = self._complex(f"coupling/{key}/harmonics")
        receiver, sender = self._real(f"coupling/{key}/idle", 2).tolist()
        return CouplingFunction(
            coupler=key.removesuffix(":crossed"),
            crossed=key.endswith(":crossed"),
            strength=self._scalar(f"coupling/{key}/strength"),
            phase=phase,
            rate=self._real(f"coupling/{key}/rate", len(phase)),
            harmonics=found,
            predicted=self._complex(f"coupling/{key}/predicted", least=0),
            sender_rate=self._real(f"coupling/{key}/sender_rate", len(phase)),
            pulling=float(found[0].real),
            power=self._scalar(f"coupling/{key}/power"),
            idle=(receiver, sender),
        )

    def _shil(self) -> ShilLock:
        kind = self.text("shil/kind", _KINDS)
        sweep = self._real("shil/sweep_hz")
        locked = self.array("shil/locked", (len(sweep),), "integer")
        return ShilLock(
            port=self._word("shil/port"),
            kind="pump" if kind == "pump" else "current",
            drive_phase=self._scalar("shil/drive_phase"),
            gain=self._scalar("shil/gain"),
            current=self._scalar("shil/current"),
            predicted_hz=self._real("shil/predicted_hz", 2),
            measured_hz=self._real("shil/measured_hz", 2),
            sweep_hz=sweep,
            locked=np.zeros(len(sweep), bool) if locked is None else locked.astype(bool),
        )

    def _word(self, name: str) -> str:
        item = self.dataset(name, "text")
        return "" if item is None else str(self._value(name, item))

    def _number(self, attributes: Mapping[str, hdf5.Scalar], name: str) -> float:
        value = attributes.get(name)
        if isinstance(value, int | float) and np.isfinite(value):
            return float(value)
        self.complain(name, f"attribute is {value!r}; expected a finite number")
        return 0.0

    def _real(self, name: str, length: int | None = None) -> Array:
        found = self.array(name, (length,), "real")
        return np.zeros(length or 0) if found is None else found

    def _scalar(self, name: str) -> float:
        found = self.array(name, (), "real")
        return 0.0 if found is None else float(found)

    def _complex(self, name: str, least: int = 2) -> Complex:
        found = self.array(name, (None, 2), "real")
        if found is not None and len(found) < least:
            self.complain(name, f"has {len(found)} harmonics; expected at least {least}")
            found = None
        if found is None:
            return np.zeros(least, np.complex128)
        return np.asarray(found[:, 0] + 1j * found[:, 1])

    def _value(self, name: str, item: h5py.Dataset) -> Any:
        found = self.values(name, item)
        return "" if found is None else found.item()

    def _text_list(self, name: str) -> npt.NDArray[Any]:
        item = self.dataset(name, "a list of text")
        found = None if item is None else self.values(name, item)
        return np.zeros(0, object) if found is None else np.atleast_1d(found)


def write_summary(
    path: Path, found: Characterization, phase_diffusion: Mapping[str, Any] | None = None
) -> None:
    """The figures people ask for, as JSON; with those of a measurement under noise, in rad²/s, if there was one."""
    more = {} if phase_diffusion is None else {"phase_diffusion_rad2_per_s": dict(phase_diffusion)}
    write_text_whole(path, json.dumps(summary(found) | more, indent=2) + "\n")


def summary(found: Characterization) -> dict[str, Any]:
    """The same as data. Lock ranges are [lower, upper] of half the drive's frequency relative to f₀, in hertz."""
    shil = found.shil
    return {
        "cell": found.cell,
        "f0_hz": found.f0_hz,
        "amplitude_v": found.amplitude_v,
        "mean_v": found.mean_v,
        "power_w": found.power_w,
        "points_per_cycle": found.points_per_cycle,
        "harmonics_v": _polar(found.harmonics),
        "ppv_harmonics": {port: _polar(ppv.harmonics) for port, ppv in found.ppv.items()},
        "ppv_nonlinearity": {port: ppv.nonlinearity for port, ppv in found.ppv.items()},
        "reference": {"phase_rad": found.reference_phase, "gain_rad_per_s_per_ampere": found.reference_gain},
        "couplers": {
            key: {
                "strength": gamma.strength,
                "gain_rad_per_s": gamma.gain * gamma.strength,
                "lag_rad": gamma.lag,
                "pulling_rad_per_s": gamma.pulling * gamma.strength,
                "idle_pulling_rad_per_s": [rate * gamma.strength for rate in gamma.idle],
                "power_w": gamma.power * gamma.strength,
                "harmonics": _polar(gamma.harmonics * gamma.strength),
            }
            for key, gamma in found.coupling.items()
        },
        "shil_lock_range_hz": {
            "predicted": None if shil is None else shil.predicted_hz.tolist(),
            "measured": None if shil is None else shil.measured_hz.tolist(),
        },
        "shil": None if shil is None else {
            "port": shil.port, "kind": shil.kind, "drive": shil.current,
            "gain_rad_per_s_per_unit": shil.gain, "phase_rad": shil.drive_phase,
        },
        "tuning": None if found.tuning is None else {
            "parameter": found.tuning.parameter, "default": found.tuning.default,
            "sensitivity": found.tuning.sensitivity, "curvature": found.tuning.curvature,
        },
        "source_sha256": found.source_sha256,
        "settings": dict(found.settings),
    }  # fmt: skip


def _polar(values: Complex) -> dict[str, list[float]]:
    """From the mean (k = 0) on."""
    return {"magnitude": np.abs(values).tolist(), "phase_rad": np.angle(values).tolist()}


def _pairs(values: Complex) -> Array:
    return np.stack([values.real, values.imag], axis=1)
