"""The complete, explicit specification of an ACE basis: what a potential file stores.

Everything derived (bond lengths, cutoffs, weights of polynomials) is spelled out, so that later changes of
tables or defaults cannot alter a stored basis. Degrees and wl are integers or exact fractions such as
"3/2".
"""

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lacemaker.basis.coupling_cache import COUPLING_VERSION
from lacemaker.basis.elements import ATOMIC_NUMBERS
from lacemaker.basis.envelopes import Envelope, One, XEnvelope
from lacemaker.basis.levels import LevelRule
from lacemaker.basis.messages import basis_error
from lacemaker.basis.pair_matrices import Matrix
from lacemaker.basis.radial import Jacobi
from lacemaker.basis.transforms import Agnesi, Transform

MAX_ORDER = 6
MAX_CUTOFF = 20.0  # Å; beyond this a slip (pm, Bohr) is likelier than an intention


def plain_fraction(value: int | str | Fraction) -> int | str:
    """An exact number in JSON: an integer where it is one, else "p/q"."""
    fraction = Fraction(value)
    return fraction.numerator if fraction.denominator == 1 else str(fraction)


Exact = Annotated[int | str, AfterValidator(plain_fraction)]
Degrees = tuple[tuple[Exact, ...], ...]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class PairSpec(_Frozen):
    """The pair block: number of functions per centre element, and the radial family."""

    max_degree: tuple[int, ...]
    cutoff: Matrix
    transform: Transform = Field(discriminator="kind")
    envelope: Envelope = Field(discriminator="kind")
    polynomials: Jacobi
    symmetric: bool


class ZBLSpec(_Frozen):
    """The ZBL core with its hand-over distances (Å) spelled out."""

    kind: Literal["zbl"] = "zbl"
    inner: Matrix
    outer: Matrix


class SelectionSpec(_Frozen):
    """Some of the many-body functions: per centre element their numbers in the full basis, as "0-15,17"."""

    kept: tuple[str, ...]
    order_by: str | None = None
    arithmetic: Literal["exact", "float64"] | None = None


class ReadoutSpec(_Frozen):
    """Products of functions: largest number of factors, correlation order and degree of a product."""

    max_factors: int = Field(ge=2, le=MAX_ORDER)
    max_order: int = Field(ge=2, le=MAX_ORDER)
    max_degree: Exact


class PurificationSpec(_Frozen):
    """Self-interactions taken off: "full" all of them, "pair" the value for a single neighbour."""

    kind: Literal["full", "pair"]


class BasisSpec(_Frozen):
    """Everything that defines an ACE basis; `max_degree` holds one list of degrees per centre element."""

    kind: Literal["ace"] = "ace"
    format: Literal[1] = 1
    couplings: Literal[1] = COUPLING_VERSION
    elements: tuple[str, ...]
    correlation_order: int = Field(ge=1, le=MAX_ORDER)
    max_degree: Degrees
    level_rule: LevelRule
    wl: Exact
    rin: Matrix
    r0: Matrix
    cutoff: Matrix
    transform: Transform = Field(discriminator="kind")
    envelope: Envelope = Field(discriminator="kind")
    polynomials: Jacobi
    pair: PairSpec | None
    repulsion: ZBLSpec | None
    selection: SelectionSpec | None = None
    readout: ReadoutSpec | None = None
    purification: PurificationSpec | None = None

    def text(self) -> str:
        """JSON; a full basis is written without the words selection, readout and purification."""
        optional = ("selection", "readout", "purification")
        absent = {name for name in optional if getattr(self, name) is None}
        return self.model_dump_json(exclude=absent)

    @property
    def degrees(self) -> tuple[tuple[Fraction, ...], ...]:
        """Exact D[nu] for each centre element."""
        return tuple(tuple(Fraction(d) for d in row) for row in self.max_degree)


def read_spec(spec: Any) -> BasisSpec:
    """Validate a specification that came from a file.

    Raises
    ------
    BasisError
        with the first thing that is wrong.
    """
    try:
        read = BasisSpec.model_validate(spec)
    except (ValidationError, ZeroDivisionError) as error:
        raise _explained(error) from error
    check(read)
    return read


def build_readout(*, max_factors: int, max_order: int, max_degree: Fraction) -> ReadoutSpec:
    """A checked readout."""
    try:
        return ReadoutSpec(
            max_factors=max_factors, max_order=max_order, max_degree=plain_fraction(max_degree)
        )
    except ValidationError as error:
        raise _explained(error) from error


def build_spec(**fields: Any) -> BasisSpec:
    """A checked specification from resolved arguments (see `lacemaker.basis.arguments`)."""
    try:
        built = BasisSpec(**fields)
    except ValidationError as error:
        raise _explained(error) from error
    check(built)
    return built


def _explained(error: Exception) -> Exception:
    if not isinstance(error, ValidationError):
        return basis_error("the basis specification is not valid", error, "check wl and max_degree")
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "basis"
    return basis_error(
        f"the basis specification is not valid at '{where}': {first['msg']}",
        repr(first.get("input"))[:200],
        "correct this field; a file of a newer lacemaker needs that version",
    )


def check(spec: BasisSpec) -> None:
    """Everything that types alone cannot say."""
    n = len(spec.elements)
    if n == 0 or len(set(spec.elements)) != n or any(e not in ATOMIC_NUMBERS for e in spec.elements):
        raise basis_error(
            "elements must be distinct chemical symbols", spec.elements, "name each element once"
        )
    _check_degrees(spec, n)
    matrices = [("rin", spec.rin), ("r0", spec.r0), ("cutoff", spec.cutoff)]
    if spec.pair is not None:
        matrices.append(("pair.cutoff", spec.pair.cutoff))
    if spec.repulsion is not None:
        matrices += [("repulsion.inner", spec.repulsion.inner), ("repulsion.outer", spec.repulsion.outer)]
    if spec.purification is not None and (
        spec.readout is not None or not isinstance(spec.envelope, XEnvelope | One)
    ):
        raise basis_error(
            "this basis cannot be purified",
            f"envelope {spec.envelope}, readout {spec.readout}",
            "use XEnvelope and no polynomial readout",
        )
    for name, matrix in matrices:
        if len(matrix) != n or any(len(row) != n for row in matrix):
            raise basis_error(f"{name} has the wrong shape", matrix, f"give {n} x {n} numbers")
    for i, a in enumerate(spec.elements):
        for j, b in enumerate(spec.elements[: i + 1]):
            _check_lengths(spec, i, j, f"{a}-{b}")


def _check_degrees(spec: BasisSpec, n_elements: int) -> None:
    if len(spec.max_degree) != n_elements:
        raise basis_error(
            "max_degree must hold one list per centre element",
            f"{len(spec.max_degree)} for {n_elements} elements",
            "give a number, one list of numbers per correlation order, or a mapping element -> those",
        )
    for element, row in zip(spec.elements, spec.degrees, strict=True):
        if len(row) != spec.correlation_order:
            raise basis_error(
                "max_degree and correlation_order do not fit together",
                f"{len(row)} degrees for correlation order {spec.correlation_order} ({element})",
                "give one degree per correlation order (1, 2, ...), or a single number for all",
            )
        if min(row) < 1:
            raise basis_error(
                "a degree below 1 selects nothing",
                f"max_degree {[float(d) for d in row]} for {element}",
                "use degrees >= 1 (typical: [20, 16, 12])",
            )
    if Fraction(spec.wl) <= 0:
        raise basis_error("wl must be positive", spec.wl, "use a weight of l near 1.5")


def _check_lengths(spec: BasisSpec, i: int, j: int, pair: str) -> None:
    rin, r0, cutoff = spec.rin[i][j], spec.r0[i][j], spec.cutoff[i][j]
    if not 0 <= rin < cutoff:
        raise basis_error(
            f"the cutoff of {pair} must be larger than rin",
            f"cutoff {cutoff} Å, rin {rin} Å",
            "raise the cutoff",
        )
    cutoffs = [cutoff] if spec.pair is None else [cutoff, spec.pair.cutoff[i][j]]
    if not rin < min(cutoffs):
        raise basis_error(
            f"the pair cutoff of {pair} must be larger than rin", f"{cutoffs[-1]} Å, rin {rin} Å", "raise it"
        )
    if not max(cutoffs) <= MAX_CUTOFF:
        raise basis_error(
            f"the cutoff of {pair} is beyond reason",
            f"{max(cutoffs)} Å",
            f"lengths are in Å and at most {MAX_CUTOFF:g}; 5 to 7 Å are usual",
        )
    if not 0 < r0 <= MAX_CUTOFF or (isinstance(spec.transform, Agnesi) and r0 <= rin):
        raise basis_error(
            f"r0 of {pair} must be a bond length larger than rin", f"r0 {r0} Å, rin {rin} Å", "give r0 in Å"
        )
    if spec.repulsion is not None:
        inner, outer = spec.repulsion.inner[i][j], spec.repulsion.outer[i][j]
        if not 0 <= inner < outer <= max(cutoffs):
            raise basis_error(
                f"the ZBL core of {pair} needs 0 <= inner < outer <= cutoff",
                f"inner {inner} Å, outer {outer} Å, cutoff {max(cutoffs)} Å",
                "leave both out for defaults, or correct them",
            )
