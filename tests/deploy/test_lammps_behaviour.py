"""Pair style lace as a citizen of LAMMPS: hybrid styles, errors, reloading, molecular dynamics."""

import numpy as np
import pytest
from lammps_engine import voigt_to_matrix

BOX = """
units {units}
atom_style atomic
newton {newton}
region r block 0 9 0 9 0 9
create_box 2 r
create_atoms 1 single 1 1 1
create_atoms 2 single 3 1 1.2
mass * 1.0
pair_style {style}
pair_coeff * * {coeff}
run 0
"""


def attempt(engine, path, *, coeff="{path} O Si", units="metal", newton="on", style="lace", ranks=1):
    """Run a two-atom script; returns exit code and everything said."""
    script = BOX.format(units=units, newton=newton, style=style, coeff=coeff.format(path=path))
    done = engine.script(script, ranks=ranks, check=False)
    return done.returncode, done.stdout + done.stderr


def test_mapping_and_cutoff_are_echoed(engine, rough_file):
    code, said = attempt(engine, rough_file)
    assert code == 0
    assert "cutoff 4.2 Å" in said
    assert "atom type 1 is O" in said
    assert "atom type 2 is Si" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": "real"}, "units real; to do: use units metal"),
        ({"newton": "off"}, "newton off; to do: use newton on"),
        ({"coeff": "{path} O Ge"}, "no element Ge; found: O Si"),
        ({"coeff": "{path} O"}, "found: 1 for 2 atom types"),
        ({"coeff": "{path} O NULL"}, "ll pair coeffs are not set"),
        ({"coeff": "nowhere.lace O Si"}, "nowhere.lace cannot be read; found: No such file"),
        ({"style": "lace fast"}, "unknown arguments; found: fast"),
        ({"style": "lace isa sse9"}, "instruction set 'sse9' cannot be used here"),
    ],
)
@pytest.mark.parametrize("ranks", [1, 2])
def test_mistakes_end_in_a_lammps_error_that_says_what_to_do(engine, rough_file, change, message, ranks):
    code, said = attempt(engine, rough_file, ranks=ranks, **change)
    assert code != 0
    assert "ERROR" in said
    assert message in " ".join(said.split())


def test_atoms_on_top_of_each_other_are_named(engine, rough_file):
    script = BOX.format(units="metal", newton="on", style="lace", coeff=f"{rough_file} O Si")
    done = engine.script(script.replace("single 3 1 1.2", "single 1 1 1"), check=False)
    assert done.returncode != 0
    assert "two atoms lie on top of each other; found: atoms" in done.stdout + done.stderr


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_box_without_atoms_has_no_energy(engine, rough_file, ranks):
    script = BOX.format(units="metal", newton="on", style="lace", coeff=f"{rough_file} O Si")
    lines = [line for line in script.splitlines() if not line.startswith("create_atoms")]
    said = engine.script("\n".join(lines), ranks=ranks).stdout
    assert "with 0 atoms" in said
    assert any(line.split()[:3] == ["0", "0", "0"] for line in said.splitlines())


def damaged(data):
    """Named ways to spoil a potential file."""
    length = int.from_bytes(data[:8], "little")
    flipped = bytearray(data)
    flipped[-9] ^= 1
    return {
        "empty": b"",
        "five bytes": data[:5],
        "cut header": data[: 8 + length // 2],
        "cut arrays": data[:-100],
        "longer": data + b"\0" * 8,
        "one bit": bytes(flipped),
        "text": b"# DATE: 2020 UNITS: metal\n" * 50,
        "huge header": b"\xff" * 8 + data[8:],
        "other version": data.replace(b'\\"version\\": 1', b'\\"version\\": 7'),
        "deep nesting": (5000).to_bytes(8, "little") + b"[" * 5000,
    }


def test_damaged_files_are_lammps_errors_never_crashes(engine, rough_file):
    for name, data in damaged(rough_file.read_bytes()).items():
        (engine.folder / "bad.lace").write_bytes(data)
        code, said = attempt(engine, "bad.lace")
        assert code > 0, f"{name}: killed by signal {-code}"  # subprocess reports a signal as a negative code
        assert "ERROR: pair style lace: bad.lace" in said, name
        assert "to do:" in said, name


def test_hybrid_adds_up_and_null_types_are_left_alone(engine, rough, rough_file, structures):
    """lace for O and Si, Lennard-Jones between everything and a third type: energies add, forces too."""
    atoms = structures["large"].copy()
    third = np.arange(len(atoms)) % 5 == 0
    atoms.symbols[third] = "Ar"
    symbols = ["O", "Ar", "Si"]
    cut = "lj/cut 4.0"
    lj = "\n".join(f"pair_coeff {a} {b} STYLE 0.01 2.0" for a, b in [(1, 2), (2, 2), (2, 3)])
    own = f"pair_style hybrid/overlay lace {cut}\npair_coeff * * lace {rough_file} O NULL Si\n"
    both = engine.evaluate(atoms, own + lj.replace("STYLE", "lj/cut"), symbols)
    plain = (
        lj.replace("STYLE ", "")
        + "\n"
        + "\n".join(f"pair_coeff {a} {b} 0.0 1.0" for a, b in [(1, 1), (1, 3), (3, 3)])
    )
    only_lj = engine.evaluate(atoms, f"pair_style {cut}\n{plain}", symbols)
    mine = rough.predict(atoms[~third])
    assert abs(both.energy - only_lj.energy - mine.energy) < 1e-10 * len(atoms)
    np.testing.assert_allclose(both.forces[~third] - only_lj.forces[~third], mine.forces, rtol=0, atol=1e-9)
    np.testing.assert_allclose(both.forces[third], only_lj.forces[third], rtol=0, atol=1e-9)
    virial = voigt_to_matrix(mine.virial)
    np.testing.assert_allclose(both.virial - only_lj.virial, virial, rtol=1e-8, atol=1e-8 * len(atoms))


def test_two_lace_potentials_in_one_overlay(engine, rough, rough_file, structures):
    atoms = structures["small skewed"]
    pair = f"pair_style hybrid/overlay lace lace\npair_coeff * * lace 1 {rough_file} O Si\n"
    result = engine.evaluate(atoms, pair + f"pair_coeff * * lace 2 {rough_file} O Si", ["O", "Si"])
    prediction = rough.predict(atoms)
    assert abs(result.energy - 2 * prediction.energy) < 2e-10 * len(atoms)
    np.testing.assert_allclose(result.forces, 2 * prediction.forces, rtol=0, atol=2e-9)


def test_plugin_can_be_unloaded_and_loaded_again(engine, plugin, rough_file):
    box = BOX.format(units="metal", newton="on", style="lace", coeff=f"{rough_file} O Si")
    again = box.split("pair_style")[1]
    script = f"{box}\nplugin unload pair lace\nplugin list\nplugin load {plugin.path}\npair_style{again}"
    said = engine.script(script).stdout
    energies = [
        line.split()[2] for line in said.splitlines() if len(line.split()) == 6 and line.split()[0] == "0"
    ]
    assert len(energies) == 2
    assert energies[0] == energies[1]


def test_unloaded_plugin_takes_its_style_with_it(engine, rough_file):
    box = BOX.format(units="metal", newton="on", style="lace", coeff=f"{rough_file} O Si")
    done = engine.script(f"{box}\nplugin unload pair lace\npair_style lace\n", check=False)
    assert done.returncode != 0
    assert "pair style" in done.stdout + done.stderr


MD = """
units metal
atom_style atomic
lattice diamond 5.432
region r block 0 3 0 3 0 3
create_box 1 r
create_atoms 1 box
mass 1 28.085
{pair}
velocity all create 600 4711 mom yes loop geom
timestep {step}
neighbor 1.0 bin
thermo {every}
thermo_style custom step etotal temp
thermo_modify norm yes format float %.12f
fix 1 all nve
run {steps}
"""


def total_energies(engine, pair, step, steps, ranks=1):
    """Energy per atom in eV along a run, after the first tenth."""
    text = MD.format(pair=pair, step=step, steps=steps, every=max(1, steps // 100))
    rows, reading = [], False
    for line in engine.script(text, ranks=ranks).stdout.splitlines():
        if line.split()[:2] == ["Step", "TotEng"]:
            reading = True
        elif line.startswith("Loop time"):
            reading = False
        elif reading:
            rows.append(float(line.split()[1]))
    return np.array(rows)[len(rows) // 10 :]


def test_molecular_dynamics_conserves_energy_like_a_built_in_style(engine, installation, silicon_file):
    """0.5 ps at 600 K: drift within noise, as for Stillinger-Weber; halving the step quarters the ripple."""
    potentials = installation.executable.parent / "share" / "lammps" / "potentials" / "Si.sw"
    if not potentials.is_file():
        pytest.skip("this LAMMPS comes without Si.sw")
    lace = f"pair_style lace\npair_coeff * * {silicon_file} Si"
    sw = f"pair_style sw\npair_coeff * * {potentials} Si"
    mine, theirs = (total_energies(engine, pair, 0.001, 500) for pair in (lace, sw))
    finer = total_energies(engine, lace, 0.0005, 1000)
    drift = lambda e: abs(np.polyfit(np.linspace(0, 1, len(e)), e, 1)[0])  # noqa: E731
    assert mine.std() < 3 * theirs.std()
    assert drift(mine) < 3 * max(drift(theirs), theirs.std())
    assert 2.5 < mine.std() / finer.std() < 6


def test_trajectories_do_not_depend_on_ranks(engine, silicon_file):
    lace = f"pair_style lace\npair_coeff * * {silicon_file} Si"
    one, two = (total_energies(engine, lace, 0.001, 20, ranks) for ranks in (1, 2))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-10)
