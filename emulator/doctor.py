"""What this machine has for circuit simulation, and what is lost without each piece."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

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
    try:
        with Simulator() as simulator:
            ability = find_capabilities(simulator)
    except NgspiceUnavailable as error:
        findings.append(Finding("ngspice library", "broken", "none", str(error)))
    else:
        findings += _of_library(ability)
    findings.append(_compiler())
    return findings


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


def _compiler() -> Finding:
    """The C compiler that compiled devices will be built with: CC, cc, gcc or clang."""
    for name in filter(None, [os.environ.get("CC"), "cc", "gcc", "clang"]):
        path = shutil.which(name.split()[0])
        if path:
            answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            return Finding("C compiler", "ok", (answer.stdout.splitlines() or [path])[0], "")
    return Finding(
        "C compiler", "lost", "none", "not used yet: compiled devices will need one (install gcc or clang)"
    )
