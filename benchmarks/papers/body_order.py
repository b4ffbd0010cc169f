"""Do body orders converge? Truths of known body order, then carbon and silicon against DFT dimers.

    python benchmarks/papers/body_order.py truths     # (a) Stillinger-Weber and Kumagai, about 3 min on one core
    python benchmarks/papers/body_order.py carbon     # (b) high-pressure PBE carbon of ../shared, K = 2 … 5
    python benchmarks/papers/body_order.py silicon    # (b) the bundled PBE silicon, K = 2 … 5
    python benchmarks/papers/body_order.py zuo        # (b) silicon of Zuo et al. in ../shared, K = 2 … 5
    python benchmarks/papers/body_order.py gap18      # (b) 52 silicon structures of GAP-18 in ../shared, K = 2 … 5
    python benchmarks/papers/body_order.py carbon --gap17            # (b) C-GAP-17, downloaded by load_atoms
    python benchmarks/papers/body_order.py carbon --gap17 FOLDER     # (b) its extended XYZ files, or one file

(a) is the regression table of docs/body_order.md: a three-body truth must be recovered without dimers and is
spoiled by mild regularisation; a many-body truth must not converge. (b) trains on diverse structures without
dimers, on pure dimers, and on both, in the standard, pair-purified and purified bases, one assembly each.
Every part prints a table and writes it, with a figure, into --output (JSON and PNG).
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from body_order_truths import (
    TRUTHS,
    WEIGHTS,
    basis_of,
    bulk_set,
    calculator,
    cluster_set,
    dimer_error,
    diverse_set,
    energy_rmse,
    labelled,
    ridge_fit,
)

import lacemaker as lace
from common import header
from lacemaker.analysis.body_refits import BodyFit, body_order_fits
from lacemaker.analysis.pair_references import dimers_in
from lacemaker.datasets.dimers import PairReference, bundled_curve
from lacemaker.errors import DataError, LacemakerWarning
from lacemaker.regression import BLR, TriangularSystem
from lacemaker.structures import Frame

RIDGES = (1e-10, 1e-4, 1e-2)
CARBON_E0 = -1.3  # eV: lowest energy of the set (-9.13 eV/atom, near diamond) + 7.8 eV of PBE cohesion; ± 0.1
CARBON_DEGREES, SILICON_DEGREES = (20, 17, 14, 11), (16, 14, 12, 10)
BASES = ("standard", "pair", "full")
DIMER_WEIGHT = 30.0


# (a) truths


def truths(output: Path, n: int) -> None:
    """The table of fits to truths of known body order."""
    rows: list[dict[str, Any]] = []
    for name in TRUTHS:
        truth = calculator(name)
        diverse, test = (labelled(diverse_set(k, s), truth, "diverse") for k, s in ((n, 1), (n // 3, 9)))
        sets = {
            "bulk only": labelled(bulk_set(n // 2), truth, "bulk"),
            "diverse": diverse,
            "diverse + 3..5-mers": [*diverse, *labelled(cluster_set((3, 4, 5), n // 4), truth, "clusters")],
            "diverse + 2..5-mers": [
                *diverse,
                *labelled(cluster_set((2, 3, 4, 5), n // 4), truth, "clusters"),
            ],
            "2..5-mers only": labelled(cluster_set((2, 3, 4, 5), n // 2), truth, "clusters"),
        }
        exact = dimer_error(truth, truth)
        print(f"\n{name}: V_2 {exact.depth:.3f} eV at {exact.r_e:.3f} Å")
        print(
            f"{'K':>2} {'data':22} {'ridge':>7} {'test E meV/atom':>16} {'dimer RMSE eV':>14} {'depth eV':>9}"
        )
        for data, frames in sets.items():
            system = lace.assemble(basis_of(3), frames, weights=WEIGHTS)
            for bodies in (2, 3):
                for ridge in RIDGES if bodies == 3 else RIDGES[:1]:
                    potential = ridge_fit(system, ridge, bodies).potential()
                    found = dimer_error(potential, truth)
                    error = energy_rmse(potential, test)
                    rows.append(
                        {"truth": name, "bodies": bodies, "data": data, "relative_ridge": ridge,
                         "test_energy_meV_per_atom": error, "dimer_rmse_eV": found.rmse,
                         "depth_eV": found.depth, "r_e_A": found.r_e}
                    )  # fmt: skip
                    print(
                        f"{bodies:2d} {data:22} {ridge:7.0e} {error:16.1f} {found.rmse:14.4f} {found.depth:9.3f}",
                        flush=True,
                    )
    _write(output / "truths.json", rows)
    _draw_truths(output / "truths.png", rows)


def _draw_truths(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True)
    for axis, truth in zip(axes, TRUTHS, strict=True):
        mine = [r for r in rows if r["truth"] == truth and r["bodies"] == 3]
        for data in dict.fromkeys(r["data"] for r in mine):
            chosen = [r for r in mine if r["data"] == data]
            axis.plot(
                [r["test_energy_meV_per_atom"] for r in chosen],
                [r["dimer_rmse_eV"] for r in chosen],
                "o-",
                label=data,
            )
        axis.set(xscale="log", yscale="log", title=f"{truth}, K = 3", xlabel="test energy RMSE (meV/atom)")
    axes[0].set_ylabel("RMSE of V$_2$ (eV)")
    axes[1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


# (b) carbon and silicon


def carbon_frames(n_train: int, n_test: int) -> tuple[list[Frame], list[Frame]]:
    """Random structures of the high-pressure carbon set."""
    folder = _shared() / "carbon_pbe_highp"
    rng = np.random.default_rng(0)
    found = []
    for name, n in (("train", n_train), ("test", n_test)):
        frames = lace.read(str(folder / f"{name}.xyz.xz"))
        found.append([frames[int(k)] for k in rng.permutation(len(frames))[:n]])
    return found[0], found[1]


def silicon_frames() -> tuple[list[Frame], list[Frame], PairReference]:
    """The bundled silicon without its dimers, and these as a curve."""
    from lacemaker.datasets import load_silicon

    train, test = lace.read(load_silicon("train")), lace.read(load_silicon("test"))
    curve = dimers_in(train)["Si", "Si"]
    return [f for f in train if f.config_type != "dimer"], list(test), curve


def zuo_frames() -> tuple[list[Frame], list[Frame]]:
    """Silicon of Zuo et al. (2020): crystals, surfaces, dynamics, no dimers and no atoms."""
    from zuo2020 import frames_of

    train, test = frames_of("Si")
    return list(train), list(test)


def gap18_frames() -> tuple[list[Frame], list[Frame], float]:
    """Diamond, β-tin and liquid of GAP-18 (2018), three in four for training, and the energy of its free atom."""
    frames = list(lace.read(str(_shared() / "si_gap18_tiny" / "train.xyz")))
    e0 = next(f.energy for f in frames if f.is_isolated_atom)
    matter = [f for f in frames if not f.is_isolated_atom]
    assert e0 is not None
    return [f for k, f in enumerate(matter) if k % 4], matter[::4], e0


def dimer_frames(curve: PairReference, e0: float) -> list[Frame]:
    """Dimers with the energies of a curve, as training structures without forces."""
    from lacemaker.structures.elements import atomic_number

    return [
        Frame(
            numbers=np.array([atomic_number(symbol) for symbol in curve.pair]),
            positions=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, r]]),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            energy=float(energy + 2 * e0),
            config_type="dimer",
        )
        for r, energy in zip(curve.r, curve.energy, strict=True)
        if energy < 5.0
    ]


def converge(
    name: str,
    train: Sequence[Frame],
    test: Sequence[Frame],
    curve: PairReference,
    e0: float,
    degrees: Sequence[int],
    options: dict[str, Any],
    bases: Sequence[str],
    output: Path,
) -> None:
    """Fits of every K, data set and basis; a table and a figure of the dimer curves."""
    symbol = curve.pair[0]
    dimers = dimer_frames(curve, e0)
    weights = {"default": {"energy": 30.0, "forces": 1.0, "virial": 1.0}}
    rows, curves = [], {}
    standard = lace.ACEBasis(symbol, len(degrees), list(degrees), **options)
    for kind in bases:
        begun = time.process_time()
        basis = standard if kind == "standard" else standard.purified(kind)  # type: ignore[arg-type]
        main, held_out, pairs = (
            lace.assemble(basis, list(frames), weights=weights) for frames in (train, test, dimers)
        )
        sets = {"no dimers": main, "dimers only": pairs, "both": main.joined(pairs)}
        print(
            f"\n{name}, {kind}: {basis}, assembled in {time.process_time() - begun:.0f} s (CPU)", flush=True
        )
        for data, system in sets.items():
            fits = _fits(system, held_out, curve, e0)
            for fit in fits:
                rows.append({"basis": kind, "data": data, **_row(fit, curve)})
                curves[kind, data, fit.bodies] = fit.curves[curve.name]
                print(_line(rows[-1]), flush=True)
    _write(output / f"{name}.json", rows)
    _draw_curves(output / f"{name}.png", curves, curve, bases)


def _fits(
    system: TriangularSystem, held_out: TriangularSystem, curve: PairReference, e0: float
) -> tuple[BodyFit, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LacemakerWarning)
        return body_order_fits(
            system,
            reference=lambda a, b: (curve.r, curve.energy),
            solver=BLR(),
            prior="algebraic",
            e0={curve.pair[0]: e0},
            validation=held_out,
        )


def _row(fit: BodyFit, curve: PairReference) -> dict[str, Any]:
    sanity, held_out = fit.sanity[curve.name], fit.fit.rmse["validation"]["total"]
    return {
        "bodies": fit.bodies,
        "n_functions": len(fit.fit.coefficients),
        "validation_energy_meV_per_atom": 1e3 * held_out["energy"],
        "validation_forces_eV_per_A": held_out["forces"],
        "dimer_rmse_eV": fit.reference_rmse.get(curve.name),
        "depth_eV": sanity.depth,
        "r_e_A": sanity.r_e,
        "minima": sanity.minima,
        "drift_eV": fit.drift.get(curve.name),
        "condition": fit.fit.condition,
        "shares": {order: share for order, (share, _) in fit.shares.items()},
    }


def _line(row: dict[str, Any]) -> str:
    def number(value: float | None, width: int, digits: int) -> str:
        return f"{'–' if value is None else format(value, f'.{digits}f'):>{width}}"

    shares = " ".join(f"{100 * share:.0f}%" for share in row["shares"].values())
    return (
        f"{row['basis']:9} {row['data']:12} K={row['bodies']} {row['n_functions']:5d} functions  val. "
        f"{row['validation_energy_meV_per_atom']:9.1f} meV/atom {row['validation_forces_eV_per_A']:7.3f} eV/Å  "
        f"V2: RMSE {number(row['dimer_rmse_eV'], 6, 3)} depth {number(row['depth_eV'], 7, 2)} eV at "
        f"{number(row['r_e_A'], 5, 2)} Å, minima {row['minima']}, drift {number(row['drift_eV'], 6, 3)}, "
        f"shares {shares}"
    )


def _draw_curves(path: Path, curves: dict[Any, Any], known: PairReference, bases: Sequence[str]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    datas = ("no dimers", "dimers only", "both")
    figure, axes = plt.subplots(
        len(bases), 3, figsize=(12, 3.2 * len(bases)), sharex=True, sharey=True, squeeze=False
    )
    depth = -float(known.energy.min())
    for line, kind in zip(axes, bases, strict=True):
        for axis, data in zip(line, datas, strict=True):
            for (b, d, bodies), curve in curves.items():
                if (b, d) == (kind, data):
                    axis.plot(curve.r, curve.energy, label=f"K = {bodies}")
            axis.plot(known.r, known.energy, "k.", label=known.source)
            axis.axhline(0, color="grey", lw=0.5)
            axis.set(ylim=(-1.4 * depth, 1.0 * depth), xlim=(0.9 * known.r[0], 6), title=f"{kind}, {data}")
        line[0].set_ylabel("V$_2$ (eV)")
    for axis in axes[-1]:
        axis.set_xlabel("distance (Å)")
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def _shared() -> Path:
    import os

    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("LACEMAKER_DATA", beside))


def _write(path: Path, rows: Any) -> None:
    path.write_text(json.dumps({"versions": lace.__version__, "rows": rows}, indent=1), encoding="utf-8")
    print(f"\nwritten: {path}")


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("truths", "carbon", "silicon", "zuo", "gap18"))
    parser.add_argument("--output", type=Path, default=Path("body_order_results"))
    parser.add_argument("--structures", type=int, help="training structures (truths: 240, carbon: 400)")
    parser.add_argument("--bases", nargs="+", choices=BASES, default=list(BASES))
    parser.add_argument(
        "--gap17", nargs="?", const="", metavar="FOLDER", help="of carbon: C-GAP-17, downloaded if no FOLDER"
    )
    given = parser.parse_args()
    if given.gap17 is not None and given.part != "carbon":
        parser.error("--gap17 belongs to carbon")
    given.output.mkdir(parents=True, exist_ok=True)
    header(f"body orders: {given.part}")
    if given.part == "truths":
        truths(given.output, given.structures or 240)
    elif given.gap17 is not None:
        from carbon_gap17 import gap17_frames

        try:
            data = gap17_frames(given.gap17 or None, given.structures or 1000, 400)
        except DataError as error:
            raise SystemExit(f"error: {error}") from error
        print(data, flush=True)
        options = {"cutoff": 4.5, "r0": 1.45}
        sets = data.train, data.test, data.curve, data.e0
        converge("carbon_gap17", *sets, CARBON_DEGREES, options, given.bases, given.output)
    elif given.part == "carbon":
        curve = bundled_curve("C", "C")
        assert curve is not None
        train, test = carbon_frames(given.structures or 400, 80)
        options = {"cutoff": 4.5, "r0": 1.45}
        converge("carbon", train, test, curve, CARBON_E0, CARBON_DEGREES, options, given.bases, given.output)
    else:
        train, test, curve = silicon_frames()
        e0 = next(f.energy for f in train if f.is_isolated_atom)
        if given.part == "zuo":  # its zero of energy agrees with the bundled set's to 29 meV/atom
            train, test = zuo_frames()
        if given.part == "gap18":  # PW91; its own free atom, the dimers of the bundled PBE set
            train, test, e0 = gap18_frames()
        options = {"cutoff": 5.5, "r0": 2.35}
        converge(given.part, train, test, curve, e0, SILICON_DEGREES, options, given.bases, given.output)


if __name__ == "__main__":
    main()
