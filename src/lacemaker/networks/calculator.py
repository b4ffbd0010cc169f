"""The ASE face of a network: as `lacemaker.Calculator`, with the same lasting neighbour lists."""

from __future__ import annotations

import os
from typing import Any

from ase.calculators.calculator import Calculator as AseCalculator

from lacemaker.calculators import Calculator, LastingNeighbours, checked_skin
from lacemaker.networks.potential import NetworkPotential

__all__ = ["NetworkCalculator"]


class NetworkCalculator(Calculator):
    """ASE calculator of a network: ``energy``, ``free_energy``, ``energies``, ``forces``, ``stress``.

    Parameters
    ----------
    potential : NetworkPotential or path
        A network, or the path of the file `lace train` wrote.
    skin : float
        Extra reach of the neighbour list in Å: the list is rebuilt only once atoms have moved half of it.
    n_threads : int, optional
        Threads of PyTorch in this process; default unchanged.
    dtype : {"float32", "float64"}, optional
        Default: the precision of training.
    device : str
        ``cpu``, ``cuda`` or ``auto``.

    Raises
    ------
    FileFormatError
        If the path does not lead to a readable network.
    EvaluationError
        On use: unknown element, atoms on top of each other, flat periodic cell, positions not finite.
    """

    name = "lacemaker-network"

    def __init__(
        self,
        potential: NetworkPotential | str | os.PathLike[str],
        *,
        skin: float = 0.5,
        n_threads: int | None = None,
        dtype: str | None = None,
        device: str = "cpu",
    ) -> None:
        AseCalculator.__init__(self)
        path = None if isinstance(potential, NetworkPotential) else os.fspath(potential)
        self.potential: Any = potential if path is None else NetworkPotential.load(path)
        self.parameters.update(
            potential=path, skin=checked_skin(skin), n_threads=n_threads, dtype=dtype, device=device
        )
        self._start()

    def _start(self) -> None:
        p = self.parameters
        self._evaluator = self.potential.evaluator(
            dtype=p["dtype"], n_threads=p["n_threads"], device=p["device"]
        )
        self._neighbours = LastingNeighbours(self._evaluator, p["skin"])
