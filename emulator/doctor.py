"""What this machine has for circuit simulation, and what is lost without each piece."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from emulator.compiled import BuildFailed, build, compiler
from emulator.devices import most_neighbours, takes_compiled
from emulator.ngspice import HOW_TO_GET_46, LIBRARY_VARIABLE, Capabilities, NgspiceUnavailable, capabilities
from emulator.simulator import Simulator, WorkerDied, WorkerTimeout


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table. ``state`` is ``ok``, ``lost`` (works without) or ``broken``."""

    what: str
    state: str
    found: str
    advice: str


def find_capabilities(simulator: Simulator) -> Capabilities:
    """Asks the ngspice library in a simulator's process, so that a bad library can't take ours down.

    Raises:
        NgspiceUnavailable: no library, or one that does not load or answer.
    """
    try:
        return simulator.call(capabilities, limit_s=60)
    except WorkerDied as death:
        what = f"loading it ended the process: {death}"
    except WorkerTimeout:
        what = "loading it took more than a minute"
    named = os.environ.get(LIBRARY_VARIABLE)
    where = f"{named}, named by {LIBRARY_VARIABLE}," if named else "found"
    raise NgspiceUnavailable(f"the ngspice library {where} can't be used: {what}. {HOW_TO_GET_46}")


def examine() -> list[Finding]:
    """Everything `ais doctor` tells."""
    program = shutil.which("ngspice")
    findings = [
        Finding("ngspice program", "ok", program, "")
        if program
        else Finding("ngspice program", "lost", "none", "only needed to run written netlists by hand")
    ]
    ability = None
    try:
        with Simulator() as simulator:
            ability = find_capabilities(simulator)
        findings += _of_library(ability)
    except NgspiceUnavailable as error:
        findings.append(Finding("ngspice library", "broken", "none", str(error)))
    return findings + _devices(ability)


def warnings(ability: Capabilities) -> list[str]:
    """What a run should be told before it starts; empty with a full ngspice."""
    if ability.klu and ability.osdi:
        return []
    lost = [
        text
        for there, text in [
            (ability.klu, "no KLU (the matrix takes about five times as long)"),
            (ability.osdi, "no OSDI (no compiled devices)"),
        ]
        if not there
    ]
    return [f"ngspice {ability.version} has {' and '.join(lost)}; results are the same. {HOW_TO_GET_46}"]


def _of_library(ability: Capabilities) -> list[Finding]:
    version = str(ability.version)
    return [
        Finding("ngspice library", "ok", f"{version}, {ability.library}", ""),
        Finding("KLU", "ok", "yes", "")
        if ability.klu
        else Finding("KLU", "lost", "no", f"factorisation takes about five times as long. {HOW_TO_GET_46}"),
        Finding("OSDI", "ok", "yes", "")
        if ability.osdi
        else Finding("OSDI", "lost", "no", f"no compiled devices, behavioural ones only. {HOW_TO_GET_46}"),
    ]


def _devices(ability: Capabilities | None) -> list[Finding]:
    """The C compiler, and which devices ``auto`` takes."""
    try:
        command = compiler()
        build("int ais_probe = 1;\n")  # the compiler may be there and not work, and so may the cache folder
        answer = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
        found = [Finding("C compiler", "ok", (answer.stdout.splitlines() or command)[0], "")]
    except (BuildFailed, OSError) as error:
        found = [
            Finding("C compiler", "lost", "none", f"no compiled devices, behavioural ones only. {error}")
        ]
    if ability is not None:
        found.append(devices_taken(ability, compiler_works=found[0].state == "ok"))
    return found


def devices_taken(ability: Capabilities, *, compiler_works: bool) -> Finding:
    """What ``--devices auto`` comes to here."""
    what, slow = "devices taken by auto", "a sample takes tens of times as long"
    if not (compiler_works and takes_compiled(ability)):
        return Finding(what, "lost", "behavioural", slow)
    most = most_neighbours(ability)
    if most is None:
        return Finding(what, "ok", "compiled", "")
    taken = f"compiled up to {most} neighbours a node, else behavioural"
    return Finding(what, "lost", taken, f"beyond {most}, {slow}. {HOW_TO_GET_46}")
