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
    """Residuals of the own states' equations, and derivatives by (equation, port), each (resistive, reactive)."""
    file = tmp_path / f"{model.family}.va"
    file.write_text(library(model, [NEIGHBOURS], CHUNKS))
    (module,) = openvaf_py.compile_va(str(file))
    assert module.name == module_name(model, NEIGHBOURS)
    missing = set(module.param_names) - set(point) - {"mfactor"}
    # local variables are listed too; they are assigned on every path, so what they are told must not matter
    residuals, jacobian = module.run_init_eval(point | dict.fromkeys(missing, 1e9) | {"mfactor": 1.0})
    own = len(model.states)
    assert all(row < own for row, *_ in jacobian)
    return residuals[:own], {
        (row, column): (resistive, reactive) for row, column, resistive, reactive in jacobian
    }


def drawn_point(model: CellModel, generator: np.random.Generator, time: float) -> dict[str, float]:
    """A random value for every port and parameter of the module."""
    names = [*(f"V({own})" for own in model.states), *(f"V(in{j})" for j in range(1, NEIGHBOURS + 1))]
    names += ["ais_c", "ais_g"]
    for p in model.given:
        names += [f"{p.name}_{k}" for k in (1, 2)] if p.scope == "node-and-chunk" else [p.name]
    names += [f"k_{j}_{k}" for j in range(1, NEIGHBOURS + 1) for k in range(1, CHUNKS + 1)]
    values = dict(zip(names, generator.normal(0.0, 1.5, len(names)).tolist(), strict=True))
    if model.carrier is not None:
        values["ais_w"] = OMEGA
    # amplitudes and gains are positive, and all that is drawn may be
    values |= {p.name: abs(values[p.name]) + 0.2 for p in model.given if p.symbol.is_positive}
    return values | {"$abstime": time, "ais_switch_1": SWITCH}


def rates_in_sympy(model: CellModel) -> tuple[list[sp.Expr], list[sp.Symbol]]:
    """The rates of the cell's states with a symbol for each neighbour's state and weight."""
    others, weights = sp.symbols(f"other1:{NEIGHBOURS + 1}"), sp.symbols(f"w1:{NEIGHBOURS + 1}")
    sums = {
        model.sums[name]: sum(w * f.subs(model.state.symbol, o) for w, o in zip(weights, others, strict=True))
        for name, f in model.features.items()
    }
    rate, inputs = model.self_term + model.coupling.subs(sums), [*others, *weights]
    if model.resonator is None:
        return [rate], inputs
    current, inductance = model.resonator.current, model.resonator.inductance.symbol
    return [rate - current, model.state.symbol / inductance], inputs


@pytest.mark.parametrize("family", sorted(MODELS))
@pytest.mark.parametrize(("time", "chunk"), [(0.0, 1), (SWITCH, 1), (np.nextafter(SWITCH, 3), 2), (5.0, 2)])
def test_residual_and_jacobian_are_the_equation(family, time, chunk, tmp_path):
    model = MODELS[family]
    rates, symbols = rates_in_sympy(model)
    generator = np.random.default_rng([*family.encode(), chunk])
    point = drawn_point(model, generator, float(time))
    values = {symbol: point[f"V({symbol})"] for symbol in model.states}
    for p in model.given:
        values[p.symbol] = point[f"{p.name}_{chunk}" if p.scope == "node-and-chunk" else p.name]
    if model.carrier is not None:
        values[model.carrier.phase] = OMEGA * float(time)
    inputs = [point[f"V(in{j})"] for j in range(1, NEIGHBOURS + 1)]
    weights = [point[f"k_{j}_{chunk}"] for j in range(1, NEIGHBOURS + 1)]
    values |= dict(zip(symbols, [*inputs, *weights], strict=True))

    residuals, jacobian = evaluated(model, tmp_path, point)
    for row, (rate, state, (resistive, reactive)) in enumerate(
        zip(rates, model.states, residuals, strict=True)
    ):
        current = -point["ais_g"] * float(rate.evalf(30, subs=values))
        assert resistive == pytest.approx(current, rel=1e-12, abs=1e-12)
        assert reactive == pytest.approx(point["ais_c"] * values[state], rel=1e-14)
        for column, symbol in enumerate([*model.states, *symbols[:NEIGHBOURS]]):
            slope = -point["ais_g"] * float(sp.diff(rate, symbol).evalf(30, subs=values))
            wanted = (slope, point["ais_c"] * (column == row))
            assert jacobian.get((row, column), (0, 0)) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


def test_other_neighbour_counts_are_modules_of_one_file():
    text = library(FAMILIES["kurashil"], [2, 0, 2, 5], 3)
    assert [line.split()[1].split("(")[0] for line in text.splitlines() if line.startswith("module ")] == [
        "kurashil_0", "kurashil_2", "kurashil_5",
    ]  # fmt: skip
