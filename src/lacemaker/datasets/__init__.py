"""Data sets that travel with the package: silicon labelled with PBE, made by us, CC0."""

from __future__ import annotations

import io
import lzma
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["load_silicon", "silicon_path"]

Split = Literal["train", "test", "all"]


def silicon_path() -> Path:
    """Path of the bundled silicon data set, an xz-compressed extended XYZ file.

    Returns
    -------
    pathlib.Path
        Existing file ``silicon_gpaw.xyz.xz``; its level of theory and keys are described in
        the ``README.md`` beside it.
    """
    return Path(str(files(__name__) / "silicon_gpaw.xyz.xz"))


def load_silicon(split: Split = "all") -> list[Atoms]:
    """Bundled silicon frames with their PBE labels.

    Each frame carries ``info["REF_energy"]`` (eV), ``arrays["REF_forces"]`` ((n_atoms, 3) eV/Å)
    and, where all its directions were computed as a crystal or slab, ``info["REF_stress"]``
    ((3, 3) eV/Å³, positive in tension), next to ``config_type``, ``family``, ``split`` and
    ``frame_id``.

    Parameters
    ----------
    split : {"all", "train", "test"}
        Part of the set; relatives (one molecular-dynamics run, one curve) share one side.

    Returns
    -------
    list of ase.Atoms
        Fresh copies, ordered by ``frame_id``.

    Raises
    ------
    ValueError
        If `split` is not one of the three names.
    """
    if split not in get_args(Split):
        raise ValueError(
            f"unknown split of the silicon data set: found {split!r}; use 'train', 'test' or 'all'"
        )
    from ase.io import read

    text = lzma.decompress(silicon_path().read_bytes()).decode()
    frames = read(io.StringIO(text), ":", format="extxyz")
    return [atoms for atoms in frames if split in ("all", atoms.info["split"])]
