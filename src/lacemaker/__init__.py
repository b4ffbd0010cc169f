"""lacemaker: fast, sparse, explainable linear Atomic Cluster Expansion potentials.

>>> import lacemaker as lace
>>> frames = lace.read("train.xyz")                                       # doctest: +SKIP
>>> basis = lace.ACEBasis(["Si"], 3, [20, 16, 12], cutoff=5.5)            # doctest: +SKIP
>>> fit = lace.solve(lace.assemble(basis, frames))                        # doctest: +SKIP
>>> fit.potential().save("si.lace")                                       # doctest: +SKIP

or, from a configuration file, ``lace.fit("config.yaml")``. Names are loaded when first used, so that
importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis, preset
    from lacemaker.calculators import Calculator
    from lacemaker.potential import Potential
    from lacemaker.priors import AlgebraicPrior
    from lacemaker.regression import ASP, BLR, OMP, QR, assemble, solve
    from lacemaker.regression import BodyOrder as BodyOrder  # found by name, not listed
    from lacemaker.structures import read
    from lacemaker.workflow import evaluate, fit, load

__version__ = "0.1.0"

_HOME = {
    "read": "lacemaker.structures",
    "ACEBasis": "lacemaker.basis",
    "preset": "lacemaker.basis",
    "assemble": "lacemaker.regression",
    "solve": "lacemaker.regression",
    "BLR": "lacemaker.regression",
    "QR": "lacemaker.regression",
    "ASP": "lacemaker.regression",
    "OMP": "lacemaker.regression",
    "BodyOrder": "lacemaker.regression",
    "AlgebraicPrior": "lacemaker.priors",
    "Potential": "lacemaker.potential",
    "Calculator": "lacemaker.calculators",
    "load": "lacemaker.workflow",
    "fit": "lacemaker.workflow",
    "evaluate": "lacemaker.workflow",
}

__all__ = [  # noqa: RUF022  (in the order of use)
    "read",
    "ACEBasis",
    "preset",
    "assemble",
    "solve",
    "BLR",
    "QR",
    "ASP",
    "OMP",
    "AlgebraicPrior",
    "Potential",
    "Calculator",
    "load",
    "fit",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lacemaker' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
