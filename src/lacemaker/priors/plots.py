"""Pictures of priors: how strongly each (n, l) is damped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.priors.base import Prior

__all__ = ["channel_damping", "plot_damping"]


@dataclass(frozen=True)
class _Single:
    """A function of one channel."""

    channels: tuple[tuple[int, int, int], ...]
    centre: int = 0


def channel_damping(
    prior: Prior, *, n_max: int = 12, l_max: int = 8, basis: Any = None, pair: tuple[int, int] = (0, 0)
) -> NDArray[np.float64]:
    """1/γ of single channels relative to (n, l) = (1, 0), (n_max, l_max + 1).

    Parameters
    ----------
    prior : Prior
    n_max, l_max : int
    basis : ACEBasis, optional
        Needed by priors that depend on radial functions.
    pair : (int, int)
        Centre and neighbour species, for those priors.
    """
    centre, z = pair
    functions = [_Single(((z, n, ell),), centre) for n in range(1, n_max + 1) for ell in range(l_max + 1)]
    log_gamma = prior.log_gamma(functions, basis=basis)
    return np.exp(log_gamma[0] - log_gamma).reshape(n_max, l_max + 1)


def plot_damping(
    priors: Sequence[Prior], *, n_max: int = 12, l_max: int = 8, basis: Any = None, axes: Any = None
) -> Any:
    """Draw the damping of single channels against n, one panel per prior, one line per l.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(1, len(priors), figsize=(3.4 * len(priors), 3.0), sharey=True, squeeze=False)
    panels = np.atleast_1d(axes).ravel()
    for panel, prior in zip(panels, priors, strict=True):
        values = channel_damping(prior, n_max=n_max, l_max=l_max, basis=basis)
        for ell in range(0, l_max + 1, 2):
            panel.semilogy(np.arange(1, n_max + 1), values[:, ell], marker=".", label=f"l = {ell}")
        panel.set(title=_title(prior), xlabel="n")
    panels[0].set_ylabel("damping 1/γ")
    panels[-1].legend(frameon=False, fontsize="small")
    panels[0].figure.tight_layout()
    return panels[0].figure


def _title(prior: Prior) -> str:
    told = {k: v for k, v in prior.model_dump().items() if k not in ("kind", "cap")}
    return prior.kind + "".join(f" {k}={v:g}" for k, v in told.items() if isinstance(v, float))
