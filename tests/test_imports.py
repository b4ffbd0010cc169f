"""Importing is cheap, the public face is complete, and versions agree."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lacemaker

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "numpy",
    "scipy",
    "ase",
    "pydantic",
    "matplotlib",
    "sklearn",
    "torch",
    "plotly",
    "vesin",
    "jinja2",
    "ruamel",
}

MEASURE = """
import resource, subprocess, sys
best = 1e9
for _ in range(5):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", {code!r}], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
print(best)
"""


def cpu_seconds(code):
    """Smallest CPU time of five fresh interpreters running `code`, start of the interpreter included."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE.format(code=code)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource")
def test_import_is_cheap():
    assert cpu_seconds("import lacemaker") < 0.3


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource")
def test_help_is_quick():
    assert cpu_seconds("import sys; from lacemaker.cli import main; sys.exit(main(['--help']))") < 0.5


@pytest.mark.parametrize("code", ["import lacemaker", "import lacemaker.cli"])
def test_nothing_heavy_is_imported_early(code):
    report = f"import sys; {code}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_public_face_is_small_and_complete():
    assert len(lacemaker.__all__) <= 15
    for name in lacemaker.__all__:
        assert getattr(lacemaker, name).__doc__, name
        assert name in dir(lacemaker)
    with pytest.raises(AttributeError, match="no attribute 'Basis'"):
        _ = lacemaker.Basis


def test_versions_agree():
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("tests of an installed copy")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == lacemaker.__version__
