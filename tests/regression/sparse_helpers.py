"""Problems for sparse solvers: correlated columns whose norms spread over decades, as ACE rows have them."""

import numpy as np

from lacemaker.regression.factor import Accumulator
from lacemaker.regression.problem import Block, Problem


def correlated(seed: int, n_rows: int = 300, n_columns: int = 120, *, decades: float = 2.0):
    """Rows (n_rows, n_columns) and target: a sparse truth and noise."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_rows, n_columns))
    half = n_columns // 2
    rows[:, half : 2 * half] = rows[:, :half] + 0.1 * rows[:, half : 2 * half]
    rows *= np.logspace(0, -decades, n_columns)
    truth = np.where(rng.random(n_columns) < 0.3, rng.standard_normal(n_columns), 0.0)
    return rows, rows @ truth + 0.1 * rng.standard_normal(n_rows)


def problem_of(rows: np.ndarray, target: np.ndarray, functions: tuple = (), held_out=None) -> Problem:
    """The rows as one block of a problem; ``held_out`` = (rows, target) to validate on."""
    accumulator = Accumulator(rows.shape[1] + 1)
    accumulator.add(rows, target[:, None])
    score = None
    if held_out is not None:

        def score(coefficients):
            return np.mean((coefficients @ held_out[0].T - held_out[1]) ** 2, axis=-1)

    return Problem((Block("forces", accumulator.finish()),), functions, score)
