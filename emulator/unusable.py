"""Bad input of a command: whatever refuses it, one clear message and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from emulator.campaign.engines import ClusterError
from emulator.campaign.file import CampaignError
from emulator.cell_runs import CellFault
from emulator.claimed import FolderError
from emulator.console import UNUSABLE, stop, weights_problems
from emulator.devices import DevicesError
from emulator.inspection import InspectError
from emulator.netlist_files import NetlistError
from emulator.ngspice import NgspiceUnavailable
from emulator.sides import CompareError
from emulator.thermo.options import OPTION_OF
from netlists.as_built import NonIdealityError
from netlists.cell_file import CellFileError
from netlists.lc_design import LcDesignFailed
from netlists.noise import NoiseError
from netlists.sizing import SizingError
from netlists.weights import WeightsError

_UNUSABLE_INPUT = (
    FolderError, NgspiceUnavailable, DevicesError, InspectError, CellFault, CellFileError, SizingError, LcDesignFailed,
    NetlistError, NonIdealityError, CompareError, NoiseError, CampaignError, ClusterError,
)  # fmt: skip


@contextmanager
def unusable_input() -> Iterator[None]:
    """Bad input ends a command with one clear message instead of a traceback."""
    try:
        yield
    except WeightsError as error:
        stop(UNUSABLE, weights_problems(error))
    except _UNUSABLE_INPUT as error:
        stop(UNUSABLE, str(error))
    except ValidationError as error:
        said = [
            f"{_option(e['loc'])}: {e['msg'].removeprefix('Value error, ')}, received {e['input']!r}"
            for e in error.errors()
        ]
        stop(UNUSABLE, "; ".join(said))


def _option(place: tuple[str | int, ...]) -> str:
    """The option that sets what a validation complains of."""
    name = str(place[-1]) if place else "settings"
    # the weights have bits too, and theirs are called so
    others = {"time_limit_s": "time-limit", **OPTION_OF} | (
        {} if "non_idealities" in place else {"bits": "adc-bits"}
    )
    return "--" + others.get(name, name.replace("_", "-"))
