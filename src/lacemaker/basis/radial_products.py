"""Products of radial functions of one neighbour, expanded in a longer list of the same radial functions.

R_n = env(x) p_{n-1}(x) with orthonormal polynomials p of the transformed distance x. If env is a polynomial
of x too, of degree e, then

    R_a R_b = env [p_{a-1} env p_{b-1}] = sum over n <= a + b - 1 + e of q_n R_n,     exactly.

Multiplication by x is the Jacobi matrix J of the three-term recurrence, hence q = p_{a-1}(J) env(J) e_{b-1}:
no samples, no least squares. Envelopes of other kinds (functions of r itself) leave the space: refused.
"""

import numpy as np

from lacemaker.basis.envelopes import Envelope, One, XEnvelope
from lacemaker.basis.messages import basis_error
from lacemaker.basis.radial import Jacobi, RadialBasis


class RadialProducts:
    """Expansions of products of up to `max_factors` of the first `n_max` radial functions.

    Parameters
    ----------
    envelope
        `XEnvelope` or `One`: see `check_closed`.
    polynomials
        With both weights spelled out.
    """

    def __init__(self, envelope: Envelope, polynomials: Jacobi, n_max: int, max_factors: int) -> None:
        self.degree = envelope_degree(envelope)
        size = max_factors * (n_max - 1) + (max_factors - 1) * self.degree + 1
        beta, gamma, norm = polynomials.recurrence(size + 1)
        off = np.sqrt(gamma[1:])
        x = np.diag(beta[:size]) + np.diag(off[: size - 1], 1) + np.diag(off[: size - 1], -1)
        powers = np.empty((n_max, size, size))  # p_k(J), then times env(J)
        powers[0] = norm[0] * np.eye(size)
        for k in range(1, n_max):
            powers[k] = (x - beta[k - 1] * np.eye(size)) @ powers[k - 1]
            if k > 1:
                powers[k] -= off[k - 2] * powers[k - 2]
            powers[k] /= off[k - 1]
        self._times = powers @ _envelope_matrix(envelope, x)
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def expansion(self, members: tuple[int, ...]) -> np.ndarray:
        """Coefficients q, (n_out,), of prod_t R_members[t] = sum_n q[n - 1] R_n; members ascend, from 1."""
        if members not in self._known:
            degree = sum(members) - len(members) + (len(members) - 1) * self.degree
            if len(members) == 1:
                found = np.zeros(degree + 1)
                found[-1] = 1.0
            else:
                inner = self.expansion(members[:-1])
                found = self._times[members[-1] - 1][: degree + 1, : len(inner)] @ inner
            self._known[members] = found
        return self._known[members]


def _envelope_matrix(envelope: Envelope, x: np.ndarray) -> np.ndarray:
    """env(J); common powers of (1 + x)(1 - x) first, so that functions of odd parity stay exactly zero."""
    one = np.eye(len(x))
    if isinstance(envelope, One):
        return one
    p1, p2 = (int(p) for p in envelope.parameters())
    common = min(p1, p2)
    power = np.linalg.matrix_power
    both = power((one + x) @ (one - x), common)
    return both @ power(one + x, p1 - common) @ power(one - x, p2 - common)


def envelope_degree(envelope: Envelope) -> int:
    """Degree in x of an envelope that is a polynomial of x."""
    return sum(int(p) for p in envelope.parameters()) if isinstance(envelope, XEnvelope) else 0


def check_closed(radial: RadialBasis, lengths: tuple[float, float, float]) -> None:
    """Refuse radial functions whose products are not radial functions again.

    Parameters
    ----------
    lengths
        (rin, r0, rcut) in Å of one pair, for the residual in the message.

    Raises
    ------
    BasisError
        unless the envelope is a polynomial of the transformed distance x.
    """
    if isinstance(radial.envelope, XEnvelope | One):
        return
    residual = product_residual(radial, lengths)
    raise basis_error(
        "purification needs products of radial functions to be radial functions, hence an envelope that is a "
        "polynomial of the transformed distance x",
        f"envelope {radial.envelope}, a function of r: in {3 * radial.n_max} radial functions the product "
        f"R_1 R_1 leaves a relative residual of {residual:.1e}",
        "use XEnvelope(p1, p2) for the many-body block (YAML: envelope: x); the pair block may keep its own",
    )


def product_residual(
    radial: RadialBasis, lengths: tuple[float, float, float], n_fit: int | None = None
) -> float:
    """Relative residual of the best fit of R_1 R_1 beyond r0/2 by `n_fit` (3 n_max) radial functions."""
    from dataclasses import replace

    rin, r0, rcut = lengths
    r = np.linspace(max(rin, 0.5 * r0), rcut, 4000)[1:-1]
    value, _ = replace(radial, n_max=n_fit or 3 * radial.n_max).evaluate(r, *lengths)
    target = value[0] ** 2
    basis, _ = np.linalg.qr((value / np.linalg.norm(value, axis=1)[:, None]).T)
    return float(np.linalg.norm(target - basis @ (basis.T @ target)) / np.linalg.norm(target))
