"""lace init: a commented template configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

PRESETS = ("fast", "default", "accurate")


def init(
    config: Annotated[
        Path | None, typer.Argument(help="File to write; default config.yaml, or train.yaml for a network.")
    ] = None,
    train: Annotated[str | None, typer.Option(help="Training structures.")] = None,
    test: Annotated[
        str | None, typer.Option(help="Test structures; `none` holds out 10 % of the training file.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="fast, default or accurate; of a network materials, qm7, ani1x or methane."),
    ] = None,
    network: Annotated[
        bool, typer.Option("--network", help="A configuration of `lace train` instead of `lace fit`.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of the configuration instead.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented configuration after at most three questions.

    None if the options answer them.
    """
    if schema:
        _print_schema(network)
        return
    from lacemaker.errors import ConfigError
    from lacemaker.workflow.outputs import write_text

    if network:
        from lacemaker.networks.presets import PRESETS as RECIPES
        from lacemaker.networks.template import template
    else:
        from lacemaker.config.template import template

    presets = tuple(RECIPES) if network else PRESETS
    config = config or Path("train.yaml" if network else "config.yaml")
    if config.exists() and not force:
        raise ConfigError(
            f"{config} exists already. Found: a file of {config.stat().st_size} bytes. To do: choose another "
            "name, or overwrite it with --force."
        )
    train = train or _ask("File with the training structures", "train.xyz")
    test = test or _ask("File with the test structures (none: hold out 10 %)", "none")
    question = "Recipe" if network else "Size of the model"
    preset = preset or _ask(f"{question} ({', '.join(presets)})", "materials" if network else "default")
    if preset not in presets:
        raise ConfigError(
            f"{preset!r} is not a preset. Found: {preset}. To do: choose one of {', '.join(presets)}."
        )
    write_text(config, template(config.name, train, None if test == "none" else test, preset))
    print(f"written: {config}\nnext: lace {'train' if network else 'fit'} {config} --dry-run")


def _print_schema(network: bool) -> None:
    from json import dumps

    from lacemaker.config import json_schema
    from lacemaker.networks.config import TrainingConfig

    print(dumps(TrainingConfig.model_json_schema() if network else json_schema(), indent=2))


def _ask(question: str, default: str) -> str:
    """Ask on a terminal; elsewhere take the default without a word."""
    if not sys.stdin.isatty():
        return default
    return str(typer.prompt(question, default=default))
