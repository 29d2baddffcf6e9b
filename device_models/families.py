"""The families a weights file may name, and those a compiler realises them with. One small file and a line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from device_models.ising import POLYNOMIAL_ISING, TANH_FEATURE_ISING, TANH_ISING
from device_models.kuramoto import KURAMOTO, KURASHIL
from device_models.langevin import LANGEVIN
from device_models.lc_oscillator import LIMITED
from device_models.model import CellModel

FAMILIES: Mapping[str, CellModel] = MappingProxyType(
    {
        model.family: model
        for model in (KURASHIL, KURAMOTO, POLYNOMIAL_ISING, TANH_ISING, TANH_FEATURE_ISING, LANGEVIN)
    }
)

# Circuits at the waveform level, made of a trained family by the compiler: nobody trains them, no file names them
REALISATIONS: Mapping[str, CellModel] = MappingProxyType({model.family: model for model in LIMITED.values()})


def family(name: str) -> CellModel:
    """The cell model of a family or of a realisation; ValueError names the known families."""
    try:
        return REALISATIONS[name] if name in REALISATIONS else FAMILIES[name]
    except KeyError:
        raise ValueError(f"unknown family {name!r}; known: {', '.join(sorted(FAMILIES))}") from None
