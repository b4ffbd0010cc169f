"""The configuration of ``lace train``: what its YAML file may say, and the presets; no PyTorch here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lacemaker.config.models import DataConfig, QuantityNumbers
from lacemaker.config.reading import checked, effective_yaml, with_paths
from lacemaker.config.section import NonNegative, Positive, Section
from lacemaker.networks.options import NetworkOptions
from lacemaker.networks.presets import PRESETS, merged

__all__ = ["LossWeights", "Schedule", "TrainingConfig", "effective_yaml", "training_config"]

Count = Annotated[int, Field(ge=1)]
Monitor = Literal["loss", "energy_mae", "energy_rmse", "forces_mae", "forces_rmse"]


class LossWeights(Section):
    """Terms of the loss; each error term is RMSE + MAE over the batch, in eV, eV/Å and eV."""

    energy: NonNegative = 1.0
    forces: NonNegative = 1.0
    virial: NonNegative = 0.0
    hierarchy: NonNegative = Field(default=0.04, description="eV; of the hierarchicality.")
    hierarchy_kind: Literal["atom", "structure", "batch"] = Field(
        default="atom",
        description="atom: E_b²/(E_b² + E_(b-1)²) of each atom, summed over the structure; structure, batch: "
        "the same of squares summed over it.",
    )
    l2: NonNegative = Field(default=4e-8, description="eV; of the sum of squared weights.")
    energy_per_atom: bool = Field(default=False, description="Compare energies (and virials) per atom.")

    @property
    def energy_unit(self) -> str:
        """Of the errors of energies and virials in learning curves."""
        return "eV/atom" if self.energy_per_atom else "eV"


class Schedule(Section):
    """When the batch grows, the learning rate falls and training stops."""

    learning_rate: Positive = 1e-3
    batch_size: Count = Field(default=16, description="Structures per step at the start.")
    max_batch_size: Count = Field(
        default=128, description="Doubled on a plateau up to here; then the rate is halved."
    )
    patience: Count = Field(default=10, description="A plateau is more epochs than this without improvement.")
    stopping_patience: Count = Field(
        default=40, description="Epochs since the best after which training stops."
    )
    max_epochs: Count = 1000
    monitor: Monitor = Field(default="loss", description="Validation quantity that decides what is best.")
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.99,
        description="Per step, of the exponential moving average of the parameters, which is validated and "
        "kept (less during the first steps); 0: the parameters themselves.",
    )
    clip: Positive | None = Field(default=None, description="Largest norm of the gradient.")

    @model_validator(mode="after")
    def _room_to_grow(self) -> Schedule:
        if self.batch_size > self.max_batch_size:
            raise ValueError(
                f"batch_size {self.batch_size} exceeds max_batch_size {self.max_batch_size}; "
                "raise max_batch_size to it (then the batch does not grow) or beyond"
            )
        return self


class TrainingConfig(Section):
    """Everything `lace train` needs; every key but `data.train` has a default."""

    preset: Literal[tuple(PRESETS)] | None = Field(  # type: ignore[valid-type]
        default=None, description="Published recipe that fills in what is not given."
    )
    data: DataConfig
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=0.1, description="Of the training structures, where the data name no validation part."
    )
    network: NetworkOptions = NetworkOptions()
    e0: Literal["auto", "isolated_atoms", "least_squares", "average", "zero"] | dict[str, float] = "auto"
    train_element_energies: bool = Field(
        default=False, description="Let the energies of the elements (b = 0) change."
    )
    loss: LossWeights = LossWeights()
    weights: dict[str, QuantityNumbers] = Field(
        default_factory=dict, description="Multiply residuals by config_type; 1 by default."
    )
    schedule: Schedule = Schedule()
    seed: int = Field(default=0, description="Of weights, shuffling and the validation split.")
    dtype: Literal["float32", "float64"] = "float32"
    device: str = Field(default="auto", description="auto, cpu or cuda.")
    output: str = Field(
        default="lace-train", description="Folder for the results, relative to this configuration."
    )
    threads: Count | None = Field(default=None, description="Default: OMP_NUM_THREADS or all cores.")
    resume: bool = Field(default=True, description="Continue from the checkpoint of a killed run.")
    report: bool = Field(default=True, description="Write report.html.")

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, value: Any) -> Any:
        name = value.get("preset") if isinstance(value, Mapping) else None
        return merged(PRESETS[name], value) if isinstance(name, str) and name in PRESETS else value

    @field_validator("data")
    @classmethod
    def _labels_of_a_network(cls, data: DataConfig) -> DataConfig:
        unusable = {
            "displaced_pairs": data.displaced_pairs,
            "formation_energies": data.formation_energies,
            "keys.energies": data.keys.energies,
            "keys.force_constants": data.keys.force_constants,
            **{f"require: [{name}]": name in data.require for name in ("force_constants", "energies")},
        }
        asked = [f"data.{name}" for name, value in unusable.items() if value]
        if asked:
            raise ValueError(
                f"remove {', '.join(asked)}: networks learn from energies, forces and virials alone; "
                "`lace fit` learns from these labels too"
            )
        return data

    def weight(self, config_type: str, quantity: str) -> float:
        """Multiplier of the residuals of one config_type."""
        for group in (config_type, "default"):
            if quantity in (given := self.weights.get(group, QuantityNumbers()).given()):
                return given[quantity]
        return 1.0


def training_config(source: TrainingConfig | Mapping[str, Any] | str | Path) -> TrainingConfig:
    """From a YAML file (its relative paths come back absolute) or a dictionary.

    Raises
    ------
    ConfigError
        Every problem with its line, what was found and what to do.
    """
    if isinstance(source, TrainingConfig):
        return source
    return with_paths(*checked(TrainingConfig, source))
