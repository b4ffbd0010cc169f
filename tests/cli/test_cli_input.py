"""Bad input to the command line: exit code 2, three parts, no traceback, nothing lost."""

import json
import os

import pytest
from tests_cli_data import config_with

from lacemaker.cli import main


def refused(arguments, capsys, code=2):
    """Standard error of a command that must fail politely."""
    assert main([str(a) for a in arguments]) == code
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text


def test_unknown_key(job, capsys):
    config_with(job, "cutoff: 5.0", "cuttoff: 5.0")
    text = refused(["fit", job / "config.yaml"], capsys)
    assert "error: " in text
    assert "line 2: basis.cuttoff is not a known key" in text
    assert "did you mean `cutoff`?" in text
    assert not (job / "out").exists()


def test_wrong_type(job, capsys):
    config_with(job, "[8, 6, 4]", "{Si: many}")
    text = refused(["fit", job / "config.yaml"], capsys)
    assert "max_degree" in text
    assert "many" in text


def test_missing_configuration_and_data(job, capsys):
    assert "no such configuration file" in refused(["fit", job / "confg.yaml"], capsys)
    config_with(job, "train.xyz", "trian.xyz")
    assert "trian.xyz" in refused(["fit", job / "config.yaml"], capsys)


def test_empty_and_unreadable_data(job, capsys):
    (job / "train.xyz").write_text("")
    text = refused(["fit", job / "config.yaml"], capsys)
    assert "train.xyz" in text
    (job / "train.xyz").write_bytes(os.urandom(300))
    text = refused(["fit", job / "config.yaml"], capsys)
    assert "train.xyz" in text


def test_element_outside_the_basis(job, capsys):
    config_with(job, "{correlation_order", "{elements: [Ge], correlation_order")
    text = refused(["fit", job / "config.yaml"], capsys)
    assert "element outside the basis: Si" in text
    assert "frame 0" in text
    assert "add the element to basis.elements" in text


def test_no_labels_found(job, capsys):
    text = (job / "train.xyz").read_text().replace("REF_", "vasp_")
    (job / "train.xyz").write_text(text)
    message = refused(["fit", job / "config.yaml"], capsys)
    assert "vasp_energy" in message  # the keys present are listed


def test_weights_of_a_group_that_does_not_exist(job, capsys):
    config_with(job, "output: out", "output: out\nweights: {diamnd: {energy: 3}}")
    text = refused(["fit", job / "config.yaml"], capsys)
    assert "diamnd" in text
    assert "Did you mean 'diamond'" in text


def test_output_folder_that_cannot_be_made(job, capsys):
    (job / "out").write_text("a file")
    text = refused(["fit", job / "config.yaml"], capsys)
    assert "output folder" in text
    assert "--output" in text


def test_nan_labels_and_coincident_atoms(job, capsys):
    from ase.io import read, write

    frames = read(job / "train.xyz", ":")
    frames[3].arrays["REF_forces"][2, 1] = float("nan")
    write(job / "train.xyz", frames)
    assert "frame 3" in refused(["fit", job / "config.yaml"], capsys)
    frames[3].arrays["REF_forces"][2, 1] = 0.0
    frames[5].positions[1] = frames[5].positions[0]
    write(job / "train.xyz", frames)
    assert "frame 5" in refused(["fit", job / "config.yaml"], capsys)


def test_evaluating_with_the_wrong_file(fitted, job, capsys):
    assert "config.yaml" in refused(["evaluate", job / "config.yaml", job / "test.xyz"], capsys)
    assert "nowhere.lace" in refused(["info", job / "nowhere.lace"], capsys)
    foreign = (job / "test.xyz").read_text().replace("Si ", "Ge ")
    (job / "test.xyz").write_text(foreign)
    text = refused(["evaluate", fitted / "potential.lace", job / "test.xyz"], capsys)
    assert "element outside the basis: Ge" in text


def test_report_of_a_folder_without_a_fit(job, capsys):
    assert "does not hold a finished fit" in refused(["report", job], capsys)


def test_usage_errors_are_user_errors(capsys):
    assert "No such command" in refused(["fti"], capsys)
    assert "--no-such" in refused(["fit", "--no-such"], capsys)
    assert "Missing argument" in refused(["fit"], capsys)


def test_traceback_is_shown_when_asked_for(job):
    config_with(job, "cutoff: 5.0", "cuttoff: 5.0")
    from lacemaker.errors import ConfigError

    with pytest.raises(ConfigError):
        main(["fit", str(job / "config.yaml"), "--traceback"])


def test_a_bug_keeps_its_traceback_and_says_so(job, capsys, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("lacemaker.workflow.fitting.make_basis", broken)
    with pytest.raises(ZeroDivisionError):
        main(["fit", str(job / "config.yaml")])
    assert "looks like a bug in lacemaker" in capsys.readouterr().err


@pytest.mark.parametrize("sizes", ["", "ten", "0", "8,-3"])
def test_sizes_of_a_benchmark_are_checked(sizes, capsys):
    assert "numbers of atoms" in refused(["bench", "--sizes", sizes], capsys)


def test_init_does_not_overwrite(tmp_path, capsys):
    path = tmp_path / "config.yaml"
    path.write_text("mine")
    assert "exists already" in refused(
        ["init", path, "--train", "a", "--test", "none", "--preset", "fast"], capsys
    )
    assert path.read_text() == "mine"
    assert main(["init", str(path), "--train", "a.xyz", "--test", "none", "--preset", "fast", "--force"]) == 0
    assert "preset: fast" in path.read_text(encoding="utf-8")
    assert "not a preset" in refused(["init", tmp_path / "b.yaml", "--preset", "huge"], capsys)


def test_check_reports_what_a_file_holds(job, capsys):
    assert main(["check", str(job / "train.xyz"), "--json", str(job / "found.json")]) == 0
    text = capsys.readouterr().out
    assert "REF_energy" in text
    assert "diamond" in text
    found = json.loads((job / "found.json").read_text(encoding="utf-8"))
    assert found["frames"] == 27
