"""Reads netlists back, in SPICE and in Spectre's language, as far as our dialects write them.

Written from the languages' side, not from the writers': a text becomes a ``Netlist`` of words, ``flat`` expands it to
primitives by path, with every expression evaluated; ``flat_design`` does the same with a design, by SymPy. Behavioural
currents are compared by their values at voltages and sensed currents of both signs, which each name decides.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import sympy as sp

from device_models.elements import (
    TIME,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Dc,
    Element,
    Inductor,
    Mosfet,
    RawBlock,
    Resistor,
    Sine,
    Source,
    Transconductance,
)
from device_models.printers.spice import full_name
from netlists.design import AverageCurrent, Design, Frequency

# --- expressions -----------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:e[-+]?\d+)?|\.\d+)|(\$?[a-z_]\w*)|(\"[^\"]*\")|(<=|>=|\*\*|[-+*/()?:<>,{}^]))",
    re.IGNORECASE,
)
_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
    "exp": math.exp, "ln": math.log, "abs": abs, "sqrt": math.sqrt, "asin": math.asin, "acos": math.acos,
    "atan": math.atan, "sgn": lambda x: (x > 0) - (x < 0),
}  # fmt: skip


class Evaluator:
    """Evaluates one expression. Powers are refused: what they mean at negative arguments differs by simulator.

    In ngspice's B sources a parameter in braces is put in as text: a negative one right behind a minus sign would
    read ``--0.3``, and is refused too.
    """

    def __init__(
        self, text: str, names: Mapping[str, float], volts: Callable[[str], float] | None = None,
        amperes: Callable[[str], float] | None = None,
    ) -> None:  # fmt: skip
        self.tokens: list[str] = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise ValueError(f"can't read {text[place:]!r} of {text!r}")
            self.tokens.append(found.group(0).strip().lower())
            place = found.end()
        self.place, self.names, self.volts, self.amperes, self.text = 0, names, volts, amperes, text

    def value(self) -> float:
        result = self.ternary()
        if self.place != len(self.tokens):
            raise ValueError(f"left over after {self.tokens[: self.place]} in {self.text!r}")
        return result

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, wanted: str | None = None) -> str:
        token = self.peek()
        if wanted is not None and token != wanted:
            raise ValueError(f"expected {wanted!r} where {token!r} stands in {self.text!r}")
        self.place += 1
        return token

    def ternary(self) -> float:
        condition = self.comparison()
        if self.peek() != "?":
            return condition
        self.take()
        first = self.ternary()
        self.take(":")
        second = self.ternary()
        return first if condition else second

    def comparison(self) -> float:
        left = self.sum()
        if self.peek() in ("<", "<=", ">", ">="):
            sign = self.take()
            right = self.sum()
            return float(
                {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]
            )
        return left

    def sum(self) -> float:
        value = self.product()
        while self.peek() in ("+", "-"):
            minus = self.take() == "-"
            value = value - self.behind_minus() if minus else value + self.product()
        return value

    def behind_minus(self) -> float:
        braces = self.peek() == "{"
        start = self.place
        value = self.product()
        if braces and self.names.get(self.tokens[start + 1], 0.0) < 0:
            raise ValueError(f"a negative number right behind a minus sign in {self.text!r}")
        return value

    def product(self) -> float:
        value = self.factor()
        while self.peek() in ("*", "/"):
            value = value * self.factor() if self.take() == "*" else value / self.factor()
        if self.peek() in ("**", "^"):
            raise ValueError(f"a power in {self.text!r}")
        return value

    def factor(self) -> float:
        if self.peek() == "-":
            self.take()
            if self.peek() in ("-", "+"):
                raise ValueError(f"two signs in a row in {self.text!r}")
            if self.peek() == "{" and self.names.get(self.tokens[self.place + 1], 0.0) < 0:
                raise ValueError(f"a negative number right behind a minus sign in {self.text!r}")
            return -self.factor()
        token = self.take()
        if token in ("(", "{"):
            value = self.ternary()
            self.take({"(": ")", "{": "}"}[token])
            return value
        if re.match(r"[\d.]", token):
            return float(token)
        if self.peek() == "(" and token == "v" and self.volts is not None:
            self.take()
            high, low = self.take(), "0"
            if self.peek() == ",":
                self.take()
                low = self.take()
            self.take(")")
            return self.volts(high) - self.volts(low)
        if self.peek() == "(" and token == "i" and self.amperes is not None:
            self.take()
            source = self.take()
            self.take(")")
            # Spectre's name of the current into a source's first port
            return self.amperes(source[1:-1].removesuffix(":1") if source.endswith(':1"') else source)
        if self.peek() == "(":
            self.take()
            argument = self.ternary()
            self.take(")")
            return float(_FUNCTIONS[token](argument))
        if token == "pi" and token not in self.names:
            return math.pi
        return self.names[token]


def evaluate(text: str, names: Mapping[str, float]) -> float:
    """A value: a number, or an expression in braces or parentheses."""
    try:
        return float(text)
    except ValueError:
        return Evaluator(text, names).value()


# --- a netlist as words ----------------------------------------------------------------------------------


@dataclass
class Line:
    """An element: kind is SPICE's letter; ``words`` by what they are."""

    name: str
    kind: str
    nodes: tuple[str, ...]
    words: dict[str, str | list[str]] = field(default_factory=dict)


@dataclass
class Part:
    """A subcircuit, or the bench."""

    ports: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)


@dataclass
class Netlist:
    """What a text says; names in lower case, calls with their ``x``, paths with dots."""

    parameters: dict[str, float] = field(default_factory=dict)
    models: dict[str, dict[str, str]] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    bench: Part = field(default_factory=Part)
    initial: dict[str, float] = field(default_factory=dict)
    saved: set[str] = field(default_factory=set)
    measured: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stop: float = 0.0
    at_rest: bool = False  # an operating point is asked for
    step: float = 0.0
    tolerances: dict[str, str] = field(default_factory=dict)


def words_of(line: str) -> list[str]:
    """Words apart by blanks, but for those within brackets of any kind or quotes; none around an equals sign."""
    line = re.sub(r"\s*=\s*", "=", line)
    words, word, depth, quoted = [], "", 0, False
    for character in line:
        quoted ^= character == "'"
        depth += (character in "({[") - (character in ")}]")
        if character.isspace() and depth == 0 and not quoted:
            words.append(word)
            word = ""
        else:
            word += character
    return [w for w in [*words, word] if w]


def pairs_of(words: list[str]) -> dict[str, str]:
    return {key.lower(): value for key, _, value in (word.partition("=") for word in words)}


def read_spice(files: Mapping[str, str], bench: str) -> Netlist:
    """ngspice's or Xyce's files."""
    netlist = Netlist()
    _read_spice(list(_spice_lines(files, files[bench])), netlist)
    return netlist


def _spice_lines(files: Mapping[str, str], text: str) -> Iterator[str]:
    joined = re.sub(r"\n\+", " ", text)
    for line in joined.splitlines():
        if not line.strip() or line.startswith("*"):
            continue
        include = re.fullmatch(r'\.include "(.*)"', line)
        if include and include.group(1) in files:
            yield from _spice_lines(files, files[include.group(1)])
        else:
            yield line


def _read_spice(lines: list[str], netlist: Netlist) -> None:
    part = netlist.bench
    for line in lines:
        words = words_of(line)
        card = words[0].lower()
        if card == ".param":
            netlist.parameters |= {k: float(v) for k, v in pairs_of(words[1:]).items()}
        elif card == ".model":
            netlist.models[words[1].lower()] = {"type": words[2][0], **pairs_of(words[3:])}
            netlist.models[words[1].lower()].pop("level")
        elif card == ".subckt":
            plain = [w.lower() for w in words[1:] if "=" not in w]
            part = Part(tuple(plain[1:]), pairs_of([w for w in words[1:] if "=" in w]))
            netlist.parts[plain[0]] = part
        elif card == ".ends":
            part = netlist.bench
        elif card == ".ic":
            path, value = re.fullmatch(r"v\((.*)\)=(.*)", words[1]).groups()
            netlist.initial[_spice_path(path)] = float(value)
        elif card in (".save", ".print"):
            netlist.saved |= {_spice_path(w).lower() for w in words[1:] if w not in ("tran", "dc")}
        elif card in (".meas", ".measure"):
            netlist.measured[words[2]] = tuple(_spice_path(w.lower()) for w in words[3:])
        elif card == ".tran":
            netlist.step, netlist.stop = float(words[1]), float(words[2])
            assert [w.lower() for w in words[3:]] == ["0", words[1], "uic"]
        elif card == ".op":
            assert len(words) == 1
            netlist.at_rest = True
        elif card in (".options", ".option"):
            netlist.tolerances |= pairs_of(words[1:])
        elif card == ".end":
            pass
        elif card.startswith("."):
            raise ValueError(f"an unknown card: {line}")
        else:
            part.lines.append(_spice_element(words))


def _spice_path(path: str) -> str:
    return path.lower().replace(":", ".")


def _spice_element(words: list[str]) -> Line:
    name, kind, rest = words[0].lower(), words[0][0].upper(), words[1:]
    low = [w.lower() for w in rest]
    if kind == "X":
        plain = [w for w in low if "=" not in w]
        return Line(
            name,
            kind,
            tuple(plain[:-1]),
            {"block": plain[-1], **pairs_of([w for w in rest if "=" in w])},
        )
    if kind == "M":
        return Line(name, kind, tuple(low[:4]), {"model": low[4], **pairs_of(rest[5:])})
    nodes, rest = tuple(low[:2]), rest[2:]
    if kind in "RCL":
        return Line(name, kind, nodes, {"value": rest[0], **pairs_of(rest[1:])})
    if kind == "G":
        return Line(name, kind, nodes, {"controls": [w.lower() for w in rest[:2]], "value": rest[2]})
    if kind == "B":
        key, _, text = " ".join(rest).partition("=")
        assert key == "I"
        return Line(name, kind, nodes, {"current": text})
    assert kind in "VI"
    shape = re.fullmatch(r"(DC|SIN|PWL)\s*\(?(.*?)\)?", " ".join(rest))
    numbers = words_of(shape.group(2))
    if shape.group(1) == "SIN":
        numbers = [*numbers[:3], numbers[5] if len(numbers) == 6 else "0"]
    return Line(name, kind, nodes, {"shape": shape.group(1).lower(), "numbers": numbers})


def read_spectre(files: Mapping[str, str], bench: str) -> Netlist:
    """Spectre's files, the parts in SPICE included."""
    netlist = Netlist()
    spice: list[str] | None = None
    part = netlist.bench
    for line in _spectre_lines(files, files[bench]):
        words = words_of(line)
        if words[0] == "simulator":
            if spice is not None:
                _read_spice(list(_spice_lines({}, "\n".join(spice))), netlist)
            spice = [] if words[1] == "lang=spice" else None
        elif spice is not None:
            spice.append(line)
        elif words[0] == "subckt":
            part = Part(tuple(words[2].strip("()").split()))
            netlist.parts[words[1]] = part
        elif words[0] == "parameters" and part is netlist.bench:
            netlist.parameters |= {k: float(v) for k, v in pairs_of(words[1:]).items()}
        elif words[0] == "parameters":
            part.parameters |= pairs_of(words[1:])
        elif words[0] == "ends":
            part = netlist.bench
        elif words[0] == "model":
            netlist.models[words[1]] = {"type": pairs_of(words[3:]).pop("type"), **pairs_of(words[3:])}
            assert words[2] == "mos1"
        elif words[0] == "ic":
            netlist.initial |= {k: float(v) for k, v in pairs_of(words[1:]).items()}
        elif words[0] == "save":
            netlist.saved |= {f"v({w})" if ":" not in w else f"i({w.removesuffix(':p')})" for w in words[1:]}
        elif words[1] == "options":
            netlist.tolerances |= pairs_of(words[2:])
        elif words[1] == "tran":
            found = pairs_of(words[2:])
            netlist.stop, netlist.step = float(found["stop"]), float(found["maxstep"])
            assert (found["ic"], found["skipdc"]) == ("all", "yes")
        elif words[1:] == ["dc"]:
            netlist.at_rest = True
        else:
            part.lines.append(_spectre_element(words))
    assert spice is None
    return netlist


def _spectre_lines(files: Mapping[str, str], text: str) -> Iterator[str]:
    for line in re.sub(r" \\\n", " ", text).splitlines():
        if not line.strip() or line.startswith("//"):
            continue
        assert not line.endswith("\\")
        include = re.fullmatch(r'include "(.*)"', line)
        if include:
            yield from _spectre_lines(files, files[include.group(1)])
        else:
            yield line


_SPECTRE_KINDS = {
    "resistor": ("R", "r"), "capacitor": ("C", "c"), "inductor": ("L", "l"), "vccs": ("G", "gm"), "bsource": ("B", "i"),
    "vsource": ("V", ""), "isource": ("I", ""),
}  # fmt: skip


def _spectre_element(words: list[str]) -> Line:
    name, nodes, master, found = words[0], tuple(words[1].strip("()").split()), words[2], pairs_of(words[3:])
    assert name == name.lower()
    if master not in _SPECTRE_KINDS:
        if name[0] == "m":
            return Line(name, "M", nodes, {"model": master, **found})
        return Line(name, "X", nodes, {"block": master, **found})
    kind, key = _SPECTRE_KINDS[master]
    if kind == "G":
        return Line(name, kind, nodes[:2], {"controls": list(nodes[2:]), "value": found["gm"]})
    if kind == "B":
        return Line(name, kind, nodes, {"current": found["i"]})
    if kind in "RCL":
        return Line(name, kind, nodes, {"value": found.pop(key), **found})
    shape = {"sine": "sin"}.get(found["type"], found["type"])
    numbers = {
        "dc": lambda: [found["dc"]],
        "sin": lambda: [found[key] for key in ("sinedc", "ampl", "freq", "sinephase")],
        "pwl": lambda: words_of(found["wave"][1:-1]),
    }[shape]()
    return Line(name, kind, nodes, {"shape": shape, "numbers": numbers})


# --- the same circuit, flat ------------------------------------------------------------------------------

Primitive = tuple[str, tuple[str, ...], tuple[str, ...], tuple[float, ...]]
TIMES = (0.0, 0.9e-6, 1.1e-6, 2.5e-6)


def volts(node: str, turn: int) -> float:
    """A voltage between −3 and 3 that a node's flat name decides; ground has none."""
    return 0.0 if node == "0" else zlib.crc32(f"{turn} {node}".encode()) / 2**32 * 6 - 3


def amperes(source: str, turn: int) -> float:
    """The same for the current through a source."""
    return volts(f"i {source}", turn)


def flat(netlist: Netlist) -> dict[str, Primitive]:
    """By path: kind, flat nodes, words (model, shape), numbers."""
    found: dict[str, Primitive] = {}
    _flatten(netlist, netlist.bench, "", {}, dict(netlist.parameters), found)
    return found


def _flatten(
    netlist: Netlist,
    part: Part,
    path: str,
    ports: Mapping[str, str],
    names: Mapping[str, float],
    found: dict[str, Primitive],
) -> None:
    def outer(node: str) -> str:
        return "0" if node == "0" else ports.get(node, path + node)

    def voltage_source(name: str) -> str:
        assert (name, "V") in {(line.name, line.kind) for line in part.lines}
        return path + name

    for line in part.lines:
        key = path + line.name
        assert key not in found
        nodes = tuple(map(outer, line.nodes))
        if line.kind == "X":
            inside = netlist.parts[line.words["block"]]
            given = {k: evaluate(v, names) for k, v in line.words.items() if k != "block"}
            assert set(given) <= set(inside.parameters)
            assert len(nodes) == len(inside.ports)
            own = dict(netlist.parameters)
            for name, text in inside.parameters.items():
                own[name] = given[name] if name in given else evaluate(text, own)
            _flatten(netlist, inside, f"{key}.", dict(zip(inside.ports, nodes, strict=True)), own, found)
            continue
        said: tuple[str, ...] = ()
        numbers: tuple[float, ...]
        if line.kind == "B":
            numbers = tuple(
                Evaluator(
                    line.words["current"],
                    {**names, "time": t, "$time": t},
                    lambda node, turn=turn: volts(outer(node), turn),
                    lambda source, turn=turn: amperes(voltage_source(source), turn),
                ).value()
                for turn, t in enumerate(TIMES)
            )
        elif line.kind == "M":
            said = (line.words["model"],)
            numbers = tuple(evaluate(line.words[k], names) for k in ("w", "l"))
        elif line.kind in "VI":
            said = (line.words["shape"],)
            numbers = tuple(evaluate(w, names) for w in line.words["numbers"])
        else:
            said = tuple(map(outer, line.words.get("controls", ())))
            numbers = tuple(evaluate(line.words[k], names) for k in ("value", "ic") if k in line.words)
        found[key] = (line.kind, nodes, said, numbers)


def flat_design(design: Design) -> dict[str, Primitive]:
    """The same of a design, with SymPy's numbers. A block in SPICE is read as such."""
    netlist = Netlist(parameters={p.name.lower(): p.value for p in design.parameters})
    blocks = {}
    for block in design.blocks:
        if isinstance(block, RawBlock):
            _read_spice(list(_spice_lines({}, block.text)), netlist)
        else:
            blocks[block.name] = block
    found: dict[str, Primitive] = {}

    def number(value: float | sp.Expr, names: Mapping[str, float]) -> float:
        if not isinstance(value, sp.Basic):
            return float(value)
        return float(value.subs({s: sp.Float(names[s.name.lower()], 30) for s in value.free_symbols}))

    def expand(
        elements: tuple[Element, ...], path: str, ports: Mapping[str, str], names: Mapping[str, float]
    ) -> None:
        def outer(node: str) -> str:
            return "0" if node == "0" else ports.get(node.lower(), path + node.lower())

        for element in elements:
            key = path + full_name(element).lower()
            nodes = tuple(map(outer, element.nodes))
            match element:
                case Call(block=name, parameters=parameters):
                    given = {k.lower(): number(v, names) for k, v in parameters.items()}
                    own = {p.name.lower(): p.value for p in design.parameters}
                    if name not in blocks:
                        inside = netlist.parts[name.lower()]
                        own |= {k: given.get(k) or evaluate(v, own) for k, v in inside.parameters.items()}
                        wires = dict(zip(inside.ports, nodes, strict=True))
                        _flatten(netlist, inside, f"{key}.", wires, own, found)
                        continue
                    block: Block = blocks[name]
                    for k, v in block.parameters.items():
                        own[k.lower()] = given[k.lower()] if k.lower() in given else number(v, own)
                    wires = dict(zip(map(str.lower, block.ports), nodes, strict=True))
                    expand(block.elements, f"{key}.", wires, own)
                case Behavioural(current=current, controls=controls, where=where, sensed=sensed):
                    full = current.subs(where)
                    values = []
                    for turn, t in enumerate(TIMES):
                        known = {
                            s: volts(outer(a), turn) - volts(outer(b), turn) for s, (a, b) in controls.items()
                        }
                        known |= {s: amperes(f"{path}v{name}".lower(), turn) for s, name in sensed.items()}
                        known |= {s: names[s.name.lower()] for s in full.free_symbols - known.keys() - {TIME}}
                        values.append(float(full.subs({TIME: t}).subs(known)))
                    found[key] = ("B", nodes, (), tuple(values))
                case Resistor(value=value):
                    found[key] = ("R", nodes, (), (number(value, names),))
                case Capacitor(value=value, initial=initial) | Inductor(value=value, initial=initial):
                    both = (value,) if initial is None else (value, initial)
                    kind = full_name(element)[0]
                    found[key] = (kind, nodes, (), tuple(number(v, names) for v in both))
                case Transconductance(controls=pair, value=value):
                    found[key] = ("G", nodes, tuple(map(outer, pair)), (number(value, names),))
                case Mosfet(model=model, width=width, length=length):
                    found[key] = ("M", nodes, (model.lower(),), (number(width, names), number(length, names)))
                case Source(waveform=Dc(value=value)):
                    found[key] = (full_name(element)[0], nodes, ("dc",), (number(value, names),))
                case Source(waveform=Sine(offset=a, amplitude=b, frequency=c, phase=d)):
                    shape = (*(number(v, names) for v in (a, b, c)), math.degrees(number(d, names)))
                    found[key] = (full_name(element)[0], nodes, ("sin",), shape)
                case Source(waveform=waveform):
                    corners = tuple(number(v, names) for point in waveform.points for v in point)
                    found[key] = (full_name(element)[0], nodes, ("pwl",), corners)

    expand(design.bench, "", {}, netlist.parameters)
    return found


def outer_path(path: str) -> str:
    """A design's path as netlists have it."""
    *calls, node = path.lower().split(".")
    return ".".join([*(f"x{call}" for call in calls), node])


def asked_currents(design: Design) -> set[str]:
    measured = [m.source for m in design.measurements if isinstance(m, AverageCurrent)]
    return {f"i(v{name})".lower() for name in (*design.currents, *measured)}


def asked_nodes(design: Design) -> set[str]:
    measured = [m.node for m in design.measurements if isinstance(m, Frequency)]
    return {f"v({outer_path(node)})" for node in (*design.saved, *measured)}
