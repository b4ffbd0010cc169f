"""Running a network on atoms, with the checks and results of the linear potentials' evaluator."""

from __future__ import annotations

from collections.abc import Sequence
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
        Sets the threads of PyTorch in this process.
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
    ) -> None:
        from ase.data import atomic_numbers

        if dtype not in (None, "float64", "float32"):
            raise problem(
                EvaluationError,
                "the precision is unknown",
                f"dtype={dtype!r}",
                "choose 'float64' or 'float32'",
            )
        self.dtype = network.dtype if dtype is None else getattr(torch, dtype)
        self.device = choose_device(device)
        self.network = Network(network.options, network.n_species).to(self.device, self.dtype)
        self.network.load_state_dict(network.state_dict())
        self.network.requires_grad_(False)
        self.elements, self.e0 = tuple(elements), np.asarray(e0, dtype=np.float64)
        self.cutoff = network.options.cutoff
        if n_threads is not None and n_threads != torch.get_num_threads():
            torch.set_num_threads(n_threads)
        self.n_threads = torch.get_num_threads()
        self._species = np.full(119, -1, dtype=np.int32)
        self._species[[atomic_numbers[s] for s in self.elements]] = np.arange(len(self.elements))

    @property
    def dtype_name(self) -> str:
        """``float64`` or ``float32``."""
        return str(self.dtype).removeprefix("torch.")

    def statistics(self) -> dict[str, Any]:
        """Precision, device, instruction set and whether the fused kernel runs."""
        from lacemaker import _core
        from lacemaker.networks import fused

        usable = fused.usable(torch.zeros(1, dtype=self.dtype, device=self.device))
        isa = f"{_core.isas()[-1]} kernels" if usable else f"PyTorch on {self.device}"
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
        if len(species) == 0:
            return _prediction(np.zeros(0), np.zeros((0, 3)), np.zeros(6), cell, pbc)
        graph = Graph.from_list(species, positions, cell, neighbours, self.cutoff)
        (found,) = self._run([graph], forces)
        site, gradient, virial = found
        if not (np.isfinite(site).all() and (gradient is None or np.isfinite(gradient).all())):
            raise _no_energy(positions, cell, neighbours, f"energy {site.sum()} eV")
        return _prediction(site, gradient, virial, cell, pbc)

    def predict_batch(self, structures: Sequence[Any], *, forces: bool = True) -> list[Prediction]:
        """Evaluate several structures at once.

        Raises
        ------
        EvaluationError
            As `predict`, with the position of the structure.
        """
        prepared = [self.prepare(s) for s in structures]
        lists = [self.neighbours(positions, cell, pbc) for _, positions, cell, pbc in prepared]
        graphs = [
            Graph.from_list(species, positions, cell, near, self.cutoff)
            for (species, positions, cell, _), near in zip(prepared, lists, strict=True)
        ]
        out = []
        for k, (site, gradient, virial) in enumerate(self._run(graphs, forces)):
            _, positions, cell, pbc = prepared[k]
            if not (np.isfinite(site).all() and (gradient is None or np.isfinite(gradient).all())):
                reason = _no_energy(positions, cell, lists[k], f"energy {site.sum()} eV")
                raise EvaluationError(f"Structure {k} of the batch: {reason}")
            out.append(_prediction(site, gradient, virial, cell, pbc))
        return out

    def _run(
        self, graphs: Sequence[Graph], forces: bool
    ) -> list[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]:
        """Site energies, forces and virial of each graph."""
        batch = Batch.of(graphs, self.dtype, self.device)
        result = self.network.evaluate(batch, forces=forces)
        species = np.concatenate([g.species for g in graphs])
        site = _array(result.site_energies) + self.e0[species]
        ends = np.cumsum([len(g.species) for g in graphs])[:-1]
        sites = np.split(site, ends)
        if not forces:
            return [(s, None, None) for s in sites]
        gradients = np.split(_array(result.forces()), ends)
        return list(zip(sites, gradients, _voigt(result), strict=True))


def _array(values: torch.Tensor) -> np.ndarray:
    return values.detach().to("cpu", torch.float64).numpy()


def _voigt(result: Result) -> np.ndarray:
    """(n_structures, 6) in the order xx yy zz yz xz xy."""
    w = _array(result.virial())
    return np.ascontiguousarray(w[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]])
