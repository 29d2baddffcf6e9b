"""Prints a cell model as the C source of a compiled device (OSDI 0.4): a descriptor a number of neighbours.

The equations come from SymPy here, with their derivatives; what every cell shares (what an instance holds,
what it stamps, how all cells are evaluated in one sweep) is written in C beside this file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import sympy as sp
from sympy.printing.c import C99CodePrinter

from device_models.model import CellModel, Parameter

Jacobian = Literal["own", "full"]
JACOBIANS: tuple[Jacobian, ...] = ("own", "full")
_LARGEST_PRODUCT = 16


@dataclass(frozen=True)
class DeviceLibrary:
    """C source of a library of compiled cells.

    ``tag`` is part of every device type's name, and a hash of all the rest: a simulator takes the first type
    of a name that it loaded, whichever library a netlist meant.
    """

    family: str
    source: str
    tag: str

    def device(self, neighbours: int, jacobian: Jacobian) -> str:
        """Name of the device type: what a ``.model`` card calls it."""
        return f"{self.family}_{jacobian}_{neighbours}_{self.tag}"


# Of the model card, with their units, in the order of osdi_noise.c
NOISE_PARAMETERS = {
    "noise": "state units per model time unit",
    "noise_step": "s",
    "longest_step": "s",
    **dict.fromkeys(("seed_low", "seed_high", "sample_low", "sample_high"), "1"),
}
NOISE_NODE = "node"  # of an instance: the number by which the noise's generator knows it


def cell_parameter_names(parameter: Parameter, chunks: int) -> list[str]:
    """Names of a cell parameter's values, one a chunk where it may change."""
    if parameter.scope == "node":
        return [parameter.name]
    return [f"{parameter.name}_{chunk}" for chunk in range(1, chunks + 1)]


def weights_name(chunk: int) -> str:
    """Name of a chunk's weights (chunks count from 1): one text, numbers in the order of the terminals."""
    return f"k_{chunk}"


def model_parameter_names(model: CellModel, chunks: int, *, noise: bool = False) -> list[str]:
    """Names of what all cells share: ``g`` (S), ``c`` (F), the carrier's ``w`` (rad/s) where there is one, when
    each chunk but the last ends (s), and the noise's."""
    carrier = ["w"] if model.carrier is not None else []
    switches = (f"switch_{chunk}" for chunk in range(1, chunks))
    return ["g", "c", *carrier, *switches, *(NOISE_PARAMETERS if noise else ())]


class _CPrinter(C99CodePrinter):  # type: ignore[misc]
    """C with integer powers as products, as ``pow`` is slow. What C has no name for is refused."""

    def _print_Pow(self, expr: sp.Pow) -> str:
        base, exponent = expr.args
        if exponent.is_Integer and 2 <= abs(int(exponent)) <= _LARGEST_PRODUCT:
            product = "*".join([f"({self._print(base)})"] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(1.0/({product}))"
        return str(super()._print_Pow(expr))

    def _print_not_supported(self, expr: sp.Basic) -> str:
        raise ValueError(f"cannot print {type(expr).__name__} in C: {expr}")

    emptyPrinter = _print_not_supported


def osdi_library(
    model: CellModel, neighbours: Collection[int], chunks: int, *, noise: bool = False
) -> DeviceLibrary:
    """A library with devices for each number of neighbours, with either kind of Jacobian.

    Args:
        model: the cell.
        neighbours: numbers of neighbours that occur, each 0 or more.
        chunks: number of time chunks, 1 or more.
        noise: the cells are driven by white noise (``device_models.noise``), and ask for steps that end on its grid.

    Raises:
        ValueError: an expression of the model has no counterpart in C.
    """
    degrees = sorted(set(neighbours))
    if not degrees or degrees[0] < 0 or chunks < 1:
        raise ValueError(f"need at least one number of neighbours and one chunk, got {degrees} and {chunks}")
    kinds = [(degree, jacobian) for degree in degrees for jacobian in JACOBIANS]
    text = "\n".join([
        _shared("osdi_abi.h"),
        _sizes(model, chunks, noise=noise),
        _equations(model),
        _shared("osdi_noise.c" if noise else "osdi_quiet.c"),
        _shared("osdi_cell.c"),
        _shared("osdi_sweep.c"),
        _nodes_and_entries(model, degrees[-1]),
        _parameters(model, chunks, noise=noise),
        *(f"CELL({degree}, {kind}, {_flag(kind)})" for degree, kind in kinds),
        "Descriptor OSDI_DESCRIPTORS[] = {",
        *(
            f'  DESCRIPTOR({degree}, {kind}, {_flag(kind)}, "{model.family}_{kind}_{degree}_" TAG),'
            for degree, kind in kinds
        ),
        "};",
        f"uint32_t OSDI_VERSION_MAJOR = 0, OSDI_VERSION_MINOR = 4, OSDI_NUM_DESCRIPTORS = {len(kinds)};",
        "uint32_t OSDI_DESCRIPTOR_SIZE = sizeof(Descriptor);",
        "",
    ])  # fmt: skip
    tag = hashlib.sha256(text.encode()).hexdigest()[:10]
    head = f'/* {model.title}. Source: {model.source}. Printed by ais-emulator. */\n#define TAG "{tag}"\n'
    return DeviceLibrary(model.family, head + text, tag)


def _shared(name: str) -> str:
    return (files("device_models.printers") / name).read_text(encoding="utf-8")


def _flag(jacobian: Jacobian) -> str:
    return "true" if jacobian == "full" else "false"


def _sizes(model: CellModel, chunks: int, *, noise: bool) -> str:
    """Sizes, and for each chunk where among an instance's values each cell parameter is."""
    columns, defaults, first = [], [], 0
    for parameter in model.given:
        count = len(cell_parameter_names(parameter, chunks))
        columns.append([first + (chunk if count > 1 else 0) for chunk in range(chunks)])
        defaults += [repr(float(parameter.default))] * count
        first += count
    # an oscillation of 64 points a cycle is extrapolated to 1e-6 by six points, to 1e-4 by four
    past, largest = (6, 64.0) if model.resonator is not None else (4, 16.0)
    noise_at, shared = (len(model_parameter_names(model, chunks, noise=told)) for told in (False, noise))
    rows = [", ".join(str(column[chunk]) for column in columns) or "0" for chunk in range(chunks)]
    return "\n".join([
        f"enum {{ OWN = {len(model.states)}, CHUNKS = {chunks}, FEATURES = {len(model.features)},",
        f"       PARAMETERS = {len(model.given)},",
        f"       INSTANCE_PARAMETERS = {first + noise}, MODEL_PARAMETERS = {shared},",
        f"       CARRIER = {int(model.carrier is not None)}, TIMED = {len(_timed(model))}, PAST = {past},",
        f"       NOISE_AT = {noise_at} }};",
        f"#define LARGEST_WEIGHT {largest}",
        f"static const uint32_t parameter_at[][PARAMETERS + 1] = {{{', '.join(f'{{{r}}}' for r in rows)}}};",
        f"static const double parameter_default[] = {{{', '.join([*defaults, '0'])}}};",
        "",
    ])  # fmt: skip


def _equations(model: CellModel) -> str:
    """The three functions of the mathematics; each takes what is known already and shares what it can."""
    x = model.state.symbol
    names = list(model.features)
    known = {model.features[name]: sp.Symbol(f"features[{k}]", real=True) for k, name in enumerate(names)}
    sums = {model.sums[name]: sp.Symbol(f"sums[{k}]", real=True) for k, name in enumerate(names)}
    given = {p.symbol: sp.Symbol(f"parameters[{k}]", real=True) for k, p in enumerate(model.given)}
    state = {x: sp.Symbol("x", real=True)}
    own = {symbol: sp.Symbol(f"x[{k}]", real=True) for k, symbol in enumerate(model.states)}
    timed = {term: sp.Symbol(f"timed[{k}]", real=True) for k, term in enumerate(_timed(model))}

    def written(expression: sp.Expr) -> sp.Expr:
        """In terms of the own features, which are there anyway, as far as it goes."""
        told = _multiple_angles(expression.xreplace(timed), x, known).subs(known)
        return told.subs({**sums, **given, **own})

    slopes = [sp.diff(model.features[name], x) for name in names]
    by_sum = [sp.diff(model.coupling, model.sums[name]) for name in names]
    angle = {model.carrier.phase: sp.Symbol("theta", real=True)} if model.carrier is not None else {}
    return "\n".join([
        "/* What depends on the time alone, the same for all cells. */",
        *_function(
            "static inline void time_terms(double theta, double *timed)",
            {str(symbol): term.subs(angle) for term, symbol in timed.items()},
        ),
        *_function(
            "static inline void cell_features(double x, double *features)",
            {f"features[{k}]": model.features[name].subs(state) for k, name in enumerate(names)},
        ),
        *_function(
            "static inline void cell_slopes(double x, double *slopes)",
            {f"slopes[{k}]": slope.subs(state) for k, slope in enumerate(slopes)},
        ),
        "/* Of many nodes, a feature after the other, so that each can be computed on several at once. */",
        "static void all_features(uint32_t count, const double *restrict x, double *restrict features) {",
        *(
            line
            for k, name in enumerate(names)
            for line in (
                '  _Pragma("omp simd")',
                f"  for (uint32_t n = 0; n < count; n++) features[(size_t)n * {len(names)} + {k}] = "
                f"{_CPrinter().doprint(model.features[name].subs({x: sp.Symbol('x[n]', real=True)}))};",
            )
        ),
        "}",
        "",
        *(
            f"/* rate of {symbol} = {rate} */"
            for symbol, rate in zip(model.states, model.rates, strict=True)
        ),
        "/* slope[a * OWN + b] is the derivative of rate a by own state b; the sums act on the first rate alone. */",
        *_function(
            "static inline void cell_rate(const double *x, const double *features, const double *sums, "
            "const double *parameters,\n    const double *timed, double *rate, double *slope, double *by_sum)",
            {
                **{f"rate[{a}]": written(rate) for a, rate in enumerate(model.rates)},
                **{
                    f"slope[{a * len(own) + b}]": written(sp.diff(rate, symbol))
                    for a, rate in enumerate(model.rates)
                    for b, symbol in enumerate(model.states)
                },
                **{f"by_sum[{k}]": written(derivative) for k, derivative in enumerate(by_sum)},
            },
        ),
    ])  # fmt: skip


def _timed(model: CellModel) -> list[sp.Expr]:
    """Functions of the carrier's phase and of nothing else, such as cos(2θ)."""
    if model.carrier is None:
        return []
    found = (model.self_term + model.coupling).atoms(sp.Function)
    return sorted((term for term in found if term.free_symbols == {model.carrier.phase}), key=str)


def _multiple_angles(expression: sp.Expr, x: sp.Symbol, known: Mapping[sp.Expr, sp.Symbol]) -> sp.Expr:
    """Sines and cosines of multiples of x by those of x, if a node computes both of them anyway."""
    if sp.sin(x) not in known or sp.cos(x) not in known:
        return expression
    return expression.replace(
        lambda e: isinstance(e, sp.sin | sp.cos) and (e.args[0] / x).is_Integer, sp.expand_trig
    )


def _function(head: str, results: Mapping[str, sp.Expr]) -> list[str]:
    """A C function that assigns expressions, common subexpressions first."""
    printer = _CPrinter()
    numbered = sp.numbered_symbols("t", real=True)
    shared, reduced = sp.cse(list(results.values()), symbols=numbered)
    arguments = head[head.index("(") + 1 : head.rindex(")")].replace("const ", "").replace("*", "").split(",")
    return [
        head + " {",
        "  " + ", ".join(f"(void){argument.split()[-1]}" for argument in arguments) + ";",
        *(f"  const double {printer.doprint(name)} = {printer.doprint(value)};" for name, value in shared),
        *(f"  {target} = {printer.doprint(value)};" for target, value in zip(results, reduced, strict=True)),
        "}",
        "",
    ]


def _nodes_and_entries(model: CellModel, largest: int) -> str:
    """Terminals and matrix elements of the largest cell; a smaller one uses the first of them.

    Only own states carry charge; their elements come first, those of the neighbours are resistive.
    """
    terminal = '  {{.name = "{}", .units = "V", .residual_units = "A", {}}},'
    residuals = (
        ".resistive_offset = {}, .reactive_offset = {}, "
        ".resistive_limit_offset = NO_OFFSET, .reactive_limit_offset = NO_OFFSET"
    )
    none = residuals.format("NO_OFFSET", "NO_OFFSET")
    own = range(len(model.states))
    return "\n".join([
        "static Node nodes[] = {",
        *(
            terminal.format(
                symbol,
                residuals.format(f"offsetof(Cell, current[{k}])", f"offsetof(Cell, charge[{k}])"),
            )
            for k, symbol in enumerate(model.states)
        ),
        *(terminal.format(f"n{k}", none) for k in range(1, largest + 1)),
        "};",
        "static JacobianEntry entries[] = {",
        *(
            f"  {{{{{a}, {b}}}, offsetof(Cell, reactive[{a}]), "
            "ENTRY_RESISTIVE | ENTRY_REACTIVE | ENTRY_REACTIVE_CONSTANT},"
            if a == b
            else f"  {{{{{a}, {b}}}, NO_OFFSET, ENTRY_RESISTIVE}},"
            for a in own
            for b in own
        ),
        *(f"  {{{{0, {len(own) + k}}}, NO_OFFSET, ENTRY_RESISTIVE}}," for k in range(largest)),
        "};",
        "",
    ])  # fmt: skip


_SHARED_UNITS = {"g": "S", "c": "F", "w": "rad/s", **NOISE_PARAMETERS}


def _parameters(model: CellModel, chunks: int, *, noise: bool) -> str:
    """The parameter table: an instance's, then the model's. A text for each chunk's weights."""
    rate = f"{model.state.unit} per model time unit"
    number, text = "PARAMETER_REAL | PARAMETER_OF_INSTANCE", "PARAMETER_TEXT | PARAMETER_OF_INSTANCE"
    rows = [("$mfactor", "", "cells in parallel", number)]
    for parameter in model.given:
        rows += [
            (name, parameter.unit, parameter.meaning, number)
            for name in cell_parameter_names(parameter, chunks)
        ]
    rows += [(NOISE_NODE, "1", "number of the node, for its noise", number)] if noise else []
    rows += [(weights_name(k), rate, f"neighbours' weights in chunk {k}", text) for k in range(1, chunks + 1)]
    rows += [
        (name, _SHARED_UNITS.get(name, "s"), "of all cells", "PARAMETER_REAL | PARAMETER_OF_MODEL")
        for name in model_parameter_names(model, chunks, noise=noise)
    ]
    return "\n".join([
        "static Parameter parameters[] = {",
        *(
            f"  {{(char *[]){{{_quoted(name)}}}, 0, {_quoted(meaning)}, {_quoted(unit)}, {flags}, 0}},"
            for name, unit, meaning, flags in rows
        ),
        "};",
    ])  # fmt: skip


def _quoted(text: str) -> str:
    """A C string; the texts are ours, but a quote in one would still end it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
