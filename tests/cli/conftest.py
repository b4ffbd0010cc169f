"""Small data sets labelled by a Lennard-Jones solid, and a configuration that fits them in a second."""

from pathlib import Path

import pytest
from tests_cli_data import silicon_set

CONFIG = """\
data: {train: train.xyz, test: test.xyz}
basis: {correlation_order: 3, max_degree: [8, 6, 4], cutoff: 5.0}
output: out
threads: 1
"""


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory) -> Path:
    """A folder with train.xyz, test.xyz and config.yaml; not to be written to."""
    from ase.io import write

    folder = tmp_path_factory.mktemp("data")
    write(folder / "train.xyz", silicon_set(0))
    write(folder / "test.xyz", silicon_set(1, per_group=3))
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def fitted(data_folder, tmp_path_factory) -> Path:
    """The folder of a finished fit; not to be written to."""
    from lacemaker.cli import main

    folder = tmp_path_factory.mktemp("fit") / "out"
    assert main(["fit", str(data_folder / "config.yaml"), "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def job(data_folder, tmp_path) -> Path:
    """A private copy of data and configuration."""
    for name in ("train.xyz", "test.xyz", "config.yaml"):
        (tmp_path / name).write_bytes((data_folder / name).read_bytes())
    return tmp_path
