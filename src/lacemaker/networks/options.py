"""What a network is made of; no PyTorch here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lacemaker.config.section import NonNegative, Positive, Section

__all__ = ["INVARIANTS", "NetworkOptions", "invariants_of"]

INVARIANTS: tuple[tuple[int, int], ...] = (
    (1, 0), (2, 1), (2, 2), (3, 2), (2, 3), (4, 3), (3, 2), (4, 2), (4, 3), (4, 3), (3, 3), (4, 3), (4, 3),
)  # fmt: skip
"""(number of factors, highest l) of the invariants 0 … 12 of HIP-HOP-NN; formulas in `invariants.py`."""

_OF_HOP = ("n_max", "group_norm", "group_norm_eps", "gate")

Count = Annotated[int, Field(ge=1)]


def invariants_of(l_max: int, n_max: int) -> tuple[int, ...]:
    """Indices of the invariants with at most `n_max` factors and degree `l_max`, in increasing order."""
    return tuple(k for k, (factors, degree) in enumerate(INVARIANTS) if factors <= n_max and degree <= l_max)


class NetworkOptions(Section):
    """Architecture of a HIP-NN network; lengths in Å.

    Formulas: N. Lubbers et al., J. Chem. Phys. 148, 241715 (2018); M. Chigaev et al., J. Chem. Phys. 158,
    184108 (2023); HIP-HOP-NN, arXiv:2503.23515.
    """

    kind: Literal["hip-nn", "hip-nn-ts", "hip-hop-nn"] = "hip-hop-nn"
    l_max: Annotated[int, Field(ge=0, le=3)] | None = Field(
        default=None, description="Highest multipole of the messages; default 0, 1 and 3 for the three kinds."
    )
    n_max: Annotated[int, Field(ge=1, le=4)] = Field(
        default=4, description="Most factors of an invariant (hip-hop-nn)."
    )
    features: Count = Field(default=128, description="Width of every layer.")
    sensitivities: Count = Field(default=20, description="Radial functions of each interaction layer.")
    interactions: Count = Field(default=2, description="Interaction blocks.")
    atom_layers: Annotated[int, Field(ge=0)] = Field(default=3, description="On-site layers of each block.")
    r_soft_min: Positive = Field(
        default=0.75, description="Å; centre of the innermost sensitivity at the start."
    )
    r_soft_max: Positive = Field(
        default=5.5, description="Å; centre of the outermost sensitivity at the start."
    )
    cutoff: Positive = Field(default=6.5, description="Å; messages vanish from here on.")
    cutoff_function: Literal["cos2", "smooth"] = Field(
        default="cos2", description="cos2 as published; smooth has two continuous derivatives at the cutoff."
    )
    bottleneck: Count | None = Field(
        default=None, description="Bare sensitivities mixed down to `sensitivities`."
    )
    resnet: bool | Count = Field(
        default=True, description="Residual layers, or their inner width; false: plain layers."
    )
    group_norm: Literal["on", "off", "gated"] = Field(
        default="on",
        description="Normalise invariants over features; `gated` fades them out for weak environments.",
    )
    group_norm_eps: Positive = 1e-5
    gate: Positive = Field(default=1.0, description="Coordination at which the gate of `gated` is half open.")
    extra_invariant: bool = Field(
        default=False, description="Add the degree-5 invariant T T Q Q Q (l_max 3)."
    )
    cusp: NonNegative = Field(default=1e-6, description="ε under the square roots of hip-nn-ts.")
    first_is_interacting: bool = Field(
        default=False, description="No energies of single elements in the network."
    )

    lone_atoms: Literal["free", "e0"] = Field(
        default="free",
        description="Energy of an atom without neighbours: free, whatever training makes of it, or exactly "
        "the E0 of its element, so that energies of atomisation and dissociation are consistent.",
    )

    repulsion: Literal["none", "zbl"] = Field(
        default="none", description="zbl: screened nuclear repulsion under the network, as linear fits have."
    )

    @model_validator(mode="after")
    def _consistent(self) -> NetworkOptions:
        highest = {"hip-nn": (0, 0), "hip-nn-ts": (1, 2), "hip-hop-nn": (0, 3)}[self.kind]
        if not highest[0] <= self.degree <= highest[1]:
            raise ValueError(f"l_max of {self.kind} must lie between {highest[0]} and {highest[1]}")
        if not self.r_soft_min < self.r_soft_max < self.cutoff:
            raise ValueError("r_soft_min < r_soft_max < cutoff must hold")
        if foreign := [name for name in _OF_HOP if self.kind != "hip-hop-nn" and self._changed(name)]:
            raise ValueError(
                f"{', '.join(foreign)}: of hip-hop-nn alone, while kind is {self.kind}; remove it"
            )
        if self.extra_invariant and (self.kind, self.degree) != ("hip-hop-nn", 3):
            raise ValueError("the extra invariant needs hip-hop-nn with l_max 3")
        if self.kind == "hip-hop-nn" and self.group_norm != "off" and self.width == 1:
            raise ValueError(
                "group norm over a single feature leaves nothing: use more features or group_norm: off"
            )
        return self

    def _changed(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def degree(self) -> int:
        """l_max with its default filled in."""
        return {"hip-nn": 0, "hip-nn-ts": 1, "hip-hop-nn": 3}[self.kind] if self.l_max is None else self.l_max

    @property
    def width(self) -> int:
        """Features of the messages: the inner width of residual layers, if they have one of their own."""
        return self.features if isinstance(self.resnet, bool) else self.resnet

    @property
    def n_components(self) -> int:
        """Independent components of all messages together, (l_max + 1)²."""
        return (self.degree + 1) ** 2

    @property
    def n_invariants(self) -> int:
        """Invariants per feature, K."""
        return len(invariants_of(self.degree, self.n_max)) + int(self.extra_invariant)

    @property
    def label(self) -> str:
        """Short name such as ``HIP-HOP-NN (3,4)``."""
        suffix = {
            "hip-nn": "",
            "hip-nn-ts": f" l={self.degree}",
            "hip-hop-nn": f" ({self.degree},{self.n_max})",
        }
        return self.kind.upper() + suffix[self.kind]
