"""Weights of hippynn 0.1.3 (https://github.com/lanl/hippynn): its package is not needed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lacemaker.errors import FileFormatError
from lacemaker.networks.network import Network
from lacemaker.networks.options import NetworkOptions, invariants_of

__all__ = ["from_hippynn", "guess_options"]


CONSTANTS = ("tensor_extractor.", ".invars.", "_extra_state")
"""Entries that hold no weights."""


class _State(dict[str, Any]):
    """A state dict that names missing entries and knows which were not asked for."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._used: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self._used.add(name)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Any:
        raise _unusable(f"no entry {name}")

    def unused(self) -> list[str]:
        """Names of weights that nobody has read."""
        return sorted(k for k in set(self) - self._used if not any(part in k for part in CONSTANTS))


def guess_options(
    state: Mapping[str, Any], energy: Mapping[str, Any], cutoff: float, **known: Any
) -> NetworkOptions:
    """Architecture from the shapes of a state dict; `known` overrides what was found.

    Raises
    ------
    FileFormatError
        If there is no such architecture.
    """
    try:
        return NetworkOptions(**{**_found(_State(state), energy, cutoff), **known})
    except (AttributeError, IndexError, TypeError, ValueError) as error:  # pydantic's error is a ValueError
        raise _unusable(" ".join(str(error).split())) from error


def _found(state: Mapping[str, Any], energy: Mapping[str, Any], cutoff: float) -> dict[str, Any]:
    blocks = sorted({int(m[1]) for name in state if (m := re.match(r"blocks\.(\d+)\.", name))})
    layers = {int(m[1]) for name in state if (m := re.match(r"blocks\.0\.(\d+)\.", name))}
    one = "blocks.0.0.base_layer." if "blocks.0.0.base_layer.int_weights" in state else "blocks.0.0."
    if f"{one}int_weights" not in state:
        raise _unusable("no interaction weights blocks.0.0….int_weights")
    n, inner, _ = state[f"{one}int_weights"].shape
    features = state["blocks.0.0.res_layer.weight"].shape[0] if "base_layer" in one else inner
    bottleneck = f"{one}sensitivity.matching" in state
    mu = state[f"{one}sensitivity.base_sense.mu" if bottleneck else f"{one}sensitivity.mu"]
    r_soft_max = min(float(mu.max()), 0.999 * cutoff)
    mixing = state.get(f"{one}mixing_weights")
    found: dict[str, Any] = {
        "kind": "hip-nn", "features": features, "sensitivities": n, "interactions": len(blocks),
        "atom_layers": len(layers) - 1, "cutoff": cutoff, "r_soft_max": r_soft_max,
        "r_soft_min": min(float(mu.min()), 0.999 * r_soft_max),
        "bottleneck": mu.numel() if bottleneck else None,
        "resnet": "base_layer" in one and (inner == features or int(inner)),
        "first_is_interacting": len([k for k in energy if k.endswith("weight")]) == len(blocks),
    }  # fmt: skip
    if f"{one}vecscales" in state:
        found |= {"kind": "hip-nn-ts", "l_max": 2 if f"{one}quadscales" in state else 1}
        found["cusp"] = float(state.get(f"{one}_extra_state", {"cusp_reg": 1e-30})["cusp_reg"])
    if mixing is not None:
        l_max = len([name for name in state if name.startswith("tensor_extractor.pmaps.")]) - 1
        n_max = [order for order in (1, 2, 3, 4) if len(invariants_of(l_max, order)) == mixing.shape[1]]
        if not n_max:
            raise _unusable(f"{mixing.shape[1]} invariants, which no n_max has at l_max {l_max}")
        found |= {"kind": "hip-hop-nn", "l_max": l_max, "n_max": n_max[0]}
        found["group_norm"] = "on" if f"{one}group_norm.weight" in state else "off"
    return found


def from_hippynn(
    network_state: Mapping[str, Any],
    energy_state: Mapping[str, Any],
    *,
    cutoff: float,
    length_unit: float = 1.0,
    energy_unit: float = 1.0,
    **known: Any,
) -> Network:
    """A network with the weights of a hippynn 0.1.3 model.

    Parameters
    ----------
    network_state : mapping of str to Tensor
        ``network.torch_module.state_dict()``.
    energy_state : mapping of str to Tensor
        ``energy_node.torch_module.state_dict()`` of its `HEnergy` module.
    cutoff : float
        ``dist_hard_max``, in hippynn's unit of length: it is not part of the state.
    length_unit : float
        That unit in Å, e.g. 0.529177 for Bohr.
    energy_unit : float
        Its unit of energy in eV, e.g. 0.0433641153 for kcal/mol.
    **known
        Options that cannot be read off the state, e.g. ``group_norm_eps``.

    Returns
    -------
    Network
        In float64; the species are in the order of hippynn's ``possible_species`` without the blank.

    Raises
    ------
    FileFormatError
        If the state is not that of such a network.
    """
    for what, given in (("network", network_state), ("energy", energy_state)):
        if not isinstance(given, Mapping):
            raise _unusable(f"a {type(given).__name__} as {what}_state")
    state = _State(
        (name, value.double() if torch.is_tensor(value) else value) for name, value in network_state.items()
    )
    heads = {name: value.double() for name, value in energy_state.items() if torch.is_tensor(value)}
    options = guess_options(state, heads, cutoff, **known)
    lengths = ("r_soft_min", "r_soft_max", "cutoff")
    scaled = options.model_copy(update={name: getattr(options, name) * length_unit for name in lengths})
    try:
        converted = dict(row for b in range(options.interactions) for row in _block(state, options, b))
        if state.unused():
            raise _unusable(f"entries that {options.label} does not have: {', '.join(state.unused())}")
        converted |= {name.replace("layers.", "heads."): value * energy_unit for name, value in heads.items()}
        for name, value in converted.items():
            if name.endswith(("sensitivity.mu", "sensitivity.sigma")):
                converted[name] = value * length_unit
        with torch.random.fork_rng(devices=[]):  # its random weights are replaced at once
            network = Network(scaled, converted["blocks.0.interaction.weights"].shape[2]).double()
        network.load_state_dict(converted)
    except (AttributeError, IndexError, TypeError, RuntimeError) as error:
        raise _unusable(" ".join(str(error).split())) from error
    return network


def _block(state: Mapping[str, Tensor], options: NetworkOptions, b: int) -> Sequence[tuple[str, Tensor]]:
    """Our names and layouts of the weights of one block."""
    base = "base_layer." if options.resnet else ""
    old, new = f"blocks.{b}.0.{base}", f"blocks.{b}.interaction."
    sense = "sensitivity.base_sense." if options.bottleneck else "sensitivity."
    found = [
        (f"{new}sensitivity.mu", state[f"{old}{sense}mu"][0]),
        (f"{new}sensitivity.sigma", state[f"{old}{sense}sigma"][0]),
        (f"{new}weights", state[f"{old}int_weights"]),
        (f"{new}own.weight", state[f"{old}selfint.weight"]),
        (f"{new}own.bias", state[f"{old}selfint.bias"]),
    ]
    if options.bottleneck:
        found.append((f"{new}sensitivity.matching", state[f"{old}sensitivity.matching"]))
    if options.kind == "hip-nn-ts":
        names = ("vecscales", "quadscales")[: options.degree]
        found.append((f"{new}scales", torch.stack([state[old + name] for name in names])))
    if options.kind == "hip-hop-nn":
        found.append((f"{new}mixing", state[f"{old}mixing_weights"].transpose(0, 1).contiguous()))
        if options.group_norm == "on":
            for part in ("weight", "bias"):
                value = state[f"{old}group_norm.{part}"].reshape(options.n_invariants, -1)
                found.append((f"{new}norm_{part}", value))
    for k in range(options.atom_layers):
        for part in ("weight", "bias"):
            found.append((f"blocks.{b}.linears.{k}.{part}", state[f"blocks.{b}.{k + 1}.{base}{part}"]))
    for k in range(options.atom_layers + 1 if options.resnet else 0):
        for theirs, ours in (("res_layer.weight", "linear.weight"), ("res_layer.bias", "linear.bias"),
                             ("adjust_layer.weight", "adjust.weight")):  # fmt: skip
            if f"blocks.{b}.{k}.{theirs}" in state:
                found.append((f"blocks.{b}.residuals.{k}.{ours}", state[f"blocks.{b}.{k}.{theirs}"]))
    return found


def _unusable(found: str) -> FileFormatError:
    return FileFormatError(
        "This is not the state of a HIP-NN, HIP-NN-TS or HIP-HOP-NN network of hippynn 0.1.3\n"
        f"  found: {found}\n"
        "  to do: give network.torch_module.state_dict() and energy_node.torch_module.state_dict(), "
        "and options that the state does not hold as keywords"
    )
