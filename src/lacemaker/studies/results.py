"""A study's cases as one flat table, and what follows from it: slopes and the estimator's accuracy."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.studies.slopes import Slope, fit_slope
from lacemaker.workflow.outputs import plain, versions, write_json, write_text

if TYPE_CHECKING:
    from lacemaker.studies.run import StudyResult

__all__ = ["COLUMNS", "estimator_accuracy", "rows_of", "slopes_of", "write_tables"]

COLUMNS = (
    "defect",
    "knob",
    "size",
    "observations",
    "degree",
    "n_functions",
    "energy_rmse_eV_per_atom",
    "epsilon_F_eV_per_A",
    "epsilon_FC_relative",
    "epsilon_V_eV_per_atom",
    "virial_max_eV_per_atom",
    "virial_0_eV_per_atom",
    "virial_1_relative",
    "virial_2_relative",
    "lattice_constant_error_A",
    "lattice_found",
    "residual_force_eV_per_A",
    "predicted_geometry_A",
    "predicted_core_A",
    "predicted_far_A",
    "prediction_stable",
    "geometry_A",
    "geometry_max_A",
    "formation_energy_error_eV",
    "epsilon_E_eV",
    "outcome",
    "converged",
    "force_calls",
)
"""Columns of cases.csv."""


def rows_of(result: StudyResult) -> list[dict[str, Any]]:
    """One flat row per case and defect, keys as ``COLUMNS``; None where there is no number."""
    return [_row(case, name, found) for case in result.cases for name, found in case["defects"].items()]


def _row(case: Mapping[str, Any], defect: str, found: Mapping[str, Any]) -> dict[str, Any]:
    lattice, guess = case["lattice"], found.get("estimate") or {}
    return {
        "defect": defect,
        "knob": case["knob"],
        "size": case["size"],
        "observations": case["observations"],
        "degree": case["degree"],
        "n_functions": case["fit"]["n_functions"],
        "energy_rmse_eV_per_atom": case["fit"]["energy_rmse_eV_per_atom"],
        "epsilon_F_eV_per_A": case["fit"]["forces_rmse_eV_per_A"],
        "epsilon_FC_relative": lattice["force_constants_relative"],
        "epsilon_V_eV_per_atom": lattice["virial_rms_eV_per_atom"],
        "virial_max_eV_per_atom": lattice["virial_max_eV_per_atom"],
        "virial_0_eV_per_atom": lattice["virial_0_eV_per_atom"],
        "virial_1_relative": lattice["virial_1_relative"],
        "virial_2_relative": lattice["virial_2_relative"],
        "lattice_constant_error_A": lattice["lattice_constant_A"],
        "lattice_found": lattice["lattice_found"],
        "residual_force_eV_per_A": guess.get("residual_force_eV_per_A"),
        "predicted_geometry_A": guess.get("geometry_A"),
        "predicted_core_A": guess.get("core_A"),
        "predicted_far_A": guess.get("far_A"),
        "prediction_stable": guess.get("stable"),
        "geometry_A": found.get("geometry_A"),
        "geometry_max_A": found.get("geometry_max_A"),
        "formation_energy_error_eV": found.get("formation_energy_error_eV"),
        "epsilon_E_eV": found.get("energy_error_at_reference_geometry_eV"),
        "outcome": found["outcome"],
        "converged": found["converged"],
        "force_calls": found.get("n_calls"),
    }


def slopes_of(rows: Sequence[Mapping[str, Any]], defect: str | None = None) -> dict[str, dict[str, Slope]]:
    """Slopes of one defect's (default: the first's) geometry error, by knob and observation set.

    ``size``: against the training cell's edge. ``residual``: against the residual force. ``degree``:
    against ε^F at the largest size.
    """
    found: dict[str, dict[str, Slope]] = {"size": {}, "degree": {}, "residual": {}}
    rows = [row for row in rows if row["defect"] == (defect or rows[0]["defect"])]
    for name in dict.fromkeys(row["observations"] for row in rows):
        mine = [row for row in rows if row["observations"] == name]
        by_size = [row for row in mine if row["knob"] == "size"]
        top = max(row["size"] for row in by_size) if by_size else None
        by_degree = [row for row in mine if row["size"] == top]
        for knob, chosen, key in (
            ("size", by_size, "size"),
            ("degree", by_degree, "epsilon_F_eV_per_A"),
            ("residual", mine, "residual_force_eV_per_A"),
        ):
            slope = fit_slope([row[key] for row in chosen], [row["geometry_A"] for row in chosen])
            if slope is not None and len(slope.x) > (2 if knob != "size" else 1):
                found[knob][name] = slope
    return found


def estimator_accuracy(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How well ‖D H̃⁻¹F̃‖ and 0.2 Å²/eV ‖F̃‖ foretell the geometry error, over converged cases.

    Models that relax into another structure have no such error; those whose Hessian is not positive definite
    at ū give no prediction (``n_unstable`` of the converged ones). Ratios are prediction over truth.
    """
    converged = [row for row in rows if row["geometry_A"] and row["predicted_geometry_A"]]
    kept = [row for row in converged if row["prediction_stable"]]
    if not kept:
        return {"n_cases": 0}
    true = np.array([row["geometry_A"] for row in kept])
    sharp = np.array([row["predicted_geometry_A"] for row in kept]) / true
    quick = true / np.array([row["residual_force_eV_per_A"] for row in kept])
    return {
        "n_cases": len(kept),
        "n_unstable": len(converged) - len(kept),
        "decades": float(np.log10(true.max() / true.min())),
        "ratio_median": float(np.median(sharp)),
        "ratio_smallest": float(sharp.min()),
        "ratio_largest": float(sharp.max()),
        "within_10_percent": float(np.mean(np.abs(sharp - 1.0) <= 0.1)),
        "within_factor_2": float(np.mean((sharp >= 0.5) & (sharp <= 2.0))),
        "factor_A2_per_eV_median": float(np.median(quick)),
        "factor_A2_per_eV_smallest": float(quick.min()),
        "factor_A2_per_eV_largest": float(quick.max()),
    }


def write_tables(result: StudyResult, verdict: Sequence[Any]) -> None:
    """Write cases.csv and study.json into the study's folder."""
    rows = rows_of(result)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    write_text(result.folder / "cases.csv", text.getvalue())
    slopes = {
        defect: {
            knob: {name: slope.to_dict() for name, slope in table.items()}
            for knob, table in slopes_of(rows, defect).items()
        }
        for defect in result.defects
    }
    write_json(
        result.folder / "study.json",
        {
            "versions": versions(),
            "reference": result.reference,
            "crystal": {
                "structure": result.crystal.structure,
                "lattice_constant_A": result.crystal.lattice_constant,
                "nearest_neighbour_A": result.crystal.nearest_neighbour,
                "energy_eV_per_atom": result.crystal.energy,
            },
            "defects": result.defects,
            "verdict": [{"level": item.level, "text": item.text} for item in verdict],
            "slopes": slopes,
            "estimator": estimator_accuracy(rows),
            "rows": rows,
            "cases": result.cases,
            "timings": result.timings,
            "config": json.loads(json.dumps(plain(result.config.model_dump(mode="json")))),
        },
    )
