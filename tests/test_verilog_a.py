"""Verilog-A modules, compiled and evaluated by OpenVAF, against the equations in SymPy."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from device_models.families import FAMILIES, REALISATIONS
from device_models.model import CellModel
from device_models.printers.verilog_a import library, module_name

openvaf_py = pytest.importorskip("openvaf_py", reason="openvaf-py has no wheel for this platform")

NEIGHBOURS, CHUNKS = 3, 2
MODELS = {**FAMILIES, **REALISATIONS}
OMEGA = 1.7  # of a carrier, rad/s
SWITCH = 2.0


def evaluated(model: CellModel, tmp_path, point: dict[str, float]):
    """Residual of the state's equation and its derivatives by port, each (resistive, reactive)."""
    file = tmp_path / f"{model.family}.va"
    file.write_text(library(model, [NEIGHBOURS], CHUNKS))
    (module,) = openvaf_py.compile_va(str(file))
    assert module.name == module_name(model, NEIGHBOURS)
    missing = set(module.param_names) - set(point) - {"mfactor"}
    # local variables are listed too; they are assigned on every path, so what they are told must not matter
    residuals, jacobian = module.run_init_eval(point | dict.fromkeys(missing, 1e9) | {"mfactor": 1.0})
    assert all(row == 0 for row, *_ in jacobian)
    return residuals[0], {column: (resistive, reactive) for _, column, resistive, reactive in jacobian}


def drawn_point(model: CellModel, generator: np.random.Generator, time: float) -> dict[str, float]:
    """A random value for every port and parameter of the module."""
    own = str(model.state.symbol)
    names = [f"V({own})", *(f"V(in{j})" for j in range(1, NEIGHBOURS + 1)), "ais_c", "ais_g"]
    for p in model.parameters:
        names += [f"{p.name}_{k}" for k in (1, 2)] if p.scope == "node-and-chunk" else [p.name]
    names += [f"k_{j}_{k}" for j in range(1, NEIGHBOURS + 1) for k in range(1, CHUNKS + 1)]
    values = dict(zip(names, generator.normal(0.0, 1.5, len(names)).tolist(), strict=True))
    if model.carrier is not None:
        values["ais_w"] = OMEGA
    # amplitudes and gains are positive, and all that is drawn may be
    values |= {p.name: abs(values[p.name]) + 0.2 for p in model.parameters if p.symbol.is_positive}
    return values | {"$abstime": time, "ais_switch_1": SWITCH}


def rate_in_sympy(model: CellModel) -> tuple[sp.Expr, list[sp.Symbol]]:
    """The cell's whole rate with a symbol for each neighbour's state and weight."""
    others, weights = sp.symbols(f"other1:{NEIGHBOURS + 1}"), sp.symbols(f"w1:{NEIGHBOURS + 1}")
    sums = {
        model.sums[name]: sum(w * f.subs(model.state.symbol, o) for w, o in zip(weights, others, strict=True))
        for name, f in model.features.items()
    }
    return model.self_term + model.coupling.subs(sums), [*others, *weights]


@pytest.mark.parametrize("family", sorted(MODELS))
@pytest.mark.parametrize(("time", "chunk"), [(0.0, 1), (SWITCH, 1), (np.nextafter(SWITCH, 3), 2), (5.0, 2)])
def test_residual_and_jacobian_are_the_equation(family, time, chunk, tmp_path):
    model = MODELS[family]
    rate, symbols = rate_in_sympy(model)
    generator = np.random.default_rng([*family.encode(), chunk])
    point = drawn_point(model, generator, float(time))
    values = {model.state.symbol: point[f"V({model.state.symbol})"]}
    for p in model.parameters:
        values[p.symbol] = point[f"{p.name}_{chunk}" if p.scope == "node-and-chunk" else p.name]
    if model.carrier is not None:
        values[model.carrier.phase] = OMEGA * float(time)
    inputs = [point[f"V(in{j})"] for j in range(1, NEIGHBOURS + 1)]
    weights = [point[f"k_{j}_{chunk}"] for j in range(1, NEIGHBOURS + 1)]
    values |= dict(zip(symbols, [*inputs, *weights], strict=True))

    (resistive, reactive), jacobian = evaluated(model, tmp_path, point)
    assert resistive == pytest.approx(
        -point["ais_g"] * float(rate.evalf(30, subs=values)), rel=1e-12, abs=1e-12
    )
    assert reactive == pytest.approx(point["ais_c"] * values[model.state.symbol], rel=1e-14)
    for column, symbol in enumerate([model.state.symbol, *symbols[:NEIGHBOURS]]):
        slope = -point["ais_g"] * float(sp.diff(rate, symbol).evalf(30, subs=values))
        assert jacobian[column] == pytest.approx(
            (slope, point["ais_c"] * (column == 0)), rel=1e-12, abs=1e-12
        )


def test_other_neighbour_counts_are_modules_of_one_file():
    text = library(FAMILIES["kurashil"], [2, 0, 2, 5], 3)
    assert [line.split()[1].split("(")[0] for line in text.splitlines() if line.startswith("module ")] == [
        "kurashil_0", "kurashil_2", "kurashil_5",
    ]  # fmt: skip
