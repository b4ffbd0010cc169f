"""lace init: a commented template configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

PRESETS = ("fast", "default", "accurate")


def init(
    config: Annotated[Path, typer.Argument(help="File to write.")] = Path("config.yaml"),
    train: Annotated[str | None, typer.Option(help="Training structures.")] = None,
    test: Annotated[
        str | None, typer.Option(help="Test structures; `none` holds out 10 % of the training file.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="fast, default or accurate.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of the configuration instead.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented configuration after at most three questions.

    None if the options answer them.
    """
    if schema:
        from json import dumps

        from lacemaker.config import json_schema

        print(dumps(json_schema(), indent=2))
        return
    from lacemaker.config.template import template
    from lacemaker.errors import ConfigError
    from lacemaker.workflow.outputs import write_text

    if config.exists() and not force:
        raise ConfigError(
            f"{config} exists already. Found: a file of {config.stat().st_size} bytes. To do: choose another "
            "name, or overwrite it with --force."
        )
    train = train or _ask("File with the training structures", "train.xyz")
    test = test or _ask("File with the test structures (none: hold out 10 %)", "none")
    preset = preset or _ask(f"Size of the model ({', '.join(PRESETS)})", "default")
    if preset not in PRESETS:
        raise ConfigError(
            f"{preset!r} is not a preset. Found: {preset}. To do: choose one of {', '.join(PRESETS)}."
        )
    write_text(config, template(config.name, train, None if test == "none" else test, preset))
    print(f"written: {config}\nnext: lace fit {config} --dry-run")


def _ask(question: str, default: str) -> str:
    """Ask on a terminal; elsewhere take the default without a word."""
    if not sys.stdin.isatty():
        return default
    return str(typer.prompt(question, default=default))
