"""lace drive: forces for i-PI, ASE or any other server of the i-PI socket protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def drive(
    potential: Annotated[Path, typer.Argument(help="A .lace or .yace file.")],
    structure: Annotated[Path, typer.Argument(help="The structure the server's input names.")],
    host: Annotated[str, typer.Option("--host", "-a", help="Address of the server.")] = "localhost",
    port: Annotated[
        int | None, typer.Option("--port", "-p", min=1, max=65535, help="Its port; default 31415.")
    ] = None,
    unix: Annotated[
        str | None, typer.Option("--unix", "-u", help="Unix socket instead: NAME of /tmp/ipi_NAME, or path.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds to wait for the server to start.")] = 10.0,
    threads: Annotated[int | None, typer.Option("--threads", "-t", min=1, help="Threads to use.")] = None,
) -> None:
    """Answer i-PI or an ASE server with energies, forces and virials.

    Runs until the server ends.
    """
    import time

    from lacemaker.deploy.driver import calculator_of, drive, read_structure
    from lacemaker.errors import ConfigError

    if unix is not None and port is not None:
        raise ConfigError(
            f"A server has one address. Found: --unix {unix} and --port {port}. To do: give one of them."
        )
    atoms = read_structure(structure)
    calculator = calculator_of(potential, threads)
    directions = "".join(axis for axis, periodic in zip("abc", atoms.pbc, strict=True) if periodic)
    kind = f"periodic along {directions}" if directions else "not periodic (no cell in the file)"
    virial = "" if all(atoms.pbc) else "; no virial is sent"
    start = time.monotonic()
    steps = drive(
        calculator, atoms, host=host, port=port, unix=unix, wait=wait,
        connected=lambda address: print(f"driving {address}: {len(atoms)} atoms, {kind}{virial}", flush=True),
    )  # fmt: skip
    print(f"the server ended after {steps} force calls in {time.monotonic() - start:.1f} s")
