"""The commands and code of the README and of docs/ run, as printed, and their links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import resistive_network
from pydantic import BaseModel
from substrates import activations_file

from netlists.cell_file import CellEntry, CouplerEntry, DetuningEntry
from netlists.network_file import Substrate, write_network

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
TEXT = "".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)


def commands() -> list[str]:
    """Every line of the shell blocks that calls ``ais``."""
    lines = [
        line.split("  #")[0].strip() for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()
    ]
    return [line for line in lines if line.startswith("ais ")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples where the README's commands run one after another."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


def test_there_is_something_to_run() -> None:
    assert len(commands()) >= 4
    assert any(kind == "python" for kind, _ in BLOCKS)


def network_commands() -> list[str]:
    """Those of the text blocks that make a substrate and run it, which needs activations that the user brings."""
    lines = [line.strip() for kind, text in BLOCKS if kind == "text" for line in text.splitlines()]
    return [
        line for line in lines if line.startswith("ais ") and re.search(r"substrate\.h5|gaussian\.h5", line)
    ]


@pytest.mark.parametrize("entry", [CellEntry, CouplerEntry, DetuningEntry])
def test_every_key_of_a_cell_is_explained(entry: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "levels.md").read_text(encoding="utf-8")
    section = page.split("## A cell of your own")[1]
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]*`|```.*?```", section, flags=re.DOTALL))))
    assert set(entry.model_fields) <= words


def test_network_commands_run(tmp_path: Path) -> None:
    """On 12 + 12 nodes of a network that never was."""
    activations_file(tmp_path / "activations.h5")
    gaussian = replace(resistive_network(3), bias=np.zeros(3))
    write_network(tmp_path / "gaussian.h5", Substrate(gaussian))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    asked = network_commands()
    assert {word for line in asked for word in line.split()[1:3]} >= {
        "build",
        "audit",
        "spu",
        "compile",
        "run",
    }
    for command in asked:
        small = command.replace("--dim 64 --rank 16", "--dim 12 --rank 6").replace(
            "--samples 8", "--samples 2"
        )
        done = subprocess.run(
            shlex.split(small), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{small}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_every_page_can_be_found() -> None:
    """From the README, directly or by a page that it links to."""
    found, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        found.add(page)
        links = re.findall(r"\]\(([^)#]+\.md)", page.read_text(encoding="utf-8"))
        left += [there for link in links if (there := (page.parent / link).resolve()) not in found]
    assert set(PAGES) <= found


def test_make_targets_exist() -> None:
    asked = {
        word
        for kind, text in BLOCKS
        if kind == "bash"
        for word in re.findall(r"^make (\w+)", text, re.MULTILINE)
    }
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= asked <= targets


def test_shell_commands_and_python_run(workplace: Path) -> None:
    """In the README's order, since later commands look at what earlier ones made."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands():
        # two samples show the same as the eight of the README, in a quarter of the time
        words = shlex.split(re.sub(r"--samples \d+", "--samples 2", command))
        done = subprocess.run(
            words, cwd=workplace, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    for number, code in enumerate(text for kind, text in BLOCKS if kind == "python"):
        script = workplace / f"block{number}.py"
        script.write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(script)],
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
