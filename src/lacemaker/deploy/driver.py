"""The i-PI socket protocol from the client's side: forces for i-PI, ASE and any other server that speaks it.

The protocol is ASE's `SocketClient`: the server sends cell and positions, the client answers with energy,
forces and virial; i-PI calls such a client a driver. Units on the wire are Hartree and Bohr, in double
precision.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import ConfigError, DataError, EvaluationError, problem

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator as AseCalculator
    from ase.calculators.socketio import SocketClient

__all__ = ["calculator_of", "drive", "read_structure"]

_PAUSE = 0.1  # s between attempts to reach the server


def calculator_of(path: str | os.PathLike[str], n_threads: int | None = None) -> AseCalculator:
    """The ASE calculator of a potential file: ``.yace``, ``.lace``, or a network that ``lace train`` wrote.

    Raises
    ------
    FileFormatError
        If the file cannot be read.
    """
    from lacemaker.networks.file import is_network

    if os.fspath(path).endswith(".yace"):
        from lacemaker.deploy.yace import YaceCalculator

        return YaceCalculator(path, n_threads=n_threads)
    if is_network(path):
        from lacemaker.networks import NetworkCalculator

        return NetworkCalculator(path, n_threads=n_threads)
    from lacemaker.calculators import Calculator

    return Calculator(path, n_threads=n_threads)


def read_structure(path: str | os.PathLike[str]) -> Atoms:
    """The last structure of a file, in any format ASE reads.

    Raises
    ------
    DataError
        If the file is missing or no structure.
    """
    from ase.io import read

    try:
        atoms: Any = read(os.fspath(path), index=-1)
    except Exception as error:  # readers of ASE fail in many ways
        raise problem(
            DataError, "the structure cannot be read", f"{os.fspath(path)}: {error or type(error).__name__}",
            "give a file that ase.io.read knows, such as extended XYZ or POSCAR",
        ) from error  # fmt: skip
    return atoms


def drive(
    calculator: AseCalculator,
    atoms: Atoms,
    *,
    host: str = "localhost",
    port: int | None = None,
    unix: str | None = None,
    wait: float = 10.0,
    connected: Callable[[str], None] | None = None,
) -> int:
    """Answer a server of the i-PI protocol until it ends; returns the number of force calls.

    Parameters
    ----------
    calculator : ASE calculator
    atoms : Atoms
        Elements, their order and the periodic directions of the server's structure; positions and cell come
        from the server with each step. The virial is sent if all three directions are periodic, else zero.
    host, port : str, int
        Address of a TCP server; i-PI's default port is 31415.
    unix : str, optional
        Name of a Unix socket instead: the file ``/tmp/ipi_NAME``, as i-PI and ASE have it, or a path.
    wait : float
        Seconds to keep trying while the server is not there yet.
    connected : callable, optional
        Called once with the server's address.

    Raises
    ------
    ConfigError
        If there is no server, or it breaks the connection off within a step.
    DataError
        If the server's structure is of another number of atoms.
    EvaluationError
        If the potential has no energy for the server's structure.
    """
    from ase.calculators.socketio import SocketClosed

    own = atoms.copy()
    own.calc = calculator
    calculator.get_potential_energy(own)  # unknown elements are an error before the server waits for us
    address = _address(host, port, unix)
    client = _client(_connect(host, port, unix, wait, address), len(own))
    if connected is not None:
        connected(address)
    steps = 0
    try:
        for _ in client.irun(own, use_stress=bool(own.pbc.all())):
            steps += 1
    except (OSError, SocketClosed) as error:
        raise problem(
            ConfigError, "the server broke the connection off",
            f"{str(error) or 'the connection was closed'} after {steps} calls, {address}",
            "look at the server's log",
        ) from error  # fmt: skip
    except AssertionError as error:
        raise problem(
            EvaluationError, "the server sent what the protocol does not allow",
            f"{str(error) or 'a message out of turn, or numbers that are not finite'}, after {steps} calls",
            "look at the server's log: its simulation may have blown up",
        ) from error  # fmt: skip
    finally:
        client.close()
    return steps


def _address(host: str, port: int | None, unix: str | None) -> str:
    from ase.calculators.socketio import SocketServer, actualunixsocketname

    if unix is not None:
        return f"unix socket {actualunixsocketname(unix)}"
    return f"{host}:{SocketServer.default_port if port is None else port}"


def _connect(host: str, port: int | None, unix: str | None, wait: float, address: str) -> socket.socket:
    """The connection; tried again until `wait` seconds have passed."""
    from ase.calculators.socketio import SocketServer, actualunixsocketname

    where = (host, port or SocketServer.default_port) if unix is None else actualunixsocketname(unix)
    deadline = time.monotonic() + wait
    while True:
        connection = socket.socket(socket.AF_INET if unix is None else socket.AF_UNIX)
        try:
            connection.connect(where)
            return connection
        except OSError as error:
            connection.close()
            if time.monotonic() + _PAUSE > deadline:
                raise problem(
                    ConfigError, "there is no server to drive", f"{address}: {error.strerror or error}",
                    "start i-PI or the ASE script first, with the same address; --wait gives it more time",
                ) from error  # fmt: skip
        time.sleep(_PAUSE)


def _client(connection: socket.socket, n_atoms: int) -> SocketClient:
    """ASE's client on an open connection; refuses positions of another number of atoms."""
    from ase.calculators.socketio import IPIProtocol, SocketClient
    from ase.parallel import world

    class Protocol(IPIProtocol):
        def recvposdata(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            cell, inverse, positions = super().recvposdata()
            if len(positions) != n_atoms:
                raise problem(
                    DataError, "the server simulates another structure",
                    f"{len(positions)} atoms there, {n_atoms} here",
                    "give this command the structure that the server's input names, atoms in the same order",
                )  # fmt: skip
            return cell, inverse, positions

    class Client(SocketClient):
        def __init__(self) -> None:  # ASE's own leaves its socket open if there is no server
            self.comm, self.state, self.closed = world, "READY", False
            self.protocol = Protocol(connection)
            self.log = self.protocol.log
            self.bead_index, self.bead_initbytes = 0, b""

    return Client()
