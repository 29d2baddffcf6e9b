"""Simulators for the tests: the default ngspice, and a second one where the environment names it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

from emulator.compiled import BuildFailed, compiler
from emulator.devices import takes_compiled
from emulator.ngspice import capabilities
from emulator.simulator import Simulator

SECOND_LIBRARY = "AIS_TEST_SECOND_NGSPICE"

# A change is judged by the same examples whenever it is; everybody's own runs search on with new ones
hypothesis.settings.register_profile("ci", derandomize=True, database=None, print_blob=True)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A worker with the ngspice library that runs take by default."""
    with Simulator() as started:
        yield started


@pytest.fixture(scope="module", params=["default", "second"])
def any_simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A worker with each ngspice library in turn."""
    library = os.environ.get(SECOND_LIBRARY) if request.param == "second" else None
    if request.param == "second" and not library:
        pytest.skip(f"{SECOND_LIBRARY} names no second ngspice library")
    with Simulator(library) as started:
        yield started


@pytest.fixture(scope="module")
def compiling(simulator: Simulator) -> Simulator:
    """The default worker, if its ngspice takes compiled devices and there is a compiler to build them."""
    ability = simulator.call(capabilities)
    if not takes_compiled(ability):
        pytest.skip(f"ngspice {ability.version} takes no compiled devices")
    try:
        compiler()
    except BuildFailed as error:
        pytest.skip(str(error))
    return simulator
