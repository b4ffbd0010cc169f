"""Which key holds which label: REF_*, then a given prefix, then plain keys and calculator results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lacemaker.errors import DataError
from lacemaker.structures._messages import Notices, close_names, data_error
from lacemaker.structures.xyz import RawFrame

if TYPE_CHECKING:
    import ase

__all__ = ["Choice", "KeyPolicy", "choose", "not_found", "value_of"]

_NAMES = {
    "energy": ("energy",),
    "forces": ("forces", "force"),
    "virial": ("virial", "virials"),
    "stress": ("stress",),
    "force_constants": ("force_constants",),
    "energies": ("energies",),
}
_PER_ATOM = {"forces", "force_constants", "energies"}
_NAMED_ONLY = {"energies"}  # calculators store site energies unasked: used where the user names their key
_STRUCTURE = {"numbers", "positions", "initial_magmoms", "initial_charges", "masses", "tags", "momenta"}


@dataclass(frozen=True)
class KeyPolicy:
    """Keys the user named, and a prefix such as ``"dft_"``."""

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    virial: str | None = None
    force_constants: str | None = None
    energies: str | None = None
    prefix: str | None = None

    def candidates(self, quantity: str) -> list[tuple[int, str]]:
        """Return (tier, key) from most to least preferred; a key the user named is the only one."""
        named = getattr(self, quantity)
        if named is not None:
            return [(0, named)]
        if quantity in _NAMED_ONLY:
            return []
        prefixes = ["REF_", *([self.prefix] if self.prefix else []), ""]
        return [(tier, p + name) for tier, p in enumerate(prefixes, 1) for name in _NAMES[quantity]]


@dataclass(frozen=True)
class Choice:
    """The key chosen for one quantity in one file."""

    tier: int
    key: str


def results_of(atoms: ase.Atoms, notices: Notices, may_be_stale: bool = True) -> dict[str, Any]:
    """Return a calculator's stored results if they belong to these atoms, never computing any.

    Raw results, not getters: `get_forces` returns zeros on constrained atoms.
    """
    calc = atoms.calc
    results = getattr(calc, "results", None)
    if not results:
        return {}
    if may_be_stale and hasattr(calc, "check_state") and calc.check_state(atoms):
        notices.add(
            "results of a calculator were left out: they belong to other positions or another cell",
            f"{type(calc).__name__} with {', '.join(results)}",
            "compute the labels again after moving atoms, or store them under REF_* in info and arrays",
        )
        return {}
    return dict(results)


def value_of(atoms: ase.Atoms, results: dict[str, Any], key: str, quantity: str) -> Any:
    """Return what stands under a key: in the calculator's results, else in info or arrays, else None."""
    stored = atoms.arrays if quantity in _PER_ATOM else atoms.info
    value = results.get(key)
    return stored.get(key) if value is None else value


def choose(
    policy: KeyPolicy, raw: Sequence[RawFrame], results: Sequence[dict[str, Any]], notices: Notices
) -> dict[str, Choice]:
    """Choose one key per quantity for the frames of one file: the first candidate that any frame has."""
    chosen: dict[str, Choice] = {}
    for quantity in _NAMES:
        counts = {key: _count(key, quantity, raw, results) for _, key in policy.candidates(quantity)}
        for tier, key in policy.candidates(quantity):
            if counts[key]:
                chosen[quantity] = Choice(tier, key)
                _note_others(raw[0].file, quantity, key, counts, len(raw), notices)
                break
    _keep_one_tensor(chosen)
    _note_mixed_tiers(raw[0].file, chosen, notices)
    return chosen


def _count(key: str, quantity: str, raw: Sequence[RawFrame], results: Sequence[dict[str, Any]]) -> int:
    pairs = zip(raw, results, strict=True)
    return sum(value_of(r.atoms, res, key, quantity) is not None for r, res in pairs)


def _keep_one_tensor(chosen: dict[str, Choice]) -> None:
    # a REF_virial and a plain stress may come from different calculations: compare like with like only
    if "virial" in chosen and "stress" in chosen and chosen["virial"].tier != chosen["stress"].tier:
        del chosen[max(("virial", "stress"), key=lambda q: chosen[q].tier)]


def _note_others(
    file: str, quantity: str, key: str, counts: dict[str, int], n: int, notices: Notices
) -> None:
    others = [f"{k} in {c}" for k, c in counts.items() if k != key and c > counts[key]]
    if others:
        notices.add(
            f"{quantity} is read from {key}, but more frames have another key",
            f"{key} in {counts[key]} of {n} frames of {file}, {', '.join(others)}",
            f"if the other is meant, pass {quantity}_key=…; frames without {key} have no {quantity}",
        )


def _note_mixed_tiers(file: str, chosen: dict[str, Choice], notices: Notices) -> None:
    tiers = {c.tier for c in chosen.values() if c.tier > 0}
    if len(tiers) > 1:
        notices.add(
            "labels come from keys of different kinds, perhaps of different calculations",
            f"in {file} " + ", ".join(f"{q} from {c.key}" for q, c in chosen.items()),
            "check that they belong together; name each with energy_key=…, forces_key=…, stress_key=… "
            "or virial_key=… to silence this",
        )


def not_found(
    policy: KeyPolicy, quantity: str, raw: Sequence[RawFrame], results: Sequence[dict[str, Any]]
) -> DataError:
    """Return the error for a requested quantity that no frame has, with the keys there are."""
    per_atom = quantity in _PER_ATOM
    present: Counter[str] = Counter()
    for r, res in zip(raw, results, strict=True):
        keys = set(res) | set(r.atoms.info) | (set(r.atoms.arrays) - _STRUCTURE)
        present.update(keys)
    looked = [key for q in _also(quantity) for _, key in policy.candidates(q)]
    hints = [h for h in _hints(looked, quantity, present) if h not in looked]
    listed = ", ".join(f"{k} ({c})" for k, c in sorted(present.items())) or "none at all"
    kind = "per-atom columns" if per_atom else "comment line"
    do = _advice(quantity, hints) if hints else (
        f"name the key with {quantity}_key=…, or a prefix with prefix=…; "
        f"if these data have no {quantity}, leave it out of require=…"
    )  # fmt: skip
    name = "a virial or stress" if quantity == "virial" else quantity
    return data_error(
        f"no frame has {name}: looked for {', '.join(looked)} ({kind})",
        f"in {len(raw)} frame{'s' * (len(raw) != 1)} these keys (and in how many): {listed}",
        do,
    )


def _also(quantity: str) -> tuple[str, ...]:
    return ("virial", "stress") if quantity == "virial" else (quantity,)


def _hints(looked: list[str], quantity: str, present: Counter[str]) -> list[str]:
    stems = {"energy": ("energ",), "forces": ("forc",), "virial": ("viria", "stress"),
             "force_constants": ("force_c", "hess"), "energies": ("energies",)}[quantity]  # fmt: skip
    similar = [k for k in present if any(stem in k.lower() for stem in stems)]
    near = [hit for key in looked for hit in close_names(key, present)]
    hints = list(dict.fromkeys([*near, *similar]))
    return [h for h in hints if quantity != "forces" or "constant" not in h]


def _advice(quantity: str, hints: list[str]) -> str:
    key = hints[0]
    of = "stress" if quantity == "virial" and "stress" in key.lower() else quantity
    advice = f"did you mean {', '.join(hints[:3])}? Pass {of}_key={key!r}"
    for name in _NAMES[of]:
        if key.endswith(name) and key != name:
            return advice + f" or prefix={key.removesuffix(name)!r}"
    return advice
