"""Least squares in the leading singular directions."""

from typing import Literal

import numpy as np
from pydantic import Field

from lacemaker.regression.problem import Matrix, Problem, Solution
from lacemaker.regression.solvers.base import Solver

__all__ = ["TruncatedSVD"]


class TruncatedSVD(Solver):
    """Keep the k largest singular directions of A, c = Γθ, and drop the rest.

    Parameters
    ----------
    cutoff : {"auto", "validation", "gcv", "rtol"}
        How k is found: least residual on validation rows; least generalised cross-validation score
        N ‖A c - y‖² / (N - k)² (Golub, Heath and Wahba, Technometrics 21, 215 (1979)), which needs none; or
        ``rtol`` alone. "auto" validates where there are validation rows and else goes by ``rtol``.
    rtol : float
        Singular values below this times the largest are never used.
    """

    kind: Literal["tsvd"] = "tsvd"
    cutoff: Literal["auto", "validation", "gcv", "rtol"] = "auto"
    rtol: float = Field(default=1e-9, gt=0.0, lt=1.0)

    def solve(self, problem: Problem) -> Solution:
        """See :class:`Solver`."""
        from scipy.linalg import svd

        left, values, right = svd(problem.R, full_matrices=False, check_finite=False)
        usable = int(np.sum(values > self.rtol * values.max(initial=0.0)))
        projection = left.T @ problem.z
        amplitudes = projection[:usable] / values[:usable]
        misfits = _misfits(problem, projection, usable)
        kept, how = self._cut(problem, amplitudes, right[:usable], misfits)
        spare = problem.n_rows - kept
        sigma = float(np.sqrt(misfits[kept] / spare)) if spare > 0 else 0.0
        return Solution(
            coefficients=amplitudes[:kept] @ right[:kept],
            noise={block.kind: sigma for block in problem.blocks},
            rank=usable,
            condition=float(values[0] / values[kept - 1]) if kept else 1.0,
            message=f"kept {kept} of {len(values)} singular directions, {how}",
            details={"directions": kept, "cutoff": float(values[kept - 1] / values[0]) if kept else 1.0},
        )

    def _cut(
        self, problem: Problem, amplitudes: Matrix, directions: Matrix, misfits: Matrix
    ) -> tuple[int, str]:
        """How many directions to keep, and why."""
        usable = len(amplitudes)
        validate = self.cutoff == "validation" or (self.cutoff == "auto" and problem.validation is not None)
        if validate and problem.validation is not None:
            return _validated(problem, amplitudes, directions)
        if self.cutoff == "gcv":
            kept = np.arange(min(usable, problem.n_rows - 1) + 1)
            scores = misfits[kept] / (problem.n_rows - kept) ** 2.0
            return int(np.argmin(scores)), "by generalised cross-validation"
        return usable, f"those above {self.rtol:g} of the largest singular value"


def _misfits(problem: Problem, projection: Matrix, usable: int) -> Matrix:
    """‖A c - y‖² with 0, 1, … usable directions."""
    outside = problem.residual_squared + float(projection[usable:] @ projection[usable:])
    tails = np.append(np.cumsum(projection[:usable][::-1] ** 2)[::-1], 0.0)
    return outside + tails


def _validated(problem: Problem, amplitudes: Matrix, directions: Matrix) -> tuple[int, str]:
    assert problem.validation is not None
    best, kept, start = np.inf, 0, np.zeros(problem.n_columns)
    for begin in range(0, len(amplitudes), 256):  # blocks keep memory at O(K)
        part = slice(begin, begin + 256)
        partial = start + np.cumsum(amplitudes[part, None] * directions[part], axis=0)
        scores = problem.validation(partial)
        lowest = int(np.argmin(scores))
        if scores[lowest] < best:
            best, kept = float(scores[lowest]), begin + lowest + 1
        start = partial[-1]
    return kept, "as many as serve the validation rows best"
