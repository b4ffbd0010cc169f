"""The inputs of the guide "Run it in LAMMPS", as they are printed there."""

import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import lacemaker as lace
from lacemaker.uncertainty import attach_extrapolation_grade

GUIDE = Path(__file__).parents[2] / "docs" / "lammps.md"
LONG, SHORT = "run             1000", "run 20"


@pytest.fixture(scope="module")
def blocks():
    """The blocks without a language: LAMMPS inputs and parts of them."""
    text = GUIDE.read_text(encoding="utf-8")
    every = re.findall(r"^```(\w*)\n(.*?)^```\n", text, re.DOTALL | re.MULTILINE)
    return [block for language, block in every if not language]


@pytest.fixture
def folder(engine, silicon_file):
    """Where LAMMPS runs, with a potential.lace of silicon that has a committee and active sets."""
    rng, frames = np.random.default_rng(2), []
    for _ in range(40):
        atoms = bulk("Si", a=5.43, cubic=True)
        atoms.positions += rng.normal(0, 0.15, atoms.positions.shape)
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((8, 3)))
        frames.append(atoms)
    plain = lace.Potential.load(silicon_file)
    potential = attach_extrapolation_grade(plain, lace.read(frames))
    members = 1e-3 * rng.normal(size=(4, plain.basis.n_functions))
    extras = {"committee.coefficients": members, "committee.e0": np.zeros((4, 1))}
    potential.with_extras(**extras).save(engine.folder / "potential.lace")
    return engine.folder


def part(blocks, word):
    (found,) = (block for block in blocks if word in block)
    return found


def test_the_first_input_runs(engine, folder, blocks):
    said = engine.script(blocks[0].replace(LONG, SHORT), ranks=2).stdout
    assert "atom type 1 is Si" in said
    assert "1000 atoms" in said


def test_the_grade_is_watched_dumped_and_stops_the_run(engine, folder, blocks):
    watch = part(blocks, "gamma 0")
    engine.script(blocks[0].replace(LONG, f"{watch}\n{SHORT}"))
    assert (folder / "odd.dump").read_text().count("ITEM: ATOMS id type x y z f_grade") == 3
    hot = blocks[0].replace("all create 600", "all create 60000").replace(LONG, f"{watch}\n{LONG}")
    hard = engine.script(hot, check=False)
    assert hard.returncode != 0
    assert "halt condition for fix-id stop met" in hard.stdout + hard.stderr
    assert not odd_rows(folder)  # it stops before that step is written
    engine.script(hot.replace("error hard", "error soft"))
    assert max(float(row[-1]) for row in odd_rows(folder)) > 25


def odd_rows(folder):
    rows = [line.split() for line in (folder / "odd.dump").read_text().splitlines()]
    return [row for row in rows if len(row) == 6 and row[0] != "ITEM:"]


def test_the_committee_goes_to_a_dump(engine, folder, blocks):
    engine.script(blocks[0].replace(LONG, f"{part(blocks, 'energy_std 0')}\n{SHORT}"))
    table = np.loadtxt((folder / "spread.dump").read_text().splitlines()[9:])
    assert table.shape == (1000, 7)
    assert (table[:, 5] > 0.0).all()


def test_other_styles_take_the_types_left_to_them(engine, folder, blocks):
    first = blocks[0].replace("create_box      1", "create_box      2").replace("mass            1", "mass *")
    first = first.replace("velocity", "set group all type/fraction 2 0.1 7\nvelocity")
    lines = [line for line in first.splitlines() if not line.startswith("pair_")]
    at = next(k for k, line in enumerate(lines) if line.startswith("neighbor"))
    lines[at:at] = part(blocks, "hybrid/overlay").splitlines()
    said = engine.script("\n".join(lines).replace(LONG, "run 0")).stdout
    assert "atom type 2 is NULL" in said
