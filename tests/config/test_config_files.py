"""Configurations: a good one round-trips, a bad one is answered with its line and what to do."""

import re
import warnings

import pytest

from lacemaker.config import Config, config_from, effective_yaml, json_schema, load_config
from lacemaker.config.choices import one_of
from lacemaker.config.template import template
from lacemaker.errors import ConfigError


def write(folder, text):
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder, text):
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    return str(caught.value)


@pytest.mark.parametrize("test", [None, "held out.xyz"])
@pytest.mark.parametrize("preset", ["fast", "default", "accurate"])
def test_the_template_is_a_valid_configuration(tmp_path, preset, test):
    config = load_config(write(tmp_path, template("config.yaml", "my train.xyz", test, preset)))
    assert config.data.train == (str(tmp_path / "my train.xyz"),)
    assert config.data.test == (() if test is None else (str(tmp_path / test),))
    assert config.basis.preset == preset
    assert config.output == str(tmp_path / "lace-fit")


def test_every_commented_line_of_the_template_is_valid_when_uncommented(tmp_path):
    lines = template("c.yaml", "t.xyz", "s.xyz", "default").splitlines()
    optional = [k for k, line in enumerate(lines) if re.match(r"\s*# [a-z0-9_]+: ", line)]
    assert len(optional) >= 7
    for k in optional:
        changed = [*lines[:k], lines[k].replace("# ", "", 1), *lines[k + 1 :]]
        load_config(write(tmp_path, "\n".join(changed)))


FULL = """
data: {train: [a.xyz, b.xyz], test_fraction: 0.2, seed: 7, prefix: dft_, stress: {unit: GPa, sign: -1}}
basis:
  elements: [Ti, O]
  correlation_order: 4
  max_degree: {Ti: [12, 10, 8, 6], O: "17/2"}
  cutoff: {Ti-Ti: 6, Ti-O: 5.5, O-O: 5}
  wl: 3/2
  transform: {kind: polynomial, p: 3}
  pair: {max_degree: 9, envelope: {kind: coulomb, p: 1}}
repulsion: {core: null}
e0: {Ti: -1593.5, O: -432.1}
prior: {kind: algebraic, p: 2}
solver: {kind: qr}
weights: {default: {energy: 1e1, forces: 1}, liq: {energy: 5}}
sigmas: {bulk: {forces: 0.05}}
"""


@pytest.mark.parametrize(
    "text", [FULL, "data: {train: a.xyz}", "data: {train: a.xyz}\nrepulsion: none\nprior: none"]
)
def test_the_effective_configuration_says_the_same(tmp_path, text):
    config = load_config(write(tmp_path, text))
    folder = tmp_path / "results" / "deep"
    folder.mkdir(parents=True)
    again = folder / "config.effective.yaml"
    again.write_text(effective_yaml(config, folder, "two\nlines"), encoding="utf-8")
    assert load_config(again) == config
    assert str(tmp_path) not in again.read_text(encoding="utf-8")  # nothing of this machine
    assert again.read_text(encoding="utf-8").startswith("# two\n# lines\n")


def test_numbers_of_yaml_1_2_are_numbers_and_no_is_nobelium(tmp_path):
    config = load_config(write(tmp_path, "data: {train: a.xyz}\ne0: {No: -1e-5}\n"))
    assert config.e0 == {"No": -1e-5}


def test_null_core_stays_null(tmp_path):
    config = load_config(write(tmp_path, "data: {train: a.xyz}\nrepulsion: {core: null}\n"))
    assert config.repulsion.core is None
    assert config.repulsion.restraint is not None


def test_unknown_key_is_answered_with_line_and_suggestion(tmp_path):
    text = complaint(tmp_path, "data:\n  train: a.xyz\nbasis:\n  preset: fast\n  cuttoff: 5.5\n")
    assert "config.yaml, line 5: basis.cuttoff is not a known key." in text
    assert "Found: 5.5." in text
    assert "did you mean `cutoff`?" in text
    assert "Keys allowed here: preset, elements, correlation_order" in text


def test_a_key_in_the_wrong_place_is_sent_home(tmp_path):
    assert "write it as `basis.cutoff`" in complaint(tmp_path, "data: {train: a.xyz}\ncutoff: 5\n")
    assert "write it as `weights`" in complaint(tmp_path, "data: {train: a.xyz, weights: {}}\n")


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("data:\n  train: a.xyz\n  seed: many\n", "line 3: data.seed", "valid integer"),
        ("data: {train: a.xyz}\nbasis: {cutoff: -3}\n", "line 2: basis.cutoff", "greater than 0"),
        (
            "data: {train: a.xyz}\nbasis: {preset: huge}\n",
            "line 2: basis.preset",
            "'fast', 'default' or 'accurate'",
        ),
        (
            "data: {train: a.xyz}\nbasis:\n  transform: {kind: agnesi, p: 3, q: 2}\n",
            "line 3: basis.transform",
            "q >= p",
        ),
        (
            "data: {train: a.xyz}\nbasis:\n  transform: {kind: agnesi, s: 3}\n",
            "line 3: basis.transform.s",
            "here: p, q, kind",
        ),
        ("data: {train: a.xyz}\nsolver: {kind: blx}\n", "line 2: solver", "choose one of: ard, asp, blr"),
        ("data: {train: a.xyz}\nsolver: blx\n", "line 2: solver", "choose one of: ard, asp, blr"),
        (
            "data: {train: a.xyz}\nprior: {kind: algebraic, q: 3}\n",
            "line 2: prior.q",
            "Keys allowed here: kind",
        ),
        (
            "data: {train: a.xyz}\nweights: {default: {energy: -1}}\n",
            "weights.default.energy",
            "greater than or equal",
        ),
        ("data: {train: a.xyz}\nrepulsion: strong\n", "line 2: repulsion", "choose auto, zbl or none"),
        ("basis: {preset: fast}\n", "data is missing", "lace init"),
        ("data: {test: a.xyz}\n", "data.train is missing", "lace init"),
        ("data: {train: []}\n", "data.train", "at least 1 item"),
        ("data: {train: a.xyz}\nthreads: 0\n", "line 2: threads", "greater than or equal to 1"),
        ("data: {train: a.xyz}\nsigmas: {liq: {energy: 0}}\n", "sigmas.liq.energy is 0", "positive error"),
        (
            "data: {train: a.xyz}\nsigmas: {liq: {energy: 1}}\nweights: {liq: {energy: 1}}\n",
            "both a weight and a sigma",
            "keep one",
        ),
    ],
)
def test_wrong_values_are_answered_in_three_parts(tmp_path, text, where, why):
    message = complaint(tmp_path, text)
    assert where in message
    assert why in message
    assert "Found: " in message
    assert "To do: " in message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no keys"),
        ("# only a comment\n", "no keys"),
        ("- a\n- b\n", "a list"),
        ("data: {train: [a.xyz\n", "line 2"),
        ("data:\n\ttrain: a.xyz\n", "line 2"),
        ("data: {train: a.xyz}\ndata: {train: b.xyz}\n", "duplicate key"),
    ],
)
def test_what_is_not_a_mapping_is_refused(tmp_path, text, found):
    message = complaint(tmp_path, text)
    assert found in message
    assert "To do: " in message


def test_missing_and_unreadable_files_are_clear(tmp_path):
    write(tmp_path, "data: {train: a.xyz}")
    with pytest.raises(ConfigError, match=r"no such configuration file.*config\.yaml"):
        load_config(tmp_path / "confg.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "binary.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_many_mistakes_are_listed_but_not_endlessly(tmp_path):
    message = complaint(tmp_path, "data: {train: a.xyz}\n" + "".join(f"wrong{k}: {k}\n" for k in range(20)))
    assert len(message.splitlines()) == 7
    assert message.endswith("… and 14 more.")


def test_a_dictionary_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = config_from({"data": {"train": "a.xyz"}})
    assert config.data.train == (str(tmp_path / "a.xyz"),)
    assert config_from(config) is config
    with pytest.raises(ConfigError, match="configuration: trian is not a known key"):
        config_from({"data": {"train": "a.xyz"}, "trian": 1})


def test_sigmas_become_weights():
    config = Config.model_validate(
        {
            "data": {"train": "a"},
            "weights": {"default": {"energy": 3}},
            "sigmas": {"default": {"forces": 0.05}},
        }
    )
    assert config.row_weights() == {"default": {"energy": 3.0, "forces": pytest.approx(20.0)}}


def test_configurations_are_immutable():
    config = Config.model_validate({"data": {"train": "a"}})
    with pytest.raises(ValueError, match="frozen"):
        config.threads = 3


def test_a_new_class_in_a_registry_is_a_new_kind():
    from typing import Literal

    from pydantic import BaseModel, TypeAdapter

    class One(BaseModel):
        kind: Literal["one"] = "one"

    class Two(BaseModel):
        kind: Literal["two"] = "two"
        size: int = 2

    assert TypeAdapter(one_of({"one": One})).validate_python("one") == One()
    both = TypeAdapter(one_of({"one": One, "two": Two}))
    assert both.validate_python("Two") == Two()
    assert both.validate_python({"kind": "two", "size": 5}).size == 5
    assert both.validate_python(Two(size=3)).size == 3


def test_all_solvers_and_priors_are_offered():
    from lacemaker.priors import Prior
    from lacemaker.regression.solvers import Solver

    for section, registry in (("solver", Solver.registry), ("prior", Prior.registry)):
        for kind, cls in registry.items():
            config = Config.model_validate({"data": {"train": "a"}, section: kind})
            assert type(getattr(config, section)) is cls


def test_schema_lists_every_section():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schema = json_schema()
    assert set(schema["properties"]) == set(Config.model_fields)
    assert schema["required"] == ["data"]
    assert schema["additionalProperties"] is False
