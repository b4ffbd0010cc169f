"""A trained network with all that is needed to use it: elements, E0, provenance; save and load."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lacemaker.errors import FileFormatError, problem
from lacemaker.networks import file
from lacemaker.networks.backend import choose_device
from lacemaker.networks.evaluator import NetworkEvaluator
from lacemaker.networks.network import Network, count_parameters
from lacemaker.networks.options import NetworkOptions
from lacemaker.potential import Prediction, disk
from lacemaker.potential.arguments import jsonable, versions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from lacemaker.networks.hessian import NetworkHessian

__all__ = ["NetworkPotential"]

ATOMS_AT_ONCE = 2000


class NetworkPotential:
    """A network and the elements it knows; the counterpart of `lacemaker.Potential`.

    Parameters
    ----------
    network : Network
        Copied; later training of the original does not change this potential.
    elements : sequence of str
        Chemical symbols in the order of the network's inputs.
    e0 : sequence of float, optional
        eV; added to each atom outside the network, in float64. Default zero.
    metadata : mapping, optional
        Provenance, JSON types.
    device : str
        Where it runs unless told otherwise: ``cpu``, ``cuda`` or ``auto``. Not part of the file.

    Raises
    ------
    ConfigError
        For a device that is not there.
    FileFormatError
        If elements, energies and network do not fit together.

    Examples
    --------
    >>> potential = NetworkPotential.load("network.lace")        # doctest: +SKIP
    >>> potential.predict(atoms).forces                          # doctest: +SKIP
    """

    def __init__(
        self,
        network: Network,
        elements: Sequence[str],
        e0: Sequence[float] | np.ndarray | None = None,
        metadata: Mapping[str, Any] | None = None,
        device: str = "cpu",
    ) -> None:
        if len(elements) != network.n_species:
            raise problem(
                FileFormatError,
                "elements and network do not fit together",
                f"{len(elements)} elements, a network for {network.n_species}",
                "give one symbol per input of the network",
            )
        self.elements = tuple(elements)
        self.e0 = _checked_energies(self.elements, e0)
        with torch.inference_mode(False):
            self.network = copy.deepcopy(network).cpu().requires_grad_(False)
        self.device = choose_device(device)
        self._evaluators: dict[tuple[Any, ...], NetworkEvaluator] = {}
        self.metadata = {"versions": {**versions(), "torch": torch.__version__}, **jsonable(metadata or {})}

    @property
    def options(self) -> NetworkOptions:
        """The architecture."""
        return self.network.options

    @property
    def cutoff(self) -> float:
        """Å; of one interaction: after n interactions an atom feels others n cutoffs away."""
        return self.options.cutoff

    @property
    def n_parameters(self) -> int:
        """Trainable parameters."""
        return count_parameters(self.network)

    @cached_property
    def numbers(self) -> np.ndarray:
        """(n_elements,) atomic numbers, in the order of `elements`."""
        from ase.data import atomic_numbers

        return np.array([atomic_numbers[symbol] for symbol in self.elements])

    @cached_property
    def bond_lengths(self) -> np.ndarray:
        """(n_elements, n_elements) Å: tabulated distances of neighbours, for scans and test structures."""
        from lacemaker.basis.elements import bond_length

        half = np.array([0.5 * bond_length(symbol) for symbol in self.elements])
        return half[:, None] + half

    @property
    def basis_spec(self) -> dict[str, Any]:
        """The architecture as plain JSON types: what `Potential.basis_spec` is to a linear potential."""
        return self.options.model_dump(mode="json")

    def describe(self, *, measure_speed: bool = False) -> str:
        """A page about the network for people; `measure_speed` adds the time per atom on this machine."""
        from lacemaker.networks.describe import describe

        return describe(self, measure_speed=measure_speed)

    def with_metadata(self, **changes: Any) -> NetworkPotential:
        """The same potential with some entries of the metadata replaced."""
        return NetworkPotential(
            self.network, self.elements, self.e0, {**self.metadata, **changes}, self.device
        )

    def to(self, device: str) -> NetworkPotential:
        """The same potential, running on another device unless told otherwise."""
        return NetworkPotential(self.network, self.elements, self.e0, self.metadata, device)

    def lone_atoms(self) -> np.ndarray:
        """(n_elements,) eV: energy of an atom of each element without neighbours."""
        from ase import Atoms

        return np.array(
            [p.energy for p in self.predict_many([Atoms(s) for s in self.elements], forces=False)]
        )

    def evaluator(
        self,
        isa: str = "auto",
        dtype: str | None = None,
        n_threads: int | None = None,
        device: str | None = None,
    ) -> NetworkEvaluator:
        """Ready to run in a precision (default: that of training) and on a device; made once and kept.

        See `NetworkEvaluator`.
        """
        key = (isa, dtype, n_threads, device or self.device)
        if key not in self._evaluators:
            made = NetworkEvaluator(
                self.network, self.elements, self.e0, isa=isa, dtype=dtype, n_threads=n_threads, device=key[3]
            )
            self._evaluators[key] = made
        return self._evaluators[key]

    def hessian_evaluator(
        self, isa: str = "auto", n_threads: int | None = None, device: str | None = None
    ) -> NetworkHessian:
        """Second derivatives, in float64."""
        from lacemaker.networks.hessian import NetworkHessian

        return NetworkHessian(self.evaluator(isa, "float64", n_threads, device))

    def hessian(self, structure: Any) -> csr_array:
        """Second derivatives of the energy (3 n_atoms, 3 n_atoms), eV/Å², sparse."""
        return self.hessian_evaluator().sparse(structure)

    def hessian_product(self, structure: Any, displacement: np.ndarray) -> np.ndarray:
        """Hessian times displacement (n_atoms, 3) or (3 n_atoms,), exact, without forming the Hessian."""
        return self.hessian_evaluator().product(structure, displacement)

    def predict(self, structure: Any, *, forces: bool = True) -> Prediction:
        """Energy (eV), forces (eV/Å), virial (eV) and stress (eV/Å³) of a Frame or ASE Atoms."""
        return self.evaluator().predict(structure, forces=forces)

    def predict_many(
        self,
        structures: Iterable[Any],
        *,
        n_threads: int | None = None,
        forces: bool = True,
        device: str | None = None,
    ) -> list[Prediction]:
        """Predictions in the order of `structures`, several at once.

        Raises
        ------
        EvaluationError
            As `predict`; the message begins with the position of the structure.
        """
        evaluator = self.evaluator(n_threads=n_threads, device=device)
        waiting: list[Any] = []
        done: list[Prediction] = []
        n_atoms = 0
        for structure in structures:
            waiting.append(structure)
            n_atoms += len(structure.numbers)
            if n_atoms >= ATOMS_AT_ONCE:
                done += evaluator.predict_batch(waiting, forces=forces, first=len(done))
                waiting, n_atoms = [], 0
        return done + evaluator.predict_batch(waiting, forces=forces, first=len(done))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, completely or not at all.

        Raises
        ------
        FileFormatError
            If it cannot be written; an older file of that name is then unchanged.
        """
        disk.write_bytes(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NetworkPotential:
        """Read a file; runs no code from it.

        Raises
        ------
        FileFormatError
            If it is missing, damaged, of another version, or no network.
        """
        return cls.from_bytes(disk.read_bytes(path), os.fspath(path))

    def to_bytes(self) -> bytes:
        """The contents of the file."""
        header = {
            "options": self.options.model_dump(mode="json"),
            "elements": list(self.elements),
            "metadata": self.metadata,
        }
        arrays = {name: value.numpy() for name, value in self.network.state_dict().items()}
        return file.encode(file.Contents(header, {**arrays, "e0": self.e0}))

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "the network") -> NetworkPotential:
        """Inverse of `to_bytes`."""
        header, arrays = file.decode(data, source)
        try:
            e0 = arrays.pop("e0")
            with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
                network = Network(NetworkOptions(**header["options"]), len(header["elements"]))
            state = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
            network.to(state["heads.0.weight"].dtype).load_state_dict(state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise problem(
                FileFormatError,
                f"{source} holds an impossible network",
                str(error).replace("\n", " "),
                "save the network again; if lacemaker wrote this file, please report it",
            ) from error
        return cls(network, header["elements"], e0, header["metadata"])

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_bytes, (self.to_bytes(),))

    def __deepcopy__(self, memo: dict[int, Any]) -> NetworkPotential:
        return self  # never changed

    def __repr__(self) -> str:
        return (
            f"<NetworkPotential {self.options.label}, {'-'.join(self.elements)}, "
            f"{self.n_parameters} parameters, cutoff {self.cutoff:g} Å>"
        )


def _checked_energies(elements: Sequence[str], e0: Sequence[float] | np.ndarray | None) -> np.ndarray:
    """E0 as an array; elements must be chemical symbols, each once, and energies finite, one for each."""
    from ase.data import atomic_numbers

    wrong = [s for k, s in enumerate(elements) if s not in atomic_numbers or s in elements[:k]]
    energies = np.zeros(len(elements)) if e0 is None else np.array(e0, dtype=np.float64)
    fits = energies.shape == (len(elements),) and np.isfinite(energies).all()
    if wrong or not fits:
        raise problem(
            FileFormatError,
            "elements and their energies do not fit together",
            f"elements {', '.join(elements)}; e0 {energies.tolist()}",
            "give chemical symbols, each once, and one finite energy in eV for each",
        )
    return energies
