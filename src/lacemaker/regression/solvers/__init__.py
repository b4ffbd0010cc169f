"""Solvers of the triangular system, one class per file, found by ``kind``."""

import pkgutil
from importlib import import_module

from lacemaker.regression.solvers.base import Solver, parse_solver, solver_kinds
from lacemaker.regression.solvers.blr import BLR
from lacemaker.regression.solvers.qr import QR

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["BLR", "QR", "Solver", "parse_solver", "solver_kinds"]
