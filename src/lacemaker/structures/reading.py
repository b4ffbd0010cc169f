"""`read`: labelled structures from files or ASE objects."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from lacemaker.structures._messages import Notices, data_error, warn
from lacemaker.structures.convert import to_frame
from lacemaker.structures.files import IN_MEMORY, expand, parts, raw_from_atoms, raw_from_file
from lacemaker.structures.frame import QUANTITIES, Frame
from lacemaker.structures.frames import Frames
from lacemaker.structures.geometry import closest_pair, name_pair
from lacemaker.structures.keys import KeyPolicy, choose, not_found, results_of
from lacemaker.structures.phonopy import is_phonopy_file, read_phonopy
from lacemaker.structures.values import StressConvention
from lacemaker.structures.xyz import RawFrame

__all__ = ["read"]

TOO_CLOSE = 0.1  # Å: an error, no two nuclei are ever this close
CLOSE = 0.3  # Å: a warning, closer than any bond under any pressure in a usual data set


def read(
    source: Any,
    *,
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
    virial_key: str | None = None,
    force_constants_key: str | None = None,
    energies_key: str | None = None,
    prefix: str | None = None,
    require: Sequence[str] = ("energy", "forces"),
    config_type_key: str = "config_type",
    group_key: str = "group",
    split_key: str = "split",
    index: str | int | slice = ":",
    format: str | None = None,
    stress_unit: str = "eV/A^3",
    stress_sign: int = 1,
    voigt_order: str = "xx yy zz yz xz xy",
    check: bool = True,
) -> Frames:
    """Read labelled structures.

    Labels are looked for under ``REF_energy``, ``REF_forces``, ``REF_virial``, ``REF_stress``; then under
    the same names with `prefix`; then under the plain names, among them a calculator's stored results.
    Force constants (`lacemaker.structures.force_constants`) are looked for in the same way, site energies
    only under `energies_key`. The choice is made per file; ``print(frames.labels)`` shows it. A frame may
    lack any label.

    Parameters
    ----------
    source : path, pattern, ase.Atoms, Frame, or a list of these
        Any format ASE reads, extended XYZ also compressed (.xz, .gz, .bz2). Patterns: ``"data/*.xyz"``.
        ``phonopy*.yaml`` gives force constants, see `lacemaker.structures.phonopy`.
    energy_key, forces_key, stress_key, virial_key, force_constants_key, energies_key : str, optional
        Exact keys, instead of the search above.
    prefix : str, optional
        E.g. ``"dft_"`` for ``dft_energy`` and ``dft_forces``.
    require : sequence of str
        Quantities (``energy``, ``forces``, ``virial``, ``force_constants``, ``energies``) that at least one
        frame must have. A stress counts as a virial.
    config_type_key, group_key, split_key : str
        Keys of the frame's group for weights and error tables, of relatives that splits keep together, and
        of the part (train, test) that the data's author chose.
    index : str, int or slice
        Frames of each file to read, as in ASE: ``"::10"``.
    format : str, optional
        ASE's name of the format, where the file name does not tell.
    stress_unit, stress_sign, voigt_order
        How stresses are given: ``eV/A^3``, ``GPa``, ``kbar`` or ``bar``; 1 where tension is positive (ASE),
        -1 where pressure is (VASP); order of six components, of a virial too.
    check : bool
        Warn about labels that look wrong in unit or sign; `check_frames` looks at more.

    Returns
    -------
    Frames

    Raises
    ------
    DataError
        On files that cannot be read, a required quantity that no frame has, labels that are not finite or
        contradict each other, atoms on top of each other, cells without volume; with file, frame and line.
    """
    policy = KeyPolicy(
        energy_key, forces_key, stress_key, virial_key, force_constants_key, energies_key, prefix
    )
    stress = StressConvention(stress_unit, stress_sign, voigt_order)
    wanted = _required(require)
    ready, raw = _gather(source, index, format)
    words = (config_type_key, group_key, split_key)
    notices = Notices()
    results = [results_of(r.atoms, notices, may_be_stale=r.file == IN_MEMORY) for r in raw]
    frames = _frames(policy, stress, raw, results, words, notices)
    for frame in frames:
        _check_distances(frame, notices)
    notices.issue()
    found = Frames([*ready, *frames])
    _check_found(policy, wanted, found, raw, results)
    if check:
        from lacemaker.structures.plausibility import label_findings

        for finding in label_findings(found):
            warn(finding.what, finding.where, finding.do)
    return found


def _required(require: Sequence[str]) -> list[str]:
    names = [require] if isinstance(require, str) else list(require)
    wanted = ["virial" if name == "stress" else name for name in names]
    for name in wanted:
        if name not in QUANTITIES or name == "formation_energy":
            raise data_error(
                "unknown quantity in require",
                repr(name),
                f"choose from {', '.join(QUANTITIES[:-1])} (or stress)",
            )
    return wanted


def _gather(source: Any, index: Any, format: str | None) -> tuple[list[Frame], list[RawFrame]]:
    ready: list[Frame] = []
    raw: list[RawFrame] = []
    loose: list[Any] = []
    for part in parts(source):
        if isinstance(part, str | os.PathLike):
            for path in expand(part):
                if format is None and is_phonopy_file(path):
                    ready.append(read_phonopy(path))
                else:
                    raw += raw_from_file(path, index, format)
        elif isinstance(part, Frame):
            ready.append(part)
        elif hasattr(part, "positions") and hasattr(part, "info"):
            loose.append(part)
        else:
            raise data_error(
                "cannot read structures from this",
                f"{type(part).__name__}",
                "give a path, a pattern, ase.Atoms or a list of these",
            )
    raw += raw_from_atoms(loose)
    if not ready and not raw:
        raise data_error("there are no structures", "an empty list", "give at least one file or structure")
    return ready, raw


def _frames(
    policy: KeyPolicy,
    stress: StressConvention,
    raw: list[RawFrame],
    results: list[dict[str, Any]],
    words: tuple[str, str, str],
    notices: Notices,
) -> list[Frame]:
    frames = []
    for _, members in groupby(zip(raw, results, strict=True), key=lambda pair: pair[0].file):
        pairs = list(members)
        chosen = choose(policy, [p[0] for p in pairs], [p[1] for p in pairs], notices)
        frames += [to_frame(r, res, chosen, stress, words, notices) for r, res in pairs]
    return frames


def _check_distances(frame: Frame, notices: Notices) -> None:
    pair = closest_pair(frame.positions, frame.cell, frame.pbc, CLOSE)
    if pair is None:
        return
    if pair[0] < TOO_CLOSE:
        raise data_error(
            f"{frame.source}: two atoms lie on top of each other",
            name_pair(frame.numbers, pair),
            "remove the duplicate atom or the frame; check that positions are in Å",
        )
    notices.add(
        f"atoms are closer than {CLOSE} Å",
        f"in {frame.source} {name_pair(frame.numbers, pair)}",
        "check these frames; positions in nanometres or fractions of the cell look like this too",
    )


def _check_found(
    policy: KeyPolicy, wanted: list[str], frames: Frames, raw: list[RawFrame], results: list[dict[str, Any]]
) -> None:
    for quantity in dict.fromkeys([*wanted, *(_named(policy))]):
        if not any(f.has(quantity) for f in frames):
            raise not_found(policy, quantity, raw, results)


def _named(policy: KeyPolicy) -> list[str]:
    named = {q: getattr(policy, q, None) for q in QUANTITIES}
    named["virial"] = policy.virial or policy.stress
    return [quantity for quantity, key in named.items() if key is not None]
