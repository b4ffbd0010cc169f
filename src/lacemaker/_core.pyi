"""Compiled kernels. Arrays are C-contiguous and of exactly these types; NZ = number of species, N = atoms."""

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

_Int32 = NDArray[np.int32]
_Int64 = NDArray[np.int64]
_Float = NDArray[np.float64]

def isas() -> list[str]:
    """Instruction sets usable on this machine, best last."""

class Tables:
    """Radial functions, repulsion and A channels of one basis; see docs of `lacemaker.basis.tables`."""

    def __init__(
        self,
        *,
        n_species: int,
        mb_transform: int,
        mb_transform_params: _Float,  # (NZ, NZ, 5): rin, r0, rcut in Å, p, q
        mb_envelope: int,
        mb_envelope_params: _Float,  # (2,)
        mb_beta: _Float,  # (n_max,)
        mb_gamma: _Float,  # (n_max,)
        mb_norm: _Float,  # (n_max,)
        pair_transform: int,
        pair_transform_params: _Float,  # (NZ, NZ, 5)
        pair_envelope: int,
        pair_envelope_params: _Float,  # (2,)
        pair_beta: _Float,  # (n_pair,)
        pair_gamma: _Float,  # (n_pair,)
        pair_norm: _Float,  # (n_pair,)
        zbl: _Float,  # (NZ, NZ, 3): Z_i Z_j, r_inner, r_outer in Å
        zbl_a: _Float,  # (NZ, NZ) Å
        a_first: _Int32,  # (NZ + 1,)
        a_spec: _Int32,  # (n_A of all centres, 4): neighbour species, n, l, m
    ) -> None: ...
    @property
    def n_species(self) -> int: ...
    @property
    def cutoff(self) -> float:
        """Largest distance that matters, Å."""

class Committee:
    """Coefficient vectors of one basis that share everything but their weights."""

    def __init__(
        self,
        tables: Tables,
        *,
        term_centre: _Int32,  # (NZ + 1,)
        term_first: _Int64,  # (n_terms + 1,)
        term_index: _Int32,
        term_weight: _Float,  # (k, n_terms) eV
        pair_coefficients: _Float,  # (k, NZ, NZ, n_pair) eV
        e0: _Float,  # (k, NZ) eV
        isa: str = "auto",
        dtype: str = "float32",
    ) -> None: ...
    def evaluate(
        self,
        positions: _Float,  # (N, 3) Å
        cell: _Float,  # (3, 3) Å
        species: _Int32,  # (N,)
        first: _Int64,  # (N + 1,)
        index: _Int32,  # (n_pairs,)
        shift: _Int32,  # (n_pairs, 3)
        *,
        n_threads: int = 1,
    ) -> tuple[_Float, _Float, _Float]: ...  # (k, N) eV, (k, N, 3) eV/Å, (k, 6) eV
    def __len__(self) -> int: ...

class Hessian:
    """Second derivatives of a potential, float64."""

    def __init__(
        self,
        tables: Tables,
        *,
        term_centre: _Int32,  # (NZ + 1,)
        term_first: _Int64,  # (n_terms + 1,)
        term_index: _Int32,
        term_weight: _Float,  # (n_terms,) eV
        pair_coefficients: _Float,  # (NZ, NZ, n_pair) eV
        e0: _Float,  # (NZ,) eV
        isa: str = "auto",
    ) -> None: ...
    def product(
        self,
        positions: _Float,  # (N, 3) Å
        cell: _Float,  # (3, 3) Å
        species: _Int32,  # (N,)
        first: _Int64,  # (N + 1,)
        index: _Int32,  # (n_pairs,)
        shift: _Int32,  # (n_pairs, 3)
        velocity: _Float,  # (N, 3) Å
        strain_rate: _Float | None = None,  # (3, 3)
        *,
        n_threads: int = 1,
    ) -> tuple[_Float, _Float, _Float]: ...  # rates of (N,) eV, (N, 3) eV/Å, (6,) eV
    def sparse(
        self,
        positions: _Float,
        cell: _Float,
        species: _Int32,
        first: _Int64,
        index: _Int32,
        shift: _Int32,
        *,
        n_threads: int = 1,
    ) -> tuple[_Int64, _Int32, _Float]: ...  # block rows: (N + 1,), (n_blocks,), (n_blocks, 3, 3) eV/Å^2

class EvaluatorStatistics(TypedDict):
    n_a: list[int]  # A functions in use, per centre
    terms: int  # distinct products
    blocks: int
    stored_products: int  # rows added for orders above three
    predicted_product_cost: float  # vector FMAs, all centres
    isa: str
    dtype: str
    lanes: int
    bytes: int

class Evaluator:
    """A potential compiled for one instruction set and precision."""

    def __init__(
        self,
        tables: Tables,
        *,
        term_centre: _Int32,  # (NZ + 1,)
        term_first: _Int64,  # (n_terms + 1,)
        term_index: _Int32,
        term_weight: _Float,  # (n_terms,) eV
        pair_coefficients: _Float,  # (NZ, NZ, n_pair) eV
        e0: _Float,  # (NZ,) eV
        isa: str = "auto",
        dtype: str = "float64",
    ) -> None: ...
    def evaluate(
        self,
        positions: _Float,  # (N, 3) Å
        cell: _Float,  # (3, 3) Å
        species: _Int32,  # (N,)
        first: _Int64,  # (N + 1,)
        index: _Int32,  # (n_pairs,)
        shift: _Int32,  # (n_pairs, 3)
        *,
        forces: bool = True,
        n_threads: int = 1,
    ) -> tuple[_Float, _Float, _Float]:
        """Site energies (N,) eV, forces (N, 3) eV/Å, virial (6,) eV; forces=False makes the last two None."""

    def statistics(self) -> EvaluatorStatistics: ...

table_order: int  # coefficients per bin and function of TabulatedEvaluator
max_table_segments: int
max_densities: int
max_order: int  # factors of a term
max_harmonic_degree: int

class TabulatedEvaluator:
    """A potential with tabulated radial functions and embedded densities (tabulated_view.hpp)."""

    def __init__(
        self,
        tables: Tables,  # A channels and cutoffs; its radial functions are not used
        *,
        n_functions: _Int32,  # (NZ, NZ)
        first_function: _Int32,  # (NZ, NZ, lmax + 1): A_znlm is of function first[l] + n - 1
        has_core: _Int32,  # (NZ, NZ): the last function of l = 0 is r V_core(r)
        inner: _Float,  # (NZ, NZ, 2) Å: end and width of the inner cutoff
        segment_first: _Int32,  # (NZ NZ + 1,)
        segment_range: _Float,  # (S, 2) Å
        segment_bins: _Int32,  # (S,)
        coefficients: _Float,  # flat, per pair (bins, table_order, n_functions)
        embedding_kind: _Int32,  # (NZ,): 0 FinnisSinclair, 1 FinnisSinclairShiftedScaled
        embedding_weight: _Float,  # (NZ, P)
        embedding_exponent: _Float,  # (NZ, P)
        embedding_core: _Float,  # (NZ, 2) eV: limit and width
        nearest_switch: bool,
        term_centre: _Int32,  # (NZ + 1,)
        term_first: _Int64,  # (n_terms + 1,)
        term_index: _Int32,
        term_weight: _Float,  # (P, n_terms)
        e0: _Float,  # (NZ,) eV
        isa: str = "auto",
    ) -> None: ...
    def evaluate(
        self,
        positions: _Float,
        cell: _Float,
        species: _Int32,
        first: _Int64,
        index: _Int32,
        shift: _Int32,
        *,
        forces: bool = True,
        n_threads: int = 1,
    ) -> tuple[_Float, _Float, _Float]:
        """As `Evaluator.evaluate`."""

    def statistics(self) -> dict[str, Any]: ...

class SiteFunctions:
    """Basis functions of single sites, and extrapolation grades."""

    def __init__(
        self,
        tables: Tables,
        *,
        product_centre: _Int32,  # these as for DesignRows
        product_first: _Int64,
        product_index: _Int32,
        row_centre: _Int32,
        row_first: _Int64,
        row_product: _Int32,
        row_coefficient: _Float,
        pair_column: _Int32,
        n_columns: int,
        active_first: _Int32,  # (NZ + 1,) ranges of active_column
        active_column: _Int32,
        inverse: _Float,  # (sum of n_z^2,) or empty: no grades
        isa: str = "auto",
    ) -> None: ...
    def evaluate(
        self,
        positions: _Float,
        cell: _Float,
        species: _Int32,
        first: _Int64,
        index: _Int32,
        shift: _Int32,
        *,
        grades: bool = True,
        n_threads: int = 1,
    ) -> _Float:
        """Grades (N,), or without them functions (N, n_functions) of each atom's species."""

    @property
    def n_functions(self) -> int: ...
    @property
    def bytes(self) -> int: ...

class DesignRows:
    """Rows of the design matrix of one basis."""

    def __init__(
        self,
        tables: Tables,
        *,
        product_centre: _Int32,  # (NZ + 1,)
        product_first: _Int64,
        product_index: _Int32,
        row_centre: _Int32,  # (NZ + 1,)
        row_first: _Int64,
        row_product: _Int32,
        row_coefficient: _Float,
        pair_column: _Int32,  # (NZ, NZ, n_pair)
        n_columns: int,
        isa: str = "auto",
    ) -> None: ...
    @property
    def n_columns(self) -> int: ...
    def rows(
        self,
        positions: _Float,
        cell: _Float,
        species: _Int32,
        first: _Int64,
        index: _Int32,
        shift: _Int32,
        out: _Float,  # (1 + 3 N + 6, >= n_columns), written
        *,
        forces: bool = True,
        n_threads: int = 1,
    ) -> None: ...
    def site_rows(
        self,
        positions: _Float,
        cell: _Float,
        species: _Int32,
        first: _Int64,
        index: _Int32,
        shift: _Int32,
        out: _Float,  # (N, >= n_columns), written
    ) -> None: ...
    def statistics(self) -> dict[str, Any]: ...

# Message passing of the networks, float32 or float64: see cpp/python/bind_messages.cpp, bind_layers.cpp.
def choose_message_isa(isa: str) -> None: ...
def messages_forward(*arrays: Any, **options: Any) -> None: ...
def messages_backward(*arrays: Any, **options: Any) -> None: ...
def messages_double_backward(*arrays: Any, **options: Any) -> None: ...
def invariants_pass(*arrays: Any, **options: Any) -> None: ...
def norm_forward(*arrays: Any) -> None: ...
def norm_backward(*arrays: Any) -> None: ...
def norm_double_backward(*arrays: Any) -> None: ...
def sensitivity_forward(*arrays: Any) -> None: ...
def sensitivity_backward(*arrays: Any) -> None: ...
def sensitivity_double_backward(*arrays: Any) -> None: ...
def tensor_pass(*arrays: Any) -> None: ...
