"""Calculators by name, as several verbs take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["imported_calculator", "names_a_callable"]


def names_a_callable(name: str) -> bool:
    """Whether a name means ``package.module:callable`` rather than a file."""
    return ":" in name and not Path(name).exists()


def imported_calculator(name: str) -> Any:
    """What the callable ``package.module:callable`` returns.

    Raises
    ------
    ConfigError
        When it cannot be imported or called.
    """
    from importlib import import_module

    from lacemaker.errors import ConfigError

    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The calculator cannot be made. Found {name!r}: {error}. Name a callable without arguments that "
            "returns an ASE calculator, such as ase.calculators.emt:EMT, or a .lace file."
        ) from error
