"""The few LAPACK routines the triangular system lives on, in place and without the GIL.

SciPy publishes its LAPACK as C function pointers (``scipy.linalg.cython_lapack``). Calling them through
:mod:`ctypes` releases the GIL, works in the caller's own buffers and reaches routines (``gebrd``) that
``scipy.linalg.lapack`` does not wrap. Matrices are float64 and Fortran-ordered throughout.

Background: Golub and Van Loan, *Matrix Computations* (4th ed.), 5.2 (QR), 8.6 (bidiagonalisation);
``tpqrt`` updates a triangular factor with a block of rows (LAPACK Working Note 222).
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bidiagonal",
    "absorb_rows",
    "move_columns",
    "reciprocal_condition",
    "singular_projection",
    "solve_triangle",
    "take_out_row",
]

Matrix = NDArray[np.float64]

_PANEL = 32  # columns per Householder panel; 32 and 64 are equally fast, 32 needs half the workspace


@cache
def _routine(name: str) -> Callable[..., None]:
    """Return LAPACK's ``name`` as a ctypes function taking only pointers."""
    from scipy.linalg import cython_lapack

    capsule = cython_lapack.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    signature = get_name(capsule)
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * signature.count(b"*"))
    return prototype(get_pointer(capsule, signature))


def _call(name: str, *arguments: Any) -> None:
    """Call LAPACK: ints go by reference, strings as characters, arrays as pointers; ``info`` is appended."""
    info = ctypes.c_int(0)
    pointers: list[Any] = []
    for argument in arguments:
        if isinstance(argument, str):
            pointers.append(ctypes.cast(ctypes.c_char_p(argument.encode()), ctypes.c_void_p))
        elif isinstance(argument, np.ndarray):
            pointers.append(argument.ctypes.data)
        else:
            pointers.append(ctypes.addressof(argument))
    _routine(name)(*pointers, ctypes.addressof(info))
    if info.value != 0:
        raise ArithmeticError(f"LAPACK {name} returned info = {info.value}")


def _int(value: int) -> ctypes.c_int:
    return ctypes.c_int(value)


def _require(array: Matrix) -> None:
    if array.dtype != np.float64 or not array.flags.f_contiguous or not array.flags.writeable:
        raise TypeError("expected a writeable, Fortran-ordered float64 matrix")


def absorb_rows(factor: Matrix, rows: Matrix, *, triangular: bool = False) -> None:
    """Update ``factor`` so that its Gram matrix gains that of ``rows`` (both are overwritten).

    Parameters
    ----------
    factor : (n, n) array, Fortran order
        Upper triangle R; on return R'ᵀR' = RᵀR + BᵀB. The strict lower triangle is never touched.
    rows : (m, n) array, Fortran order
        B; destroyed.
    triangular : bool
        True when ``rows`` is itself an (n, n) upper triangle: a third of the work.
    """
    _require(factor)
    _require(rows)
    n, m = factor.shape[1], rows.shape[0]
    if m == 0 or n == 0:
        return
    panel = min(_PANEL, n)
    reflectors, work = np.empty(panel * n), np.empty(panel * n)
    _call(
        "dtpqrt", _int(m), _int(n), _int(n if triangular else 0), _int(panel),
        factor, _int(n), rows, _int(m), reflectors, _int(panel), work,
    )  # fmt: skip


class Bidiagonal:
    """R = Q B Pᵀ with B upper bidiagonal; Q and P are kept as reflections (8/3 n³ flops, one copy of R).

    Attributes
    ----------
    diagonal : (n,) array
    off : (n - 1,) array
        Above the diagonal of B.
    """

    def __init__(self, matrix: Matrix) -> None:
        n = self._n = matrix.shape[0]
        self._reflections = np.array(matrix, dtype=np.float64, order="F")
        self.diagonal, off = np.empty(n), np.empty(max(n, 1))
        self._tau_q, self._tau_p, self._work = np.empty(n), np.empty(n), np.empty(max(64 * 2 * n, 1))
        if n > 0:
            _call(
                "dgebrd", _int(n), _int(n), self._reflections, _int(n), self.diagonal, off,
                self._tau_q, self._tau_p, self._work, _int(self._work.size),
            )  # fmt: skip
        self.off = off[: max(n - 1, 0)]

    def left(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Qᵀ target, (n,)."""
        rotated, n = np.array(target, dtype=np.float64), _int(self._n)
        if self._n > 0:
            _call(
                "dormbr", "Q", "L", "T", n, _int(1), n, self._reflections, n, self._tau_q,
                rotated, n, self._work, _int(self._work.size),
            )  # fmt: skip
        return rotated

    def right(self, rows: Matrix) -> Matrix:
        """Rows times P, (m, n) with m at most n."""
        rotated, n = np.array(rows, dtype=np.float64, order="F"), _int(self._n)
        m = _int(len(rotated))
        if rotated.size > 0:
            _call(
                "dormbr", "P", "R", "N", m, n, n, self._reflections, n, self._tau_p,
                rotated, m, self._work, _int(self._work.size),
            )  # fmt: skip
        return rotated

    def singular_projection(self, target: NDArray[np.float64]) -> tuple[Matrix, Matrix]:
        """Singular values (descending) and Uᵀ target, by implicit QR on the bidiagonal alone."""
        n = self._n
        diagonal, off, rotated = self.diagonal.copy(), self.off.copy(), self.left(target)
        none, one = np.empty(1), _int(1)
        if n > 0:
            _call(
                "dbdsqr", "U", _int(n), _int(0), _int(0), one, diagonal, off if n > 1 else none,
                none, one, none, one, rotated, _int(n), self._work,
            )  # fmt: skip
        return diagonal, rotated


def singular_projection(factor: Matrix, target: NDArray[np.float64]) -> tuple[Matrix, Matrix]:
    """Singular values d of a square matrix and Uᵀ target, without forming U or V.

    About a third of the time of a full SVD and one (n, n) copy of memory.

    Returns
    -------
    values : (n,) array, descending
    projection : (n,) array
        Uᵀ target in the same order.
    """
    return Bidiagonal(factor).singular_projection(target)


def reciprocal_condition(factor: Matrix) -> float:
    """Estimate 1 / (‖R‖₁ ‖R⁻¹‖₁) of an upper triangle (``trcon``; 0 when a diagonal entry is 0)."""
    from scipy.linalg import lapack

    if factor.shape[0] == 0:
        return 1.0
    return float(lapack.dtrcon(factor, norm="1", uplo="U", diag="N")[0])


def solve_triangle(storage: Matrix, right: Matrix, *, transposed: bool = False) -> Matrix:
    """R⁻¹ V or R⁻ᵀ V, R the leading (k, k) upper triangle of a larger matrix, V (k,) or (k, j).

    Parameters
    ----------
    storage : (c, c) array, Fortran order
        Holds R in its first k rows and columns; it is not copied.
    right : (k,) or (k, j) array
    """
    result = np.array(right, dtype=np.float64, order="F")
    k = result.shape[0]
    if k > 0:
        count = 1 if result.ndim == 1 else result.shape[1]
        _call(
            "dtrtrs", "U", "T" if transposed else "N", "N", _int(k), _int(count), storage,
            _int(storage.shape[0]), result, _int(k),
        )  # fmt: skip
    return result


def take_out_row(factor: Matrix, vectors: Matrix, position: int, count: int) -> None:
    """Prepare the deletion of column p of Q R: rotate R's rows p… so that row p no longer counts.

    Row p lies above the triangle of rows and columns p + 1 … k - 1; ``tpqrt`` absorbs it into that triangle,
    and the same reflections are applied to the columns of ``vectors``. Afterwards column p of ``vectors`` is
    orthogonal to what the other columns span together with R's columns without p.

    Parameters
    ----------
    factor : (c, c) array, Fortran order
        R in its first k rows and columns; rows p + 1 … are overwritten, columns p + 1 … of row p are stale.
    vectors : (r, c) array, Fortran order
        Q, and any rows that transform as Q does; columns p … k - 1 are overwritten.
    position, count : int
        p and k.
    """
    _require(factor)
    _require(vectors)
    n = count - position - 1
    if n <= 0:
        return
    panel = min(_PANEL, n)
    row = np.array(factor[position, position + 1 : count])
    below, lead = factor[position + 1 :, position + 1 :], _int(factor.shape[0])
    reflectors, work = np.empty(panel * n), np.empty(panel * max(n, vectors.shape[0]))
    one, zero = _int(1), _int(0)
    _call("dtpqrt", one, _int(n), zero, _int(panel), below, lead, row, one, reflectors, _int(panel), work)
    height = _int(vectors.shape[0])
    _call(
        "dtpmqrt", "R", "N", height, one, _int(n), zero, _int(panel), row, one, reflectors, _int(panel),
        vectors[:, position + 1 :], height, vectors[:, position], height, work,
    )  # fmt: skip


def move_columns(vectors: Matrix, position: int, count: int) -> None:
    """Move columns p + 1 … k - 1 one to the left, over column p, without a copy of them."""
    _require(vectors)
    size = (count - position - 1) * vectors.shape[0] * vectors.itemsize
    if size > 0:
        target = vectors[:, position].ctypes.data
        ctypes.memmove(target, vectors[:, position + 1].ctypes.data, size)
