"""Results that no run left: every number that bears on a receipt can be set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from emulator.core_facts import CORE, PROVENANCE, TAU, CoreFacts
from emulator.energy.metering import ATTRIBUTE, Metering
from emulator.results import ROWS, Results

SIZES = {"W": 3, "R": 4, "L": 2}
DURATION = 8.0


def made_up(
    *, side: int = 6, visible: int = 9, degree: float = 10.0, chunks: int = 4, symmetric: bool = True,
    mean_wire: float = 2.0, adc_bits: int = 8, bits: int | None = None, level: str = "phase", cycles: float = 1000.0,
    tau: float = 1e-6, oscillators_j: float = 3e-6, couplers_j: float = 2e-6, seed: int = 0, pixel_rms: float = 0.01,
    samples: int = 3, family: str = "kurashil",
    attributes: Mapping[str, Any] = MappingProxyType({}),
) -> Results:  # fmt: skip
    """As a run of so many nodes leaves them; ``attributes`` replace those of the results, and None leaves one out."""
    sizes = {**SIZES, "N": side * side, "V": visible}
    rows: dict[str, Any] = {}
    for name, column in ROWS.items():
        shape = (samples, *(sizes[letter] for letter in column.shape))
        kind = {"f": float, "i": int, "b": bool, "O": object}[column.kinds[0]]
        rows[name] = np.zeros(shape, dtype=kind)
    rows |= {
        "samples/index": np.arange(samples),
        "samples/verdict": np.array(["COMPLETED"] * samples, dtype=object),
        "samples/reason": np.array([""] * samples, dtype=object),
        "samples/accepted": np.ones(samples, dtype=bool),
        "crosscheck/pixel_rms": np.full(samples, pixel_rms),
        "crosscheck/codes_within_1lsb": np.ones(samples),
        "energy/oscillators": oscillators_j * np.linspace(0.9, 1.1, samples),
        "energy/couplers": couplers_j * np.linspace(0.9, 1.1, samples),
    }
    couplings = round(degree * side * side)
    core = CoreFacts(
        rows=side, columns=side, visible=visible, couplings=couplings, couplers=couplings // 2, degree_min=0,
        degree_mean=degree, degree_max=side * side - 1, longest_wire=max(4.0, mean_wire), mean_wire=mean_wire,
        symmetric=symmetric, chunks=chunks, duration=DURATION,
    )  # fmt: skip
    metered = Metering(
        meaning="delivered", cell="LC tanks", coupler="transconductors", oscillators=side * side,
        couplings=couplings, seconds=DURATION * tau, cycles=cycles, quality=2.0,
    )  # fmt: skip
    told = {
        "weights": "weights.h5", "weights_sha256": "0" * 64, "netlist_sha256": "1" * 64, "emulator_version": "0.1.0",
        "ngspice_version": "46", "ngspice_options": '{"reltol": 1e-6}', "seed": seed, "level": level,
        "devices": "compiled", "jacobian": "own", "family": family, "readout": "cos", "image_shape": "3 x 3",
        "settings": json.dumps({
            "adc": {"bits": adc_bits}, "non_idealities": {"bits": bits}, "oscillator": {"cycles": cycles}
        }),
        "non_idealities": "{}" if bits is None else json.dumps({"bits": {"value": bits, "unit": "bits"}}),
        CORE: core.model_dump_json(), PROVENANCE: '{"dataset": "none"}', TAU: repr(tau),
        **({} if level == "phase" else {ATTRIBUTE: metered.model_dump_json()}),
    }  # fmt: skip
    kept = {name: value for name, value in {**told, **attributes}.items() if value is not None}
    return Results(rows, {}, kept)
