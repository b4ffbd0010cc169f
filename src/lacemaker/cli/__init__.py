"""The command ``lace``: one file per verb, heavy imports only inside their bodies."""

from lacemaker.cli.app import main

__all__ = ["main"]
