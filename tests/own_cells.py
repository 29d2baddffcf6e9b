"""Cells of one's own for the tests: a tank whose frequency and power are known, and the built-in ring as a file."""

from __future__ import annotations

from pathlib import Path

from device_models.corners import CORNERS
from device_models.ring_oscillator import LOAD, NMOS, PMOS

TC_CAPACITOR, TC_RESISTOR = 1e-3, 2e-3  # per kelvin

_TANK = f"""* a tank, what keeps it going, and a bias
.param gain=1m spread=1
.subckt tank_cell out vdd cload=1p
L1 out mid 10n
V0 mid 0 0
C1 out 0 {{cload*spread}} tc1={TC_CAPACITOR}
B1 out 0 I = -gain*v(out)*(1-v(out)*v(out))
Rbias vdd 0 10k tc1={TC_RESISTOR}
.ends tank_cell
"""
TANK_TOML = """
name = "tank_cell"
title = "Tank"
spice = "tank.cir"
subcircuit = "tank_cell"
ports = ["out", "vdd"]
output = "out"
injections = ["out"]
shil = "out"
shil_kind = "pump"
period_guess = 0.63e-9
points_per_cycle = 64
[supplies]
vdd = 1.0
[start]
out = 0.5
[corners.slow]
spread = 1.1
[detuning]
parameter = "cload"
"""


def tank(folder: Path, toml: str = TANK_TOML, spice: str = _TANK) -> Path:
    """The TOML file, with the SPICE beside it."""
    (folder / "tank.cir").write_text(spice)
    path = folder / "tank.toml"
    path.write_text(toml)
    return path


def ring(folder: Path) -> Path:
    """The five-stage ring with the built-in cards, and with their corners."""
    stages = "\n".join(
        f"X{k} n{k} n{k % 5 + 1} vdd my_inverter\nC{k} n{k % 5 + 1} 0 {{load*spread}}" for k in range(1, 6)
    )
    rest = "lambda={lambda} tox={tox} cgso={cgso} cgdo={cgdo} is={is}"
    (folder / "ring.cir").write_text(
        "* ring\n"
        f".param vtn={NMOS.parameters['vto']!r} vtp = {PMOS.parameters['vto']!r}\n"
        f".param kn={NMOS.parameters['kp']!r} kp={PMOS.parameters['kp']!r} spread=1\n"
        f".model my_n nmos level=1 vto={{vtn}} kp={{kn}} {rest.format_map(NMOS.parameters)}\n"
        f".model my_p pmos level=1 vto={{vtp}} kp={{kp}} {rest.format_map(PMOS.parameters)}\n"
        ".subckt my_inverter a y vdd\nMp y a vdd vdd my_p W=0.2u L=0.2u\nMn y a 0 0 my_n W=0.2u L=0.2u\n"
        f".ends my_inverter\n.subckt my_ring n1 n2 n3 n4 n5 vdd load={LOAD!r}\n{stages}\n.ends my_ring\n"
    )
    corners = "".join(
        f"[corners.{name}]\nvtn = {off.threshold * NMOS.parameters['vto']!r}\n"
        f"VTP = {off.threshold * PMOS.parameters['vto']!r}\n"
        f'kn = "{off.transconductance * NMOS.parameters["kp"] * 1e6!r}u"\n'
        f"kp = {off.transconductance * PMOS.parameters['kp']!r}\nspread = {off.capacitance!r}\n"
        for name in ("slow", "fast")
        for off in [CORNERS[name]]
    )
    path = folder / "ring.toml"
    path.write_text(
        'name = "my_ring"\nspice = "ring.cir"\nsubcircuit = "my_ring"\n'
        'ports = ["n1", "n2", "n3", "n4", "n5", "vdd"]\noutput = "n1"\ninjections = ["n1"]\nshil = "n1"\n'
        "period_guess = 7e-9\n[supplies]\nvdd = 1.0\n[start]\nn1 = 1.0\nn2 = 0.0\nn3 = 1.0\nn4 = 0.0\nn5 = 1.0\n"
        f'{corners}[detuning]\nparameter = "LOAD"\n'
    )
    return path
