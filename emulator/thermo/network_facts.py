"""What results of a network say of the network that ran, so that whoever has them needs no weights file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator.thermo.heun import slowest_rate
from netlists.network_file import Substrate
from netlists.printable import printable

NETWORK, ADC = "network", "adc"  # attributes of results


class NetworkFacts(BaseModel):
    """Counts of a network, and what they were counted on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modules: dict[str, int] = Field(description="nodes of each")
    visible: int = Field(ge=1)
    couplings: int = Field(ge=0, description="pairs of nodes within modules")
    skips: tuple[str, ...] = Field(description="what each joins")
    ranks: tuple[int, ...] = Field(description="of the skips")
    quartic: int = Field(ge=0, description="nodes in a quartic well")
    kt: float
    slowest_rate: float = Field(
        ge=0,
        description="of M's eigenvalues the one nearest to 0, below it or above, with what quartic wells add at kT; "
        "per model time unit",
    )
    fastest_rate: float = Field(description="largest eigenvalue of M, per model time unit")
    interface_parameters: int | None = Field(None, description="None: no digital interface")

    @classmethod
    def of(cls, substrate: Substrate) -> NetworkFacts:
        """Of a network and its interface."""
        network, names = substrate.network, substrate.module_names
        shown = [f"{number} {printable(name)}" for number, name in enumerate(names)]
        spectrum, interface = network.spectrum, substrate.interface
        return cls(
            modules={
                name: module.nodes for name, module in zip(shown, network.modules, strict=True)
            },
            visible=len(network.visible),
            couplings=sum(
                int(np.count_nonzero(np.triu(module.coupling, 1))) for module in network.modules
            ),
            skips=tuple(f"{shown[skip.onto]} and {shown[skip.other]}" for skip in network.skips),
            ranks=tuple(skip.rank for skip in network.skips),
            quartic=int(np.count_nonzero(network.quartic)),
            kt=network.kt,
            slowest_rate=slowest_rate(network),
            fastest_rate=spectrum.largest,
            interface_parameters=None if interface is None else interface.parameters,
        )  # fmt: skip

    @staticmethod
    def judge(attributes: Mapping[str, Any]) -> str:
        """What says where inputs rest, of results with these attributes."""
        with suppress(KeyError, ValidationError):  # of an earlier version
            if NetworkFacts.model_validate_json(str(attributes[NETWORK])).quartic:
                return "the reference"
        return "linear algebra"

    @property
    def nodes(self) -> int:
        """Of all modules."""
        return sum(self.modules.values())
