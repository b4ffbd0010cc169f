"""Assembly of the verbs, and what happens when one of them fails.

Exit codes: 0 all well; 2 something for the user to correct (message without traceback); 3 the potential was
saved but a later table or report failed; 4 `lace validate` found it unsound; 1 a bug; 130 and 143
interrupted by Ctrl-C or the queueing system.
"""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from lacemaker import __version__
from lacemaker.cli import (
    bench,
    bodies,
    check,
    demo,
    drive,
    evaluate,
    export,
    fit,
    info,
    init,
    lammps,
    path,
    report,
    study,
    suggest,
    train,
    validate,
)
from lacemaker.cli.codes import INTERRUPTED, OK, TERMINATED, USER_ERROR
from lacemaker.errors import LacemakerError, LacemakerWarning

__all__ = ["app", "main"]


app = typer.Typer(
    name="lace",
    help="Fit, check and run linear ACE interatomic potentials. Start with `lace demo` or `lace init`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_VERBS: dict[str, tuple[Callable[..., Any] | typer.Typer, ...]] = {
    "Begin": (demo.demo, init.init, check.check),
    "Fit": (fit.fit, path.path, train.train),
    "Judge": (evaluate.evaluate, info.info, report.report, bodies.bodies, validate.validate),
    "Crystal defects": (study.study, suggest.suggest),
    "Run": (lammps.lammps, export.export, drive.drive, bench.bench),
}
for panel, verbs in _VERBS.items():
    for verb in verbs:
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, rich_help_panel=panel)
        else:
            app.command(rich_help_panel=panel)(verb)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"lacemaker {__version__}")
        raise typer.Exit()


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where in the code an error arose (may stand anywhere).")
    ] = False,
) -> None:
    pass


class _Terminated(BaseException):
    """SIGTERM arrived, as queueing systems send before they kill."""


def _on_terminate(signum: int, frame: Any) -> None:
    raise _Terminated


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: Any = None,
) -> None:
    if issubclass(category, LacemakerWarning):
        _complain(f"warning: {message}")
    else:
        _complain(warnings.formatwarning(message, category, filename, lineno, line).rstrip())


def _guarded(call: Callable[[], Any], show_traceback: bool) -> int:
    """Run, turn exceptions into messages and exit codes."""
    try:
        call()
    except LacemakerError as error:
        if show_traceback:
            raise
        _complain(f"error: {error}")
        return USER_ERROR
    except KeyboardInterrupt:
        _complain("interrupted. What a fit has finished is kept: run the same command again to continue.")
        return INTERRUPTED
    except _Terminated:
        _complain("terminated. What a fit has finished is kept: submit the same command again to continue.")
        return TERMINATED
    except OSError as error:
        if show_traceback or error.filename is None:
            raise
        _complain(
            f"error: a file cannot be used. Found: {error}. To do: check path, permissions and free space."
        )
        return USER_ERROR
    return OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the command ``lace``; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Å still gets its tables
    given = list(sys.argv[1:] if arguments is None else arguments)
    show_traceback = "--traceback" in given
    given = [argument for argument in given if argument != "--traceback"]
    code = 0

    def call() -> None:
        nonlocal code
        try:
            app(given, prog_name="lace")
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if code == INTERRUPTED:  # typer swallowed it
            raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        before = _handle_termination()
        try:
            failed = _guarded(call, show_traceback)
        except BaseException:
            _complain(f"This looks like a bug in lacemaker {__version__}; please report the lines below.")
            raise
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)
    return failed or code


def _handle_termination() -> Any:
    try:
        return signal.signal(signal.SIGTERM, _on_terminate)
    except ValueError:  # not in the main thread: leave signals alone
        return None
