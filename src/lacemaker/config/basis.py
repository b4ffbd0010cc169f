"""The ``basis`` and ``repulsion`` sections: how an ACEBasis is asked for in YAML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from lacemaker.basis import ZBL, ACEBasis, Agnesi, Jacobi, PairBasis, RepulsionRestraint, XEnvelope, preset
from lacemaker.basis.envelopes import Envelope
from lacemaker.basis.presets import PresetName
from lacemaker.basis.transforms import Transform
from lacemaker.config.section import NonNegative, PerPair, Section

__all__ = ["BasisConfig", "Repulsion", "RepulsionConfig"]

Degree = Annotated[float, Field(gt=0)] | str
Degrees = Degree | tuple[Degree, ...]


def _kind_from_name(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _pair(value: Any) -> Any:
    if value is True or value == "auto":
        return PairBasis()
    return None if value is False or value == "none" else value


class ProductsConfig(Section):
    """A polynomial readout: products of many-body functions join the basis, still linear in coefficients."""

    max_factors: Annotated[int, Field(ge=2)] = Field(default=2, description="Functions in a product.")
    max_order: Annotated[int, Field(ge=2, le=6)] | None = Field(
        default=None, description="Largest correlation order of a product; default: that of the basis."
    )
    max_degree: Degree | None = Field(
        default=None, description="Largest total degree of a product; default: the largest of the basis."
    )


def _purified(value: Any) -> Any:
    if value is True or value in ("full", "pair"):
        return {"kind": "full" if value is True else value}
    if isinstance(value, str) and value != "none":
        raise ValueError("choose true (or full), pair or none, or give a mapping with kind and remove")
    return None if value is False or value == "none" else value


class PurifiedConfig(Section):
    """Self-interactions taken off the many-body functions."""

    kind: Literal["full", "pair"] = Field(
        default="full",
        description="full: sums over distinct neighbours; pair: no self-interaction in dimers.",
    )
    remove: Annotated[int, Field(ge=0, le=5)] = Field(
        default=0, description="Leave out many-body functions up to this correlation order."
    )


class BasisConfig(Section):
    """Which functions of an environment the energy is made of; all but `preset` refines it."""

    preset: PresetName = Field(
        default="default", description="Sets correlation_order and max_degree unless given."
    )
    elements: tuple[str, ...] | None = Field(
        default=None, description="Default: those of the data, by atomic number."
    )
    correlation_order: Annotated[int, Field(ge=1, le=6)] | None = None
    max_degree: Degrees | dict[str, Degrees] | None = Field(
        default=None, description="One number, one per correlation order, or those by element."
    )
    cutoff: PerPair | None = Field(default=None, description="Å; default 2.5 times the largest bond length.")
    level_rule: Literal["acepotentials-0.8", "ace1"] = "acepotentials-0.8"
    wl: Degree = Field(default=1.5, description="Weight of l against n in the level n + wl l.")
    r0: PerPair | None = Field(default=None, description="Å; bond lengths, tabulated by default.")
    rin: NonNegative | dict[str, NonNegative] = Field(
        default=0.0, description="Å; below it radial functions are constant."
    )
    transform: Annotated[Transform, BeforeValidator(_kind_from_name)] = Field(
        default=Agnesi(2, 4), discriminator="kind"
    )
    envelope: Annotated[Envelope, BeforeValidator(_kind_from_name)] = Field(
        default=XEnvelope(2, 2), discriminator="kind"
    )
    polynomials: Jacobi = Jacobi()
    pair: Annotated[PairBasis | None, BeforeValidator(_pair)] = Field(
        default_factory=PairBasis, description="The pair block; `none` leaves it out."
    )
    optimal: Literal["degree", "body_order", "cost"] | None = Field(
        default=None, description="Keep only functionally independent functions, taken in this order."
    )
    products: ProductsConfig | None = Field(
        default=None, description="Products of the (kept) functions: give back what `optimal` takes away."
    )
    purified: Annotated[PurifiedConfig | None, BeforeValidator(_purified)] = Field(
        default=None, description="true or pair: take self-interactions off (after `optimal`)."
    )

    def build(self, elements: Sequence[str], core: ZBL | None) -> ACEBasis:
        """The basis for the elements of the data, with the given repulsive core."""
        symbols = list(self.elements or elements)
        order, degrees = self.correlation_order, self.max_degree
        if degrees is None:
            chosen = preset(self.preset, symbols, self.r0).specification
            rows = [row[:order] if order else row for row in chosen.max_degree]
            degrees = dict(zip(chosen.elements, rows, strict=True))
            order = order or chosen.correlation_order
        basis = ACEBasis(
            symbols,
            order or (len(degrees) if isinstance(degrees, tuple) else 3),
            degrees,
            cutoff=self.cutoff,
            level_rule=self.level_rule,
            wl=self.wl,
            r0=self.r0,
            rin=self.rin,
            pair=self.pair,
            repulsion=core,
            transform=self.transform,
            envelope=self.envelope,
            polynomials=self.polynomials,
        )
        if self.optimal:
            basis = basis.optimal(self.optimal)
        if self.products:
            basis = basis.with_products(**dict(self.products))
        return basis.purified(self.purified.kind, self.purified.remove) if self.purified else basis


class RepulsionConfig(Section):
    """What keeps atoms apart where the data end."""

    core: Annotated[ZBL | None, BeforeValidator(_kind_from_name)] = Field(
        default_factory=ZBL, description="Fixed repulsion under the fit, or null."
    )
    restraint: Annotated[RepulsionRestraint | None, BeforeValidator(_kind_from_name)] = Field(
        default_factory=RepulsionRestraint,
        description="Weak rows for dimers and compressed crystals in the fit, or null.",
    )


def _repulsion(value: Any) -> Any:
    """`auto` is both, `zbl` the core alone, `none` neither."""
    if value is True or value == "auto":
        return RepulsionConfig()
    if value is False or value is None or value == "none":
        return RepulsionConfig(core=None, restraint=None)
    if value == "zbl":
        return RepulsionConfig(restraint=None)
    if isinstance(value, str):
        raise ValueError("choose auto, zbl or none, or give a mapping with core and restraint")
    return value


Repulsion = Annotated[RepulsionConfig, BeforeValidator(_repulsion)]
