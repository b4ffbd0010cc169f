"""Training, validation and test parts: given as files, marked by the data's author, or drawn; no PyTorch."""

import pytest
import training_data

from lacemaker.cli.app import main
from lacemaker.errors import ConfigError, DataError
from lacemaker.networks.config import effective_yaml, training_config
from lacemaker.workflow.data import load_sets


def written(folder, words=(), n=10, name="train.xyz"):
    atoms = training_data.alloy(n, seed=sum(name.encode()))
    for a, word in zip(atoms, words, strict=False):
        if word:
            a.info["split"] = word
    training_data.write_atoms(folder / name, atoms)
    return str(folder / name)


def sizes(**data):
    sets = load_sets(training_config({"data": data}).data, with_validation=True)
    return {name: len(frames) for name, frames in sets.items()}


def test_validation_structures_of_their_own_files(tmp_path):
    train, valid = written(tmp_path), written(tmp_path, n=4, name="valid.xyz")
    assert sizes(train=train, validation=valid, test_fraction=0.2) == {"train": 8, "validation": 4, "test": 2}
    test = written(tmp_path, n=3, name="a test.xyz")
    both = {"train": 10, "validation": 4, "test": 3}
    assert sizes(train=train, validation=[valid], test=test) == both


@pytest.mark.parametrize("word", ["val", "valid", "Validation"])
def test_validation_structures_marked_by_the_author(tmp_path, word):
    words = ["train", word, "test", "train", word, word]
    train = written(tmp_path, words)
    assert sizes(train=train) == {"train": 6, "validation": 3, "test": 1}
    assert sizes(train=train, split_by="label") == {"train": 6, "validation": 3, "test": 1}
    drawn = sizes(train=train, split_by="frame", test_fraction=0.2)
    assert drawn == {"train": 8, "test": 2}


def test_marks_of_validation_alone_leave_no_test_part_to_draw(tmp_path):
    assert sizes(train=written(tmp_path, ["valid", "", "", "valid"])) == {"train": 8, "validation": 2}


def test_marks_count_beside_test_files(tmp_path):
    train, test = written(tmp_path, ["valid"]), written(tmp_path, n=3, name="test.xyz")
    assert sizes(train=train, test=test) == {"train": 9, "validation": 1, "test": 3}


def test_validation_named_twice_is_refused(tmp_path):
    train, valid = written(tmp_path, ["valid"]), written(tmp_path, n=4, name="valid.xyz")
    with pytest.raises(ConfigError, match=r"named twice(.|\n)*1 of 10(.|\n)*split_by: frame"):
        sizes(train=train, validation=valid)
    assert sizes(train=train, validation=valid, split_by="frame", test_fraction=0.0) == {
        "train": 10,
        "validation": 4,
    }


def test_the_path_of_validation_files_starts_from_the_configuration(tmp_path):
    (tmp_path / "c.yaml").write_text("data: {train: a.xyz, validation: b.xyz}\n")
    config = training_config(tmp_path / "c.yaml")
    assert config.data.validation == (str(tmp_path / "b.xyz"),)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "effective.yaml").write_text(effective_yaml(config, tmp_path / "run"))
    assert "../b.xyz" in (tmp_path / "run" / "effective.yaml").read_text()
    assert training_config(tmp_path / "run" / "effective.yaml").data == config.data


def test_a_fit_refuses_validation_structures_by_name(tmp_path, capsys):
    train, valid = written(tmp_path), written(tmp_path, n=4, name="valid.xyz")
    (tmp_path / "c.yaml").write_text(f"data: {{train: {train}, validation: {valid}}}\n")
    assert main(["fit", str(tmp_path / "c.yaml")]) == 2
    text = capsys.readouterr().err
    assert "no use for data.validation" in text
    assert "valid.xyz" in text
    assert "data.test or data.train" in text
    written(tmp_path, ["valid"])
    (tmp_path / "c.yaml").write_text(f"data: {{train: {train}}}\n")
    assert main(["fit", str(tmp_path / "c.yaml")]) == 2
    assert "data.split_by: frame" in capsys.readouterr().err


def test_a_fraction_too_small_names_its_key(tmp_path):
    train = written(tmp_path, n=3)
    with pytest.raises(DataError, match=r"data\.test_fraction leaves one part empty(.|\n)*data\.test$"):
        sizes(train=train)
    with pytest.raises(DataError, match=r"change it or data\.split_by"):
        sizes(train=train, split_by="file", test_fraction=0.5)
