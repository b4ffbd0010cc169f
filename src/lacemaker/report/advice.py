"""Judgements in words: what a careful colleague would say after a look at the figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lacemaker.analysis.dimers import DimerCurve
from lacemaker.analysis.errors import TOTAL, ErrorTable
from lacemaker.analysis.scans import VolumeScan
from lacemaker.report.page import Advice

__all__ = ["judge", "judge_errors", "judge_physics"]

OVERFIT = 1.5  # test / train force MAE above which more regularisation or data is advised
GROUP_STANDS_OUT = 3.0  # times the total
FEW_TEST_FRAMES = 30
FEW_DOMINATE = 5.0  # RMSE / MAE; a normal distribution has 1.25
_ORDER = {"bad": 0, "warn": 1, "good": 2}


def judge_errors(errors: Mapping[str, ErrorTable]) -> Iterable[Advice]:
    """From the error tables of train and test."""
    train, test = errors.get("train"), errors.get("test")
    if test is None:
        yield Advice(
            "warn", "There is no test set: these errors say how well the data are reproduced, not predicted."
        )
    elif test.total.n_frames < FEW_TEST_FRAMES:
        yield Advice(
            "warn",
            f"The test set has {test.total.n_frames} frames: differences of less than 30–50 % between the "
            "energy MAEs of two models on so few frames are noise. Compare force errors.",
        )
    if train and test and train.total.forces_mae_eV_per_A and test.total.forces_mae_eV_per_A:
        ratio = test.total.forces_mae_eV_per_A / train.total.forces_mae_eV_per_A
        if ratio > OVERFIT:
            yield Advice(
                "warn",
                f"Test forces are {ratio:.1f} times worse than training forces. Either the "
                "test set holds structures unlike the training set, or the model is too flexible: try a "
                "smaller or smoother one, or add data.",
            )
        else:
            yield Advice(
                "good", f"Test forces are {ratio:.2f} times the training error: no sign of over-fitting."
            )
    for name, table in errors.items():
        mae, rmse = table.total.energy_mae_meV_per_atom, table.total.energy_rmse_meV_per_atom
        if mae and rmse and rmse > FEW_DOMINATE * mae:
            yield Advice(
                "warn",
                f"A few structures dominate the {name} energy errors (RMSE {rmse:.1f}, MAE {mae:.2f} "
                "meV/atom). Look at the list of the largest errors: are they unlike all others, or wrong?",
            )
    first = test or train
    if first is not None:
        yield from _groups_that_stand_out(first)
        if first.total.n_virials == 0:
            yield Advice(
                "warn", "There are no virial or stress labels: pressures and elastic constants are untested."
            )


def _groups_that_stand_out(table: ErrorTable) -> Iterable[Advice]:
    whole = table.total.forces_mae_eV_per_A
    for name, group in table.items():
        mine = group.forces_mae_eV_per_A
        if name != TOTAL and whole and mine and mine > GROUP_STANDS_OUT * whole:
            yield Advice(
                "warn",
                f"Forces of {name!r} are {mine / whole:.1f} times worse than the average ({mine:.3f} eV/Å). "
                "If they matter, raise their weights or add more of their kind; if not, no harm.",
            )


def judge_physics(dimers: Sequence[DimerCurve], scans: Sequence[VolumeScan]) -> Iterable[Advice]:
    """From the dimer curves and E(V)."""
    for curve in dimers:
        level = "bad" if not curve.repulsive else ("good" if curve.sane else "warn")
        yield Advice(level, f"Dimer {curve.verdict}.")
    doubtful = [scan for scan in scans if not scan.sane]
    for scan in doubtful:
        yield Advice("bad" if scan.hole else "warn", f"E(V) of {scan.verdict}.")
    fine = [scan for scan in scans if scan.sane]
    if fine:
        reach = max(scan.rises_to for scan in fine)
        names = ", ".join(scan.name for scan in fine)
        yield Advice(
            "good",
            f"E(V) of {names}: one minimum, and compression costs energy at least to V/V0 = {reach:.2f}.",
        )


def judge(
    errors: Mapping[str, ErrorTable],
    dimers: Sequence[DimerCurve],
    scans: Sequence[VolumeScan],
    warnings: Sequence[str] = (),
) -> list[Advice]:
    """All judgements, most worrying first."""
    found = [
        *judge_physics(dimers, scans),
        *judge_errors(errors),
        *(Advice("warn", text) for text in dict.fromkeys(warnings)),
    ]
    return sorted(found, key=lambda advice: _ORDER[advice.level])
