"""Calculators by name: ``package.module:callable``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lacemaker.errors import ConfigError

__all__ = ["calculator_factory", "imported_calculator", "names_a_callable"]


def names_a_callable(name: str) -> bool:
    """Whether a name means ``package.module:callable`` rather than a file."""
    return ":" in name and not Path(name).exists()


def calculator_factory(name: str) -> Callable[..., Any]:
    """The callable ``package.module:callable``, which makes an ASE calculator.

    Raises
    ------
    ConfigError
        When it cannot be imported.
    """
    from importlib import import_module

    module, _, attribute = name.partition(":")
    try:
        found: Callable[..., Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise _unusable(name, error) from error
    return found


def imported_calculator(name: str) -> Any:
    """What the callable ``package.module:callable`` returns without arguments.

    Raises
    ------
    ConfigError
        When it cannot be imported or called.
    """
    try:
        return calculator_factory(name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise _unusable(name, error) from error


def _unusable(name: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"The calculator cannot be made. Found {name!r}: {error}. Name a callable that returns an ASE "
        "calculator as package.module:callable, such as ase.calculators.emt:EMT, or a .lace file where one "
        "is taken."
    )
