"""Running a network on atoms, with the checks and results of the linear potentials' evaluator."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

from lacemaker.errors import EvaluationError, problem
from lacemaker.networks.backend import choose_device
from lacemaker.networks.graphs import Batch, Graph
from lacemaker.networks.network import Network, Result
from lacemaker.potential import Evaluator, Prediction
from lacemaker.potential.evaluator import _no_energy, _prediction
from lacemaker.structures import NeighbourList

__all__ = ["NetworkEvaluator"]


class NetworkEvaluator(Evaluator):
    """A network ready to run; results are float64 and include the one-body energies.

    Parameters
    ----------
    network : Network
    elements : sequence of str
    e0 : (n_elements,) eV
    dtype : {"float64", "float32"}, optional
        Precision of the arithmetic; default that of the parameters.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    n_threads : int, optional
        Threads of PyTorch while this runs; default those of the process.
    isa : str
        Instruction set of the kernels, "auto" for the best of this machine. The kernels of all networks of a
        process share it: another one than "auto" holds while this runs, and then "auto" again.

    Raises
    ------
    EvaluationError
        For an unknown precision or instruction set, or fewer threads than one.
    ConfigError
        For a device that is not there.
    """

    def __init__(
        self,
        network: Network,
        elements: Sequence[str],
        e0: np.ndarray,
        *,
        dtype: str | None = None,
        device: str = "cpu",
        n_threads: int | None = None,
        isa: str = "auto",
    ) -> None:
        from ase.data import atomic_numbers

        from lacemaker import _core

        if dtype not in (None, "float64", "float32"):
            raise problem(
                EvaluationError,
                "the precision is unknown",
                f"dtype={dtype!r}",
                "choose 'float64' or 'float32'",
            )
        if isa != "auto" and isa not in _core.isas():
            raise problem(
                EvaluationError,
                "the instruction set cannot be used here",
                f"isa={isa!r}, while this machine offers {', '.join(_core.isas())}",
                "choose one of those or 'auto'",
            )
        _check_threads(n_threads)
        self.dtype = network.dtype if dtype is None else getattr(torch, dtype)
        self.device, self.isa, self._threads = choose_device(device), isa, n_threads
        with torch.inference_mode(False):
            self.network = copy.deepcopy(network).to(self.device, self.dtype).requires_grad_(False)
        self.elements, self.e0 = tuple(elements), np.asarray(e0, dtype=np.float64)
        self.cutoff = network.options.cutoff
        self._species = np.full(119, -1, dtype=np.int32)
        self._species[[atomic_numbers[s] for s in self.elements]] = np.arange(len(self.elements))

    @property
    def n_threads(self) -> int:  # type: ignore[override]
        """Threads that one evaluation uses."""
        return self._threads or torch.get_num_threads()

    @property
    def dtype_name(self) -> str:
        """``float64`` or ``float32``."""
        return str(self.dtype).removeprefix("torch.")

    def statistics(self) -> dict[str, Any]:
        """Precision, device, instruction set and whether the fused kernel runs."""
        from lacemaker import _core
        from lacemaker.networks import fused

        usable = fused.usable(torch.zeros(1, dtype=self.dtype, device=self.device))
        best = _core.isas()[-1] if self.isa == "auto" else self.isa
        isa = f"{best} kernels" if usable else f"PyTorch on {self.device}"
        return {"dtype": self.dtype_name, "device": self.device, "fused": usable, "isa": isa}

    def evaluate(
        self,
        species: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray,
        pbc: np.ndarray,
        neighbours: NeighbourList,
        *,
        forces: bool = True,
        n_threads: int | None = None,
    ) -> Prediction:
        """See `lacemaker.potential.Evaluator.evaluate`."""
        graph = Graph.from_list(species, positions, cell, neighbours, self.cutoff)
        (found,) = self._run([graph], forces, n_threads)
        return _checked(found, positions, cell, pbc, neighbours)

    def predict_batch(
        self, structures: Sequence[Any], *, forces: bool = True, first: int = 0
    ) -> list[Prediction]:
        """Evaluate several structures at once.

        Parameters
        ----------
        structures : sequence of Frame or ase.Atoms
        forces : bool
        first : int
            Position of the first of them among those of the caller, for messages.

        Raises
        ------
        EvaluationError
            As `predict`; the message begins with the position of the structure.
        """
        prepared, lists, graphs = [], [], []
        for k, structure in enumerate(structures):
            with _named(first + k, structure):
                species, positions, cell, pbc = self.prepare(structure)
                near = self.neighbours(positions, cell, pbc)
            prepared.append((positions, cell, pbc))
            lists.append(near)
            graphs.append(Graph.from_list(species, positions, cell, near, self.cutoff))
        out = []
        for k, found in enumerate(self._run(graphs, forces, None) if graphs else ()):
            with _named(first + k, structures[k]):
                out.append(_checked(found, *prepared[k], lists[k]))
        return out

    def _run(
        self, graphs: Sequence[Graph], forces: bool, n_threads: int | None
    ) -> list[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]:
        """Site energies, forces and virial of each graph."""
        with running(self.isa, self._threads if n_threads is None else n_threads):
            batch = Batch.of(graphs, self.dtype, self.device)
            result = self.network.evaluate(batch, forces=forces)
            return self._split(graphs, result, forces)

    def _split(
        self, graphs: Sequence[Graph], result: Result, forces: bool
    ) -> list[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]:
        species = np.concatenate([g.species for g in graphs])
        site = _array(result.site_energies) + self.e0[species]
        ends = np.cumsum([len(g.species) for g in graphs])[:-1]
        sites = np.split(site, ends)
        if not forces:
            return [(s, None, None) for s in sites]
        gradients = np.split(_array(result.forces()), ends)
        return list(zip(sites, gradients, _voigt(result), strict=True))


@contextmanager
def running(isa: str, n_threads: int | None) -> Iterator[None]:
    """Threads and instruction set for a while, and derivatives also in the caller's inference mode."""
    from lacemaker import _core

    _check_threads(n_threads)
    with ExitStack() as undo:
        before = torch.get_num_threads()
        if n_threads not in (None, before):
            torch.set_num_threads(n_threads)
            undo.callback(torch.set_num_threads, before)
        if isa != "auto":
            _core.choose_message_isa(isa)
            undo.callback(_core.choose_message_isa, "auto")
        if torch.is_inference_mode_enabled():
            undo.enter_context(torch.inference_mode(False))
        yield


@contextmanager
def _named(position: int, structure: Any) -> Iterator[None]:
    """Put the position and source of a structure before what is wrong with it."""
    try:
        yield
    except EvaluationError as error:
        name = getattr(structure, "source", "")
        raise EvaluationError(f"Structure {position}{f' ({name})' if name else ''}: {error}") from error


def _check_threads(n_threads: int | None) -> None:
    if n_threads is not None and n_threads < 1:
        raise problem(
            EvaluationError, "the number of threads is impossible", f"n_threads={n_threads}", "give 1 or more"
        )


def _checked(
    found: tuple[np.ndarray, np.ndarray | None, np.ndarray | None],
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    neighbours: NeighbourList,
) -> Prediction:
    """What was computed, or why these atoms have no energy."""
    site, gradient, virial = found
    if not (np.isfinite(site).all() and (gradient is None or np.isfinite(gradient).all())):
        raise _no_energy(positions, cell, neighbours, f"energy {site.sum()} eV")
    return _prediction(site, gradient, virial, cell, pbc)


def _array(values: torch.Tensor) -> np.ndarray:
    return values.detach().to("cpu", torch.float64).numpy()


def _voigt(result: Result) -> np.ndarray:
    """(n_structures, 6) in the order xx yy zz yz xz xy."""
    w = _array(result.virial())
    return np.ascontiguousarray(w[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]])
