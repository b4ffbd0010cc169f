"""What a fit yields: a potential that can be saved, loaded, evaluated and described."""

from lacemaker.potential.columns import ColumnTable
from lacemaker.potential.evaluator import Evaluator, Prediction
from lacemaker.potential.hessian import HessianEvaluator, Rates
from lacemaker.potential.model import Potential
from lacemaker.potential.rebuild import migrate
from lacemaker.potential.threads import default_threads

__all__ = [
    "ColumnTable",
    "Evaluator",
    "HessianEvaluator",
    "Potential",
    "Prediction",
    "Rates",
    "default_threads",
    "migrate",
]
