"""What a study of defects is told: ``lace study defects config.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from lacemaker.config.basis import BasisConfig, Degrees
from lacemaker.config.choices import Prior, Solver
from lacemaker.config.reading import checked
from lacemaker.config.section import NonNegative, Positive, Section, StringOrList
from lacemaker.studies.observations import Observations

__all__ = ["ReferenceField", "StudyConfig", "study_config"]

Count = Annotated[int, Field(ge=1)]


class ReferenceConfig(Section):
    """The model that stands for the truth."""

    kind: str = Field(
        default="stillinger-weber",
        description="stillinger-weber, kumagai, tersoff (silicon), eam, or package.module:factory.",
    )
    file: str | None = Field(default=None, description="Of eam: a path, or a name in LAMMPS's folder.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Of the factory.")


class CrystalConfig(Section):
    """The perfect crystal."""

    structure: str = Field(default="diamond", description="diamond, bcc, fcc, …, or a structure file.")
    element: str | None = Field(default="Si", description="Chemical symbol; not needed with a file.")
    lattice_constant: Positive | None = Field(default=None, description="Å; where its search starts.")


class BulkConfig(Section):
    """Data of the perfect lattice."""

    size: Count = Field(default=3, description="Conventional cells along an edge, for force constants.")
    displacement: Positive = Field(default=0.01, description="Å; of the ± pairs behind force constants.")
    strain: Positive = Field(default=0.005, description="Of the strained cells behind virials.")


class WeightsConfig(Section):
    """Row weights by observation; see docs/defect_study.md."""

    energy: NonNegative = Field(default=30.0, description="Of a total energy divided by √N.")
    forces: NonNegative = 1.0
    virial: NonNegative = Field(default=10.0, description="Of a virial divided by √N.")
    force_constants: NonNegative = Field(
        default=0.1,
        description="Of a force constant in eV/Å²; a ± pair fitted as plain forces would need w/(√2 h).",
    )
    balance: bool = Field(
        default=False,
        description="Scale virial and force_constants by L^(-3/2), L being the training cell's edge.",
    )

    def balanced(self, size: int) -> WeightsConfig:
        """The weights for training cells of `size`³ conventional cells.

        The bound on the geometry error is ε^F + (ε^FC + ε^V) L^(-3/2): the larger the training cell, the less
        of the field is left to force constants and virials.
        """
        factor = float(size) ** -1.5 if self.balance else 1.0
        changes = {name: factor * getattr(self, name) for name in ("virial", "force_constants")}
        return self.model_copy(update=changes)


class TestConfig(Section):
    """Where the fitted models are tried."""

    size: Count = Field(default=5, description="Conventional cells along an edge of the test cell.")
    radius: Positive | None = Field(
        default=None,
        description="Nearest-neighbour distances: a clamped ball takes the place of the test cell.",
    )
    buffer: Positive = Field(default=10.0, description="Å of clamped atoms around the ball; two cutoffs.")
    lattice: Literal["reference", "model"] = Field(
        default="reference",
        description="Whose lattice constant the cells have: model shows what its own pressure does.",
    )
    tolerance: Positive = Field(default=1e-5, description="Largest force of a relaxed model, eV/Å.")
    max_calls: Count = Field(default=150, description="Force calls after which a model is not converged.")


def _reference(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


ReferenceField = Annotated[ReferenceConfig, BeforeValidator(_reference)]
"""A mapping, or the bare name of a kind."""


class StudyConfig(Section):
    """Everything `lace study defects` needs; every key has a default (silicon, Stillinger-Weber)."""

    reference: ReferenceField = ReferenceConfig()
    crystal: CrystalConfig = CrystalConfig()
    defects: StringOrList = Field(default=("interstitial-tetrahedral",), min_length=1)
    basis: BasisConfig = Field(
        default_factory=lambda: BasisConfig(correlation_order=2, cutoff=4.5),
        description="As in a fit; max_degree comes from `degrees`.",
    )
    degrees: tuple[Degrees, ...] = Field(
        default=(6, 8, 10, 12), min_length=1, description="The accuracy knob: from coarse to fine."
    )
    sizes: tuple[Count, ...] = Field(
        default=(1, 2, 3), min_length=1, description="The size knob: conventional cells along an edge."
    )
    observations: tuple[str, ...] = Field(default=("E", "F", "EF", "EFV", "EF+FC", "EF+FC+V"), min_length=1)
    samples: Annotated[int, Field(ge=3)] = Field(
        default=14, description="Structures per defect and size: perfect, relaxed, and rattled ones."
    )
    rattle: tuple[Positive, Positive] = Field(default=(0.01, 0.05), description="Smallest and largest, Å.")
    bulk: BulkConfig = BulkConfig()
    weights: WeightsConfig = WeightsConfig()
    test: TestConfig = TestConfig()
    solver: Solver = Field(default={"kind": "qr", "ridge": 1e-5}, validate_default=True)
    prior: Prior = Field(default="algebraic", validate_default=True)
    seed: int = Field(default=0, description="Of the rattles.")
    kind: Literal["defects"] = "defects"
    output: str = Field(default="lace-study", description="Folder, relative to this configuration.")

    @field_validator("observations")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            Observations.parse(name)
        return value

    @field_validator("sizes")
    @classmethod
    def _increasing(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("list the sizes once each, from small to large")
        return value


def study_config(source: StudyConfig | Mapping[str, Any] | str | Path) -> StudyConfig:
    """From a YAML file (its relative paths come back absolute) or a dictionary.

    Raises
    ------
    ConfigError
        Every problem with its line, what was found and what to do.
    """
    if isinstance(source, StudyConfig):
        return source
    config, absolute = checked(StudyConfig, source)
    crystal, reference = config.crystal, config.reference
    if Path(absolute(crystal.structure)).is_file():
        crystal = crystal.model_copy(update={"structure": absolute(crystal.structure)})
    if reference.file and Path(absolute(reference.file)).is_file():
        reference = reference.model_copy(update={"file": absolute(reference.file)})
    changes = {"output": absolute(config.output), "crystal": crystal, "reference": reference}
    return config.model_copy(update=changes)
