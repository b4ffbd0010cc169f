"""The ``.lace`` file, format version 1.

A ``.lace`` file is one safetensors file: 8 bytes holding N (little-endian, unsigned), N bytes of JSON naming
each array with its type, shape and byte range, then the raw little-endian bytes of the arrays, C order. It
holds data only; reading one runs no code. All that is needed to *evaluate* the potential is in the arrays: a
reader in C++ needs no basis construction and nothing of the inner JSON but ``version`` and ``sha256``.

Header
------
``__metadata__`` has the single key ``lacemaker``, whose value is a JSON text with sorted keys::

    format    "lacemaker potential"
    version   1; a reader refuses a larger one
    sha256    64 hexadecimal digits, see below
    units     {"energy": "eV", "length": "Å"}
    basis     from which lacemaker rebuilds the basis to fit again; not needed to evaluate
    metadata  versions, data hashes, error tables, solver, prior, licence, citation; not needed to evaluate

``sha256`` is that of the following bytes, one after another: the JSON text with the 64 digits replaced by 64
zeros; then, for each array in the byte order of the names, ``name|type|shape|`` (such as
``a_spec|I32|91,4|``) and its raw bytes.

Arrays
------
F64, I32, I64 are the safetensors types. Z species in the order of ``elements``; N many-body and P pair radial
functions; A one-particle functions; T products of I factors in all; K basis functions of C channels in all.
Indices start from 0, except n. Energies in eV, lengths in Å.

====================== ==== ============ ================================================================
elements               I32  (Z,)         atomic numbers
e0                     F64  (Z,)         energy of the isolated atom
mb_transform           I32  (1,)         0 Agnesi, 1 polynomial, 2 identity, 3 Morse: formulas below
mb_transform_params    F64  (Z, Z, 5)    rin, r0, rcut, p, q of (centre, neighbour)
mb_envelope            I32  (1,)         0 to 3: formulas below
mb_envelope_params     F64  (2,)         p1, p2
mb_beta, mb_gamma      F64  (N,)         P_0 = 1, P_k = (x - beta[k-1]) P_{k-1} - gamma[k-1] P_{k-2}
mb_norm                F64  (N,)         R_n = norm[n-1] envelope P_{n-1}, n = 1 … N
pair_…                 as mb_…           the same for the pair basis, with P functions
pair_coefficients      F64  (Z, Z, P)    (centre, neighbour, n - 1)
zbl                    F64  (Z, Z, 3)    product of the charges (0: none), r_inner, r_outer
zbl_a                  F64  (Z, Z)       screening length
a_first                I32  (Z + 1,)     centre z has rows a_first[z] … a_first[z+1] - 1 of a_spec
a_spec                 I32  (A, 4)       species of the neighbour, n (from 1), l, m
term_centre            I32  (Z + 1,)     centre z has products term_centre[z] … term_centre[z+1] - 1
term_first             I64  (T + 1,)     product t has entries term_first[t] … of term_index
term_index             I32  (I,)         A functions, counted within their centre
term_weight            F64  (T,)         weight of each product
coefficients           F64  (K,)         coefficients of the basis functions
column_kind            I32  (K,)         0 many-body, 1 pair
column_centre          I32  (K,)         species of the central atom
column_first           I64  (K + 1,)     function k has rows column_first[k] … of column_channels
column_channels        I32  (C, 3)       species of the neighbour, n (from 1), l
column_multiplicity    I32  (K,)         counts the functions that agree in all of the above
====================== ==== ============ ================================================================

The last six say what was fitted and identify functions by their quantum numbers; a program that only
evaluates may skip them. Further arrays have names that begin with ``extra.``; a reader skips those it does
not know. Readers must check that indices stay within their arrays.

Formulas
--------
Energy of atom i of species s, over its neighbours j of species t at distance r < rcut[s, t], direction u::

    E_i = e0[s] + sum_products weight · prod A
          + sum_j [ sum_n pair_coefficients[s, t, n-1] R^pair_n(r) + V_ZBL(r) / 2 ]
    A_{t n l m} = sum_{j of species t} R_n(r) Y_lm(u)

Y_lm are real, orthonormal on the sphere, without Condon-Shortley phase: Y_00 = (4π)^(-1/2), (Y_1,-1, Y_10,
Y_11) = (3/4π)^(1/2) (y, z, x). Every radial function is zero from rcut on.
x = clip(2 (y(r) - y(rin)) / (y(rcut) - y(rin)) - 1, -1, 1) with the transform y::

    0  Agnesi      1 / (1 + a s^q / (1 + s^(q-p))), s = (r - rin) / (r0 - rin), 1 below rin,
                   a = (p (4q - 2) - 2q) / (p + p² + q + q²)
    1  polynomial  ((1 + r0) / (1 + r))^p
    2  identity    r
    3  Morse       exp(-p (r / r0 - 1))

and the envelopes::

    0  one         1
    1  x           (x + 1)^p1 (1 - x)^p2
    2  r           s^-p - c^-p + p c^(-p-1) (s - c), s = r / r0, c = rcut / r0, p = p1
    3  Coulomb     ((r / rcut)^-p1 - 1) (1 - r / rcut)

V_ZBL = 14.399645 Z_i Z_j / r φ(r / a) w(r), φ(s) = 0.18175 e^(-3.19980 s) + 0.50986 e^(-0.94229 s) + 0.28022
e^(-0.40290 s) + 0.02817 e^(-0.20162 s), w = 1 below r_inner, 0 above r_outer, 1 - 10 t³ + 15 t⁴ - 6 t⁵
between, t = (r - r_inner) / (r_outer - r_inner).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lacemaker.errors import FileFormatError, problem
from lacemaker.potential.program import COLUMN_ARRAYS, PROGRAM_ARRAYS, check_arrays

__all__ = ["FORMAT_VERSION", "Contents", "check_extras", "decode", "encode"]

FORMAT_VERSION = 1
EXTRA = "extra."
_FORMAT_NAME = "lacemaker potential"
_METADATA_KEY = "lacemaker"
_UNITS = {"energy": "eV", "length": "Å"}
_NO_DIGEST = "0" * 64
_TYPES = {"F64": "<f8", "I64": "<i8", "I32": "<i4"}
_CODES = {"float64": "F64", "int64": "I64", "int32": "I32"}

Raw = Mapping[str, tuple[str, tuple[int, ...], bytes]]  # name: (type, shape, bytes)


class Contents(NamedTuple):
    """What a file holds: checked arrays, extra arrays, basis specification and provenance."""

    arrays: dict[str, np.ndarray]
    extras: dict[str, np.ndarray]
    basis: dict[str, Any]
    metadata: dict[str, Any]


def check_extras(extras: Mapping[str, np.ndarray]) -> None:
    """Raise FileFormatError if an array is of a type the format does not know."""
    for name, array in extras.items():
        if str(array.dtype) not in _CODES:
            raise problem(
                FileFormatError,
                f"the array {name!r} cannot travel in a .lace file",
                str(array.dtype),
                "convert it to float64, int64 or int32",
            )


def encode(contents: Contents) -> bytes:
    """The bytes of a file; equal contents give equal bytes."""
    from safetensors.numpy import save

    named = {**contents.arrays, **{EXTRA + name: array for name, array in contents.extras.items()}}
    # safetensors stores wrong numbers, silently, for arrays that are not C-contiguous
    arrays = {name: np.ascontiguousarray(named[name]) for name in sorted(named)}
    header = {
        "format": _FORMAT_NAME,
        "version": FORMAT_VERSION,
        "sha256": _NO_DIGEST,
        "units": _UNITS,
        "basis": contents.basis,
        "metadata": contents.metadata,
    }
    raw = {name: (_CODES[str(array.dtype)], array.shape, array.tobytes()) for name, array in arrays.items()}
    text = _text({**header, "sha256": _digest(_text(header), raw)})
    return save(arrays, {_METADATA_KEY: text})


def _text(header: Mapping[str, Any]) -> str:
    return json.dumps(header, sort_keys=True, allow_nan=False, ensure_ascii=True)


def decode(data: bytes, source: str) -> Contents:
    """Read and check the bytes of a file; `source` names it in messages.

    Raises
    ------
    FileFormatError
        If the bytes are anything else than a complete, unchanged file of a version this reader knows.
    """
    text, header = _header(data, source)
    version = header.get("version")
    if type(version) is not int or version < 1:  # True is an int too
        raise _not_lace(source, f"a header whose version is {version!r}")
    if version > FORMAT_VERSION:
        raise problem(
            FileFormatError,
            f"{source} was written by a newer lacemaker",
            f"format version {version}, while this lacemaker reads versions up to {FORMAT_VERSION}",
            "update lacemaker (pip install --upgrade lacemaker), or save the potential with this version",
        )
    raw = _raw_arrays(data, source)
    stored = header.get("sha256")
    if not isinstance(stored, str) or _digest(text.replace(stored, _NO_DIGEST, 1), raw) != stored:
        raise problem(
            FileFormatError,
            f"{source} is damaged or was edited",
            "contents that do not match the SHA-256 digest in its header",
            "take a fresh copy; to change provenance, load the potential, use potential.with_metadata(…) "
            "and save it",
        )
    return _contents(header, raw, source)


def _header(data: bytes, source: str) -> tuple[str, dict[str, Any]]:
    """The inner JSON text and what it says."""
    if len(data) < 8:
        raise _not_lace(source, f"{len(data)} bytes")
    length = int.from_bytes(data[:8], "little")
    if length > len(data) - 8 and data[8:10] == b'{"':
        raise _truncated(source, f"{len(data) - 8} bytes, while the header alone has {length}")
    try:
        text = json.loads(data[8 : 8 + length])["__metadata__"][_METADATA_KEY]
        header = json.loads(text)
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _not_lace(source, f"the first bytes {data[:16]!r} and no lacemaker header") from None
    if not isinstance(header, dict) or header.get("format") != _FORMAT_NAME:
        raise _not_lace(source, "a safetensors file with a header of another kind")
    return text, header


def _not_lace(source: str, found: str) -> FileFormatError:
    do = "give a file written by potential.save(…) or lace fit"
    return problem(FileFormatError, f"{source} is not a .lace potential", found, do)


def _truncated(source: str, found: str) -> FileFormatError:
    do = "copy the file again; if it was being written, wait for it to be complete"
    return problem(FileFormatError, f"{source} is truncated or damaged", found, do)


def _raw_arrays(data: bytes, source: str) -> Raw:
    """Type, shape and bytes of each array, by name."""
    import safetensors

    try:
        views = safetensors.deserialize(data)
    except Exception as error:  # whatever the parser dislikes, the file is unusable
        found = f"{len(data)} bytes that do not make a complete safetensors file ({error})"
        raise _truncated(source, found) from error
    return {name: (view["dtype"], tuple(view["shape"]), bytes(view["data"])) for name, view in views}


def _digest(text: str, raw: Raw) -> str:
    """SHA-256 over the header text (its own digest blanked) and every array; see the module's docstring."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(raw, key=str.encode):
        code, shape, content = raw[name]
        sha.update(f"{name}|{code}|{','.join(map(str, shape))}|".encode())
        sha.update(content)
    return sha.hexdigest()


def _contents(header: dict[str, Any], raw: Raw, source: str) -> Contents:
    """Turn verified bytes into checked arrays."""
    rules = {**PROGRAM_ARRAYS, **COLUMN_ARRAYS}
    try:
        arrays = {name: _array(name, raw[name]) for name in raw if name in rules}
        extras = {name.removeprefix(EXTRA): _array(name, raw[name]) for name in raw if name.startswith(EXTRA)}
        unknown = [name for name in raw if name not in rules and not name.startswith(EXTRA)]
        if unknown:
            raise ValueError(f"arrays that format version {FORMAT_VERSION} does not know: {unknown}")
        check_arrays(arrays, rules)
        basis, metadata = header.get("basis"), header.get("metadata")
        if not isinstance(basis, dict) or not isinstance(metadata, dict):
            raise ValueError("a header whose 'basis' and 'metadata' are not tables")
    except ValueError as error:
        raise problem(
            FileFormatError,
            f"{source} holds an impossible potential",
            str(error),
            "save the potential again with lacemaker; if lacemaker wrote this file, please report it",
        ) from error
    return Contents(arrays, extras, basis, metadata)


def _array(name: str, raw: tuple[str, tuple[int, ...], bytes]) -> np.ndarray:
    code, shape, content = raw
    if code not in _TYPES:
        raise ValueError(f"the array {name!r} holds {code} instead of F64, I32 or I64")
    array = np.frombuffer(content, dtype=_TYPES[code]).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
