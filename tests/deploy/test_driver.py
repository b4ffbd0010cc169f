"""`lace drive`: forces over the i-PI socket protocol, against ASE's server."""

import os
import socket
import threading
import uuid

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.socketio import SocketIOCalculator
from ase.io import write

import lacemaker as lace
from lacemaker.cli import main
from lacemaker.deploy.driver import calculator_of, drive, read_structure
from lacemaker.deploy.yace import export_yace
from lacemaker.errors import ConfigError, DataError, EvaluationError


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A potential of two elements in both formats, and a skewed periodic structure."""
    folder = tmp_path_factory.mktemp("driver")
    basis = lace.ACEBasis(["Ge", "Si"], 2, [6, 5], cutoff=5.0, r0=2.4)
    coefficients = 0.05 * np.random.default_rng(0).normal(size=basis.n_functions)
    potential = lace.Potential(basis, coefficients, [-3.0, -5.0])
    potential.save(folder / "potential.lace")
    export_yace(potential, folder / "potential.yace")
    atoms = bulk("Si", cubic=True)
    atoms.symbols[::3] = "Ge"
    strain = np.array([[0.02, 0.1, 0], [0, -0.03, 0.05], [0, 0, 0.01]])
    atoms.set_cell(atoms.cell[:] @ (np.eye(3) + strain), scale_atoms=True)
    atoms.rattle(0.1, seed=1)
    write(folder / "start.xyz", atoms)
    return folder


@pytest.fixture
def name():
    """A Unix socket of our own, gone afterwards."""
    unique = f"lace_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    yield unique
    path = f"/tmp/ipi_{unique}"
    if os.path.exists(path):
        os.unlink(path)


class InBackground(threading.Thread):
    """Runs a call; `result` or `error` afterwards."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.result, self.error = call, None, None
        self.start()

    def run(self):
        try:
            self.result = self.call()
        except Exception as error:
            self.error = error

    def finished(self):
        self.join(timeout=20)
        assert not self.is_alive()
        return self


def moved(atoms, seed):
    """Other positions and another cell."""
    rng, other = np.random.default_rng(seed), atoms.copy()
    other.set_cell(other.cell[:] @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
    other.positions += rng.normal(0, 0.05, other.positions.shape)
    return other


def agree(served, atoms, calculator):
    """Energies, forces and stress over the socket are the calculator's own, to 1e-12 relative."""
    own = atoms.copy()
    own.calc = calculator
    assert served.get_potential_energy() == pytest.approx(own.get_potential_energy(), rel=1e-12)
    forces = own.get_forces()
    assert np.abs(served.get_forces() - forces).max() < 1e-12 * max(1, np.abs(forces).max())
    if all(atoms.pbc):
        assert np.abs(own.get_stress()).max() > 1e-3
        assert np.abs(served.get_stress() - own.get_stress()).max() < 1e-12


@pytest.mark.parametrize("suffix", ["lace", "yace"])
def test_energies_forces_and_stress_are_the_calculators(files, name, suffix):
    """Through a changing cell, and the client ends with the server."""
    path, atoms = files / f"potential.{suffix}", read_structure(files / "start.xyz")
    with SocketIOCalculator(unixsocket=name) as server:
        client = InBackground(lambda: drive(calculator_of(path, 1), atoms, unix=name))
        for step in range(6):
            now = atoms.copy() if step == 0 else moved(atoms, step)
            served = now.copy()
            served.calc = server
            agree(served, now, calculator_of(path, 1))
    assert client.finished().error is None
    assert client.result == 6


def test_a_molecule_has_no_virial(files, name):
    molecule = Atoms("SiGeSi", [[0, 0, 0], [2.3, 0, 0], [0.5, 2.2, 0.4]])
    calculator = calculator_of(files / "potential.lace", 1)
    with SocketIOCalculator(unixsocket=name) as server:
        client = InBackground(lambda: drive(calculator, molecule, unix=name))
        served = moved(molecule, 1)
        served.calc = server
        agree(served, served, calculator_of(files / "potential.lace", 1))
    assert client.finished().result == 1


def test_the_command_drives_over_tcp_and_says_so(files, capsys):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    atoms = read_structure(files / "start.xyz")
    arguments = ["drive", str(files / "potential.lace"), str(files / "start.xyz"), "--port", str(port)]
    client = InBackground(lambda: main(arguments))  # before the server: it waits
    with SocketIOCalculator(port=port) as server:
        atoms.calc = server
        assert np.isfinite(atoms.get_potential_energy())
    assert client.finished().error is None
    assert client.result == 0
    shown = capsys.readouterr().out
    assert f"driving localhost:{port}: 8 atoms, periodic along abc" in shown
    assert "the server ended after 1 force calls" in shown


def test_an_absent_server_is_a_clear_error(files, name, capsys):
    arguments = ["drive", str(files / "potential.lace"), str(files / "start.xyz"), "--wait", "0.2"]
    assert main([*arguments, "--unix", name]) == 2
    shown = capsys.readouterr().err
    assert "there is no server to drive" in shown
    assert f"/tmp/ipi_{name}" in shown
    assert "--wait" in shown
    assert main([*arguments, "--unix", name, "--port", "31415"]) == 2
    assert "A server has one address" in capsys.readouterr().err
    assert main([*arguments[:2], str(files / "absent.xyz")]) == 2
    assert "the structure cannot be read" in capsys.readouterr().err


def test_an_unknown_element_is_an_error_before_the_server_is_asked(files, name):
    with pytest.raises(EvaluationError, match="does not know the element Fe"):
        drive(calculator_of(files / "potential.lace", 1), bulk("Fe"), unix=name, wait=0)


def _server(name, talk):
    """A bare server of one connection: talk(socket)."""

    def serve():
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"/tmp/ipi_{name}")
            listening.listen()
            connection, _ = listening.accept()
            with connection:
                talk(connection)

    return InBackground(serve)


def _posdata(n_atoms):
    cell = 200.0 * np.eye(3)
    numbers = [cell, np.linalg.inv(cell), np.int32(n_atoms), np.arange(3.0 * n_atoms)]
    return b"".join([b"POSDATA".ljust(12), *(np.asarray(x).tobytes() for x in numbers)])


def test_another_number_of_atoms_is_a_clear_error(files, name):
    server = _server(name, lambda connection: (connection.sendall(_posdata(3)), connection.recv(1)))
    atoms = read_structure(files / "start.xyz")
    with pytest.raises(DataError, match="3 atoms there, 8 here"):
        drive(calculator_of(files / "potential.lace", 1), atoms, unix=name)
    server.finished()


def test_a_server_that_dies_within_a_message_ends_the_run(files, name):
    server = _server(name, lambda connection: connection.sendall(_posdata(8)[:200]))
    atoms = read_structure(files / "start.xyz")
    with pytest.raises(ConfigError, match="broke the connection off"):
        drive(calculator_of(files / "potential.lace", 1), atoms, unix=name)
    server.finished()


def test_numbers_that_are_not_finite_are_a_clear_error(files, name):
    broken = _posdata(8).replace(np.float64(5.0).tobytes(), np.float64(np.nan).tobytes())
    server = _server(name, lambda connection: (connection.sendall(broken), connection.recv(1)))
    atoms = read_structure(files / "start.xyz")
    with pytest.raises(EvaluationError, match="not finite"):
        drive(calculator_of(files / "potential.lace", 1), atoms, unix=name)
    server.finished()
