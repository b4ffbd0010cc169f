"""Rows -> triangular system -> solvers -> fit. Compress once, solve anything."""

from lacemaker.regression.assembly import assemble
from lacemaker.regression.body_order import BodyOrder
from lacemaker.regression.estimation import Estimate, estimate
from lacemaker.regression.fit import Fit, Posterior
from lacemaker.regression.path import ModelPath, PathModel
from lacemaker.regression.reexpression import in_basis
from lacemaker.regression.rows import BasisRows, Design, RowSource
from lacemaker.regression.solvers import BLR, QR, Solver, parse_solver, solver_kinds
from lacemaker.regression.solvers.ard import ARD
from lacemaker.regression.solvers.asp import ASP
from lacemaker.regression.solvers.omp import OMP
from lacemaker.regression.solving import solve
from lacemaker.regression.triangular import Group, GroupKey, TriangularSystem
from lacemaker.regression.weights import DEFAULT_WEIGHTS

__all__ = [
    "ARD",
    "ASP",
    "BLR",
    "DEFAULT_WEIGHTS",
    "OMP",
    "QR",
    "BasisRows",
    "BodyOrder",
    "Design",
    "Estimate",
    "Fit",
    "Group",
    "GroupKey",
    "ModelPath",
    "PathModel",
    "Posterior",
    "RowSource",
    "Solver",
    "TriangularSystem",
    "assemble",
    "estimate",
    "in_basis",
    "parse_solver",
    "solve",
    "solver_kinds",
]
