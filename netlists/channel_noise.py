"""How fast the thermal noise of a ring's own transistors makes its phase diffuse.

A channel's noise is a current of density 4kTγ (gm + gds), one-sided, from drain to source, with the γ = 2/3 of a long
channel, as SPICE's own noise analysis has it (BSIM3v3 manual, noiMod 1; Abidi, IEEE J. Solid-State Circuits 41 (2006)
1803, for rings). The stages are alike, so what one adds is N times what the last does, which drives the output n1, of
which the limit cycle and the sensitivity Z are known:

    D = N · mean over a cycle of Z² · 2kTγ Σ (gm + gds),

in rad² per second, both transistors summed. Transistors of couplers are weaker by their W/L, and left out.
"""

from __future__ import annotations

import numpy as np

from device_models.elements import Block, Mosfet, MosModel
from device_models.oscillator_cell import OscillatorCell
from netlists.carrier_noise import BOLTZMANN
from netlists.cell_bench import evenly
from netlists.characterization import Characterization
from netlists.core import Array

LONG_CHANNEL = 2 / 3  # γ
CARD_KELVIN = 300.15  # what level-1 cards without TNOM are for
_PHASES = 512


def channel_diffusion(cell: OscillatorCell, known: Characterization, kelvin: float) -> float:
    """D of the built-in ring, rad² per second; its sensitivity and limit cycle are those measured at ``kelvin``."""
    phase = evenly(_PHASES)
    nodes = [signal for signal in known.cycle.signals if signal.startswith("v(")]
    volts = dict(zip(known.cycle.signals, known.cycle.at(phase).T, strict=True))
    gate, drain = volts[nodes[-1]], volts[f"v({cell.output})"]
    inverter = next(block for block in cell.blocks if isinstance(block, Block))
    supply = next(iter(cell.supplies.values()))
    cards = {model.name: model for model in cell.models}
    total = np.zeros(_PHASES)
    for transistor in inverter.elements:
        assert isinstance(transistor, Mosfet)
        card, ratio = cards[transistor.model], float(transistor.width) / float(transistor.length)
        up = card.polarity == "pmos"
        total += conductance(
            card, ratio, supply - gate if up else gate, supply - drain if up else drain, kelvin
        )
    sensitivity = known.ppv[cell.output].harmonics
    turned = (np.exp(1j * np.multiply.outer(phase, np.arange(len(sensitivity)))) @ sensitivity).real
    return float(len(nodes) * np.mean(turned**2 * 2 * BOLTZMANN * kelvin * LONG_CHANNEL * total))


def conductance(card: MosModel, ratio: float, gate: Array, drain: Array, kelvin: float) -> Array:
    """gm + gds of a level-1 transistor (Shichman & Hodges 1968), siemens.

    Its KP falls with T^1.5 as in SPICE; that its threshold moves a little too is left out.

    Args:
        card: the model.
        ratio: W/L.
        gate, drain: volts against the source, positive where the channel conducts, for either polarity.
        kelvin: temperature.
    """
    beta = ratio * card.parameters["kp"] * (kelvin / CARD_KELVIN) ** -1.5
    over = np.maximum(gate - abs(card.parameters["vto"]), 0.0)
    slope = card.parameters["lambda"]
    drain = np.maximum(drain, 0.0)
    longer = 1 + slope * drain
    saturated = beta * over * longer + beta / 2 * slope * over**2
    linear = beta * longer * drain + beta * ((over - drain) * longer + slope * drain * (over - drain / 2))
    return np.asarray(np.where(drain >= over, saturated, linear))
