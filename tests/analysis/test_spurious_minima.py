"""Spurious minima: sound pair potentials pass, one with a well inside its core does not."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from lacemaker.analysis.minima import compression, spurious_minima
from lacemaker.analysis.random_cells import _Fire, random_cell, relax_random_cells
from lacemaker.analysis.stability import shortest_distance
from lacemaker.analysis.vacuum_curves import dimers, trimers
from lacemaker.errors import DataError, EvaluationError
from lacemaker.structures import neighbour_list

BEST = 2.5  # Å: minimum of the Morse curve
CRYSTAL = bulk("Ar", "fcc", a=BEST * 2**0.5)


class Morse(Calculator):
    """(1 - exp(-a (r - r0)))^2 - 1 per pair in eV, cut at 5.5 Å; with a well of its own at 1.6 Å if asked."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, well=0.0):
        super().__init__()
        self.well = well

    def curve(self, r):
        """Energy and slope."""
        a, cut = 1.8, 5.5
        decay = np.exp(-a * (r - BEST))
        energy, slope = (1 - decay) ** 2 - 1, 2 * a * (1 - decay) * decay
        inside = self.well * np.exp(-(((r - 1.6) / 0.15) ** 2))
        energy, slope = energy - inside, slope + inside * 2 * (r - 1.6) / 0.15**2
        fade, d_fade = (1 - (r / cut) ** 2) ** 2, -4 * r / cut**2 * (1 - (r / cut) ** 2)
        return energy * fade, slope * fade + energy * d_fade

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        x, cell = self.atoms.get_positions(), np.array(self.atoms.cell)
        pairs = neighbour_list(x, cell, np.asarray(self.atoms.pbc), 5.5)
        vectors = pairs.vectors(x, cell)
        r = np.linalg.norm(vectors, axis=1)
        if pairs.n_pairs and r.min() < 1e-3:
            raise EvaluationError("two atoms lie on top of each other")
        energy, slope = self.curve(r)
        pull = 0.5 * (slope / np.maximum(r, 1e-12))[:, None] * vectors
        forces = np.zeros_like(x)
        np.add.at(forces, pairs.centre, pull)
        np.add.at(forces, pairs.index, -pull)
        self.results = {"energy": 0.5 * energy.sum(), "forces": forces}
        if all(self.atoms.pbc):
            stress = np.einsum("pi,pj->ij", pull, vectors) / self.atoms.get_volume()
            self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


def test_a_sound_potential_has_nothing_spurious():
    found = spurious_minima(Morse(), CRYSTAL, n_cells=4, n_atoms=4)
    assert found.sane
    assert found.n_unphysical == 0
    assert len(found.relaxations) == 4
    assert {r.converged for r in found.relaxations} == {True}
    assert all(r.energy_eV_per_atom > -1e-3 and r.shortest_distance > 0.9 for r in found.relaxations)
    assert "0 of 4 unphysical" in str(found)
    json.dumps(found.to_dict())


def test_curves_are_sums_over_pairs():
    calculator = Morse()
    (dimer,) = dimers(calculator, ("Ar",), BEST)
    np.testing.assert_allclose(dimer.energy, calculator.curve(dimer.r)[0] * (dimer.r < 5.5), atol=1e-12)
    np.testing.assert_allclose(dimer.force, -calculator.curve(dimer.r)[1] * (dimer.r < 5.5), atol=1e-12)
    assert len(dimer.minima) == 1
    (trimer,) = trimers(calculator, ("Ar",), BEST)
    far = 2 * BEST * np.sin(np.radians(trimer.angle) / 2)
    pairs = 2 * calculator.curve(np.array(BEST))[0] + calculator.curve(far)[0]
    np.testing.assert_allclose(trimer.energy, pairs, atol=1e-12)
    assert [angle for angle, _ in trimer.minima] == pytest.approx([60.0], abs=1.5)


def test_compression_starts_at_the_bottom():
    found = compression(Morse(), CRYSTAL, n_points=20)
    scaled = bulk("Ar", "fcc", a=(4 * found.volume) ** (1 / 3))
    scaled.calc = Morse()
    assert abs(scaled.get_stress()[:3]).max() < 1e-5
    assert scaled.get_potential_energy() == pytest.approx(found.crystal_energy, abs=1e-9)
    assert found.sane
    assert found.ratio[0] == 0.6
    assert np.all(np.diff(found.energy) < 0.0)


def test_a_well_inside_the_core_is_found_by_every_look():
    found = spurious_minima(Morse(well=12.0), CRYSTAL, n_cells=3, n_atoms=4)
    assert not found.sane
    (dimer,) = found.dimers
    assert len(dimer.minima) == 2
    assert not dimer.repulsive
    assert found.n_unphysical == 3
    assert set(found.faults) <= {"with atoms too close", "below the crystal"}
    deep = compression(Morse(well=12.0), CRYSTAL, smallest=0.25)
    assert not deep.sane
    assert 0.25 < deep.rises_to < 0.6
    assert "HOLE" in str(found)


def test_random_cells_keep_apart_and_repeat():
    cells = [random_cell(["Si"] * 6, 18.0, 1.8, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    for atoms in cells:
        assert shortest_distance(atoms, 5.0) > 1.8
        assert atoms.get_volume() / 6 == pytest.approx(18.0)
    np.testing.assert_array_equal(cells[0].positions, cells[1].positions)
    assert not np.allclose(cells[0].positions, cells[2].positions)


def test_relaxed_cells_are_at_rest():
    """The engine's coordinates and forces belong together: forces and stress vanish where it stops."""
    rng = np.random.default_rng(3)
    atoms = random_cell(["Ar"] * 3, 12.0, 1.8, rng)
    atoms.calc = Morse()
    search, before = _Fire(atoms, relax_cell=True), atoms.get_potential_energy()
    while not search.step():
        assert search.n_steps < 400
    assert atoms.get_potential_energy() < before
    assert np.abs(atoms.get_forces()).max() < 0.06
    assert np.abs(atoms.get_stress()).max() * atoms.get_volume() / 3 < 0.06
    fixed = random_cell(["Ar"] * 3, 12.0, 1.8, rng)
    fixed.calc, cell = Morse(), np.array(fixed.cell)
    search = _Fire(fixed, relax_cell=False)
    while not search.step():
        assert search.n_steps < 400
    np.testing.assert_allclose(fixed.cell, cell, rtol=1e-12)


def test_composition_follows_the_crystal():
    class Counting(Morse):
        formulas = set()  # noqa: RUF012

        def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
            self.formulas.add(atoms.get_chemical_formula())
            super().calculate(atoms, properties, system_changes)

    crystal = Atoms("CsCl3", cell=2.9 * np.eye(3), pbc=True, scaled_positions=[
        [0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])  # fmt: skip
    calculator = Counting()
    spurious_minima(calculator, crystal, n_cells=1)
    assert "Cl6Cs2" in calculator.formulas
    assert {"Cs2", "Cl2", "ClCs", "Cl3", "Cl2Cs", "ClCs2", "Cs3"} <= calculator.formulas


def test_a_calculator_that_gives_up_is_a_fault():
    class Fragile(Morse):
        def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
            super().calculate(atoms, properties, system_changes)
            if len(atoms) == 5:
                raise EvaluationError("too many atoms")

    found = relax_random_cells(
        Fragile(), ["Ar"] * 5, volume=15.0, bond_length=BEST, crystal_energy=-4.0, n_cells=2
    )
    assert [r.fault for r in found] == ["broke the calculator"] * 2


def test_without_stress_cells_keep_their_shape():
    class Stressless(Morse):
        implemented_properties = ["energy", "forces"]  # noqa: RUF012

        def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
            super().calculate(atoms, properties, system_changes)
            self.results.pop("stress", None)

    found = spurious_minima(Stressless(), CRYSTAL, n_cells=2, n_atoms=4)
    assert found.n_unphysical == 0
    assert all(r.n_steps > 5 for r in found.relaxations)


def test_impossible_questions_are_explained():
    with pytest.raises(DataError, match=r"do not keep 3\.00 Å apart"):
        random_cell(["Ar"] * 8, 4.0, 3.0, np.random.default_rng(0))
    with pytest.raises(DataError, match="not periodic"):
        spurious_minima(Morse(), Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 2.5]]))
    with pytest.raises(DataError, match="bond length cannot be read"):
        spurious_minima(Morse(), bulk("Ar", "sc", a=9.0))
