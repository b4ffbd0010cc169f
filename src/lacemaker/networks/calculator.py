"""The ASE face of a network: as `lacemaker.Calculator`, with the same lasting neighbour lists."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import Calculator as AseCalculator

from lacemaker.calculators import Calculator, LastingNeighbours, checked_skin
from lacemaker.networks.potential import NetworkPotential

if TYPE_CHECKING:
    from lacemaker.networks.hessian import NetworkHessian

__all__ = ["NetworkCalculator"]


class NetworkCalculator(Calculator):
    """ASE calculator of a network: ``energy``, ``free_energy``, ``energies``, ``forces``, ``stress``.

    ``calc.get_property("hessian", atoms)`` is the sparse Hessian by automatic differentiation,
    always in float64.

    Parameters
    ----------
    potential : NetworkPotential or path
        A network, or the path of the file `lace train` wrote.
    skin : float
        Extra reach of the neighbour list in Å: the list is rebuilt only once atoms have moved half of it.
    n_threads : int, optional
        Threads of PyTorch while it runs; default those of the process.
    dtype : {"float32", "float64"}, optional
        Default: the precision of training.
    device : str
        ``cpu``, ``cuda`` or ``auto``; default that of the potential.
    isa : str
        Instruction set of the kernels, "auto" for the best of this machine.

    Raises
    ------
    ConfigError
        For a device that is not there.
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
        device: str | None = None,
        isa: str = "auto",
    ) -> None:
        AseCalculator.__init__(self)
        path = None if isinstance(potential, NetworkPotential) else os.fspath(potential)
        self.potential: Any = potential if path is None else NetworkPotential.load(path)
        self.parameters.update(
            potential=path, skin=checked_skin(skin), n_threads=n_threads, dtype=dtype, device=device, isa=isa
        )
        self._start()

    def _start(self) -> None:
        p = self.parameters
        self._evaluator = self.potential.evaluator(p["isa"], p["dtype"], p["n_threads"], p["device"])
        self._neighbours = LastingNeighbours(self._evaluator, p["skin"])

    def _hessian_evaluator(self) -> NetworkHessian:
        p = self.parameters
        return self.potential.hessian_evaluator(p["isa"], p["n_threads"], p["device"])
