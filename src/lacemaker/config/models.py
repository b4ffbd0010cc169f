"""The configuration of a fit: what a YAML file may say, with units, defaults and effects.

Sections become the arguments of :func:`lacemaker.read`, the basis, :func:`lacemaker.assemble` and
:func:`lacemaker.solve`. The choices of solver, prior, transform and envelope come from those rooms' own
registries: a new class there is a new ``kind`` here, without an edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from lacemaker.config.basis import BasisConfig, Repulsion
from lacemaker.config.choices import Prior, Solver
from lacemaker.config.section import NonNegative, Section, StringOrList
from lacemaker.errors import ConfigError, FileFormatError
from lacemaker.regression.fit import COMMITTEE_SIZE

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis

__all__ = ["Config", "DataConfig", "Keys", "QuantityNumbers"]

Quantity = Literal["energy", "forces", "virial", "force_constants", "energies"]
_SPARSE = ("ard", "asp", "elastic_net", "lasso", "omp", "supports")  # solvers that leave functions out


class Keys(Section):
    """Names of the labels in the data file; those not given are found by the key policy."""

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    virial: str | None = None
    force_constants: str | None = None
    energies: str | None = Field(default=None, description="Site energies; used only if named here.")
    config_type: str = "config_type"
    group: str = "group"
    split: str = "split"


class StressConvention(Section):
    """How stresses are given in the file."""

    unit: Literal["eV/A^3", "GPa", "kbar", "bar"] = "eV/A^3"
    sign: Literal[1, -1] = Field(
        default=1, description="1 where tension is positive (ASE), -1 where pressure is (VASP)."
    )
    order: str = Field(default="xx yy zz yz xz xy", description="Order of six components.")


class DataConfig(Section):
    """The labelled structures."""

    train: StringOrList = Field(
        min_length=1, description="File or files ASE can read, relative to this configuration."
    )
    test: StringOrList = Field(
        default=(),
        description="Test structures; if absent, `test_fraction` of the training file is held out.",
    )
    validation: StringOrList = Field(
        default=(),
        description="Structures that tell when to stop training (`lace train` only); if absent, those marked "
        "`valid` or `validation`, else `validation_fraction` of the training structures.",
    )
    test_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    seed: int = Field(default=0, description="Of the split.")
    split_by: Literal["auto", "frame", "config_type", "file", "label"] = Field(
        default="auto",
        description="What stays together. `label`: the file's train and test; `auto`: that, else `frame`.",
    )
    keys: Keys = Field(default_factory=Keys)
    stress: StressConvention = Field(default_factory=StressConvention)
    prefix: str | None = Field(default=None, description="Prefix of the label keys, such as `dft_`.")
    require: tuple[Quantity, ...] = Field(
        default=("energy", "forces"), description="Labels without which the fit stops."
    )

    formation_energies: dict[str, str] = Field(
        default_factory=dict,
        description="config_type of defect cells: config_type of their bulk cell, e.g. `{vacancy: bulk}`.",
    )

    displaced_pairs: StringOrList = Field(
        default=(),
        description="config_types of ± pairs with one atom displaced, fitted as force constants.",
    )

    def read_options(self) -> dict[str, Any]:
        """Keyword arguments of :func:`lacemaker.read`."""
        keys = {f"{name}_key": value for name, value in self.keys.model_dump().items()}
        return {
            **keys,
            "prefix": self.prefix,
            "require": self.require,
            "stress_unit": self.stress.unit,
            "stress_sign": self.stress.sign,
            "voigt_order": self.stress.order,
        }


class QuantityNumbers(Section):
    """One number per quantity."""

    energy: NonNegative | None = None
    forces: NonNegative | None = None
    virial: NonNegative | None = None

    def given(self) -> dict[str, float]:
        """Those that were set."""
        return self.model_dump(exclude_none=True)


class RowNumbers(QuantityNumbers):
    """One number per kind of row of the linear fit."""

    force_constants: NonNegative | None = None
    energies: NonNegative | None = None
    formation_energy: NonNegative | None = None


class RowWeights(RowNumbers):
    """Weights, and how energies scale with the size of the cell."""

    energy_scaling: Literal["per_sqrt_atom", "total"] | None = Field(
        default=None, description="total: energies are not divided by √N, as befits defect cells."
    )

    def given(self) -> dict[str, float]:
        """The weights that were set."""
        return self.model_dump(exclude_none=True, exclude={"energy_scaling"})


_E0Method = Literal["auto", "isolated_atoms", "cohesive", "least_squares", "average", "zero", "fit"]
E0 = _E0Method | dict[str, float]


class Config(Section):
    """Everything `lace fit` needs; every key but `data.train` has a default."""

    data: DataConfig
    basis: BasisConfig = Field(default_factory=BasisConfig)
    repulsion: Repulsion = Field(default="auto", validate_default=True)
    e0: E0 = Field(default="auto", description="Energies of the isolated atoms, eV.")
    prior: Prior = Field(default="evidence", validate_default=True)
    solver: Solver = Field(default="blr", validate_default=True)
    uncertainty: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=COMMITTEE_SIZE,
        description="Posterior samples kept in the potential, for energy_std and forces_std; 0 for none.",
    )
    extrapolation_grade: Literal["auto", True, False] = Field(
        default="auto",
        description="Active sets kept in the potential, for extrapolation_grade (gamma); auto: where cheap.",
    )
    weights: dict[str, RowWeights] = Field(
        default_factory=dict, description="By config_type; `default` applies to the rest. Dimensionless."
    )
    sigmas: dict[str, RowNumbers] = Field(
        default_factory=dict,
        description="Expected errors instead of weights (weight = 1/sigma): eV/√atom, eV/Å, eV/√atom.",
    )
    output: str = Field(
        default="lace-fit", description="Folder for the results, relative to this configuration."
    )
    threads: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Default: OMP_NUM_THREADS or all cores."
    )
    resume: bool = Field(default=True, description="Continue from the finished chunks of a killed run.")
    keep_chunks: bool = Field(
        default=False, description="Keep the compressed rows after a successful fit, to refit quickly."
    )
    report: bool = Field(default=True, description="Write report.html.")
    export: Literal["yace"] | list[Literal["yace"]] | None = Field(
        default=None, description="Also write potential.yace for LAMMPS' ML-PACE; refused where impossible."
    )

    @model_validator(mode="after")
    def _one_statement_of_trust(self) -> Config:
        for group, sigmas in self.sigmas.items():
            zero = [name for name, value in sigmas.given().items() if value == 0.0]
            if zero:
                raise ValueError(
                    f"sigmas.{group}.{zero[0]} is 0, which means infinite trust; give a positive error"
                )
            both = set(sigmas.given()) & set(self.weights.get(group, RowWeights()).given())
            if both:
                raise ValueError(
                    f"both a weight and a sigma are given for {sorted(both)[0]} of {group!r}; keep one"
                )
        return self

    @model_validator(mode="after")
    def _exportable(self) -> Config:
        if self.export and self.basis.elements:
            self.check_export(self.basis.build(self.basis.elements, self.repulsion.core))
        return self

    def check_export(self, basis: ACEBasis) -> None:
        """Raise ConfigError now if a potential on this basis could not be exported as asked later."""
        if not self.export:
            return
        from lacemaker.deploy.yace import MAX_MEGABYTES, check_exportable

        limit = None if self.solver.kind in _SPARSE else MAX_MEGABYTES  # how sparse, only the fit can tell
        try:
            check_exportable(basis, max_megabytes=limit)
        except FileFormatError as error:
            raise ConfigError(f"export: yace is not possible with this basis: {error}") from error

    def total_energies(self) -> set[str]:
        """config_types whose energies count as totals."""
        return {group for group, row in self.weights.items() if row.energy_scaling == "total"}

    def row_weights(self) -> dict[str, dict[str, float]]:
        """Weights by config_type and quantity, sigmas turned into 1/sigma."""
        table = {group: dict(values.given()) for group, values in self.weights.items() if values.given()}
        for group, sigmas in self.sigmas.items():
            table.setdefault(group, {}).update({name: 1.0 / value for name, value in sigmas.given().items()})
        return table
