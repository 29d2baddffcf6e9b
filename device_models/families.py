"""The families a weights file may name. A new family is one small file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from device_models.ising import POLYNOMIAL_ISING, TANH_FEATURE_ISING, TANH_ISING
from device_models.kuramoto import KURAMOTO, KURASHIL
from device_models.langevin import LANGEVIN
from device_models.model import CellModel

FAMILIES: Mapping[str, CellModel] = MappingProxyType(
    {
        model.family: model
        for model in (KURASHIL, KURAMOTO, POLYNOMIAL_ISING, TANH_ISING, TANH_FEATURE_ISING, LANGEVIN)
    }
)


def family(name: str) -> CellModel:
    """The cell model of a family; ValueError names the known families."""
    try:
        return FAMILIES[name]
    except KeyError:
        raise ValueError(f"unknown family {name!r}; known: {', '.join(sorted(FAMILIES))}") from None
