"""C-GAP-17 (Deringer and Csányi, Phys. Rev. B 95, 094203 (2017)) for the body-order experiments, with its own dimers.

Licensed CC BY-NC-SA 4.0, so it is never part of this repository: `load_atoms` downloads it (``pip install
load_atoms``, network needed), or a folder of extended XYZ files is read. Structures carry ``config_type`` (dimer,
bulk_amo, bulk_cryst, surf_amo) and perhaps ``split`` (train, test) in their info, energies and forces under a
common name (energy, dft_energy, DFT_energy, REF_energy).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

import lacemaker as lace
from lacemaker.analysis.pair_references import dimers_in
from lacemaker.datasets.dimers import PairReference
from lacemaker.errors import DataError
from lacemaker.structures import Frame

NAME = "C-GAP-17"
ENERGY_NAMES = ("REF_energy", "dft_energy", "DFT_energy", "energy")
FORCE_NAMES = ("REF_forces", "dft_forces", "DFT_forces", "dft_force", "DFT_force", "forces", "force")
FAR = 3.6  # Å: two atoms as far apart as that are free, where the set has no single atom


@dataclass(frozen=True)
class CarbonSet:
    """Structures without dimers and atoms, and the dimers as a reference curve.

    `e0` is the energy of a free atom in eV, `origin` says where it comes from.
    """

    train: list[Frame]
    test: list[Frame]
    curve: PairReference
    e0: float
    origin: str

    def __str__(self) -> str:
        r = self.curve.r
        return (
            f"{NAME}: {len(self.train)} training and {len(self.test)} test structures, {len(r)} dimers of "
            f"{r.min():.2f} to {r.max():.2f} Å, E0 {self.e0:.4f} eV ({self.origin})"
        )


def gap17_frames(folder: str | Path | None, n_train: int, n_test: int, seed: int = 0) -> CarbonSet:
    """At most so many structures of the set, drawn at random.

    Without a ``split`` in the file, every tenth structure is for testing.

    Raises
    ------
    DataError
        When there are no labelled dimers, or no `load_atoms` to download with.
    """
    found = [_labelled(atoms) for atoms in (_downloaded() if folder is None else _read(Path(folder)))]
    listed = [a for a in found if a is not None]
    matter = [a for a in listed if len(a) > 2 and a.info.get("config_type") != "dimer"]
    pairs = [a for a in listed if len(a) == 2 and a.info.get("config_type") == "dimer"]
    if not pairs or not matter:
        kinds = sorted({str(a.info.get("config_type")) for a in listed})
        raise DataError(
            f"{folder or NAME} is no {NAME}. Found {len(pairs)} labelled dimers and {len(matter)} larger structures, "
            f"config_type {', '.join(kinds) or 'none'}. Give its extended XYZ files with config_type, energies and "
            "forces."
        )
    e0, origin = _free_atom(listed, pairs)
    splits = [str(a.info.get("split", "test" if k % 10 == 9 else "train")) for k, a in enumerate(matter)]
    chosen = [
        [a for a, s in zip(matter, splits, strict=True) if (s == "train") == want] for want in (True, False)
    ]
    if not all(chosen):
        raise DataError(
            f"{folder or NAME} cannot be split. Found {len(chosen[0])} structures for training and {len(chosen[1])} "
            "for testing. Mark them with split=train and split=test, or give at least ten."
        )
    rng = np.random.default_rng(seed)
    train, test = (
        list(lace.read([part[int(k)] for k in rng.permutation(len(part))[:n]]))
        for part, n in zip(chosen, (n_train, n_test), strict=True)
    )
    curve = dimers_in(list(lace.read(pairs)), {"C": e0})["C", "C"]
    return CarbonSet(train, test, curve, e0, origin)


def _free_atom(listed: Sequence[Atoms], pairs: Sequence[Atoms]) -> tuple[float, str]:
    """Of a single atom, else half the longest dimer, which must then be long."""
    for atoms in listed:
        if len(atoms) == 1:
            return float(atoms.info["REF_energy"]), "single atom of the set"
    lengths = [atoms.get_distance(0, 1, mic=bool(atoms.pbc.any())) for atoms in pairs]
    longest = int(np.argmax(lengths))
    if lengths[longest] < FAR:
        raise DataError(
            f"The energy of a free carbon atom is not known. Found no single atom, and no dimer beyond "
            f"{lengths[longest]:.2f} Å. Add a structure of one atom."
        )
    return 0.5 * float(pairs[longest].info["REF_energy"]), f"half the dimer of {lengths[longest]:.2f} Å"


def _downloaded() -> list[Atoms]:
    try:
        from load_atoms import load_dataset
    except ImportError as error:
        raise DataError(
            f"{NAME} cannot be downloaded. Found no package load_atoms. Install it (pip install load_atoms), or "
            "give the folder of the extended XYZ files: --gap17 FOLDER."
        ) from error
    return list(load_dataset(NAME))


def _read(place: Path) -> list[Atoms]:
    from ase.io import read

    files = sorted(f for f in place.glob("*") if ".xyz" in f.suffixes) if place.is_dir() else [place]
    if not files or not all(f.is_file() for f in files):
        raise DataError(f"There is no {NAME} in {place}. Found no .xyz file. Give the file or its folder.")
    found: list[Any] = []
    for file in files:
        part = read(file, index=":")
        for atoms in part:  # files named train and test stand for the split
            if file.stem.split(".")[0] in ("train", "test"):
                atoms.info.setdefault("split", file.stem.split(".")[0])
        found += part
    return found


def _labelled(atoms: Atoms) -> Atoms | None:
    """With REF_ names and no calculator; None without an energy."""
    results = {} if atoms.calc is None else dict(atoms.calc.results)
    energy = _first(ENERGY_NAMES, atoms.info | results)
    if energy is None:
        return None
    forces = _first(FORCE_NAMES, atoms.arrays | results)
    plain = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    plain.info.update(REF_energy=float(energy))
    plain.info.update({k: str(atoms.info[k]) for k in ("config_type", "split") if k in atoms.info})
    if forces is not None:
        plain.arrays["REF_forces"] = np.asarray(forces, dtype=float)
    return plain


def _first(names: Sequence[str], table: dict[str, Any]) -> Any:
    return next((table[name] for name in names if name in table), None)
