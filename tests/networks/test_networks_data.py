"""What a training configuration says, without PyTorch."""

import pytest
import training_data

from lacemaker.errors import ConfigError
from lacemaker.networks.config import effective_yaml, training_config
from lacemaker.networks.presets import PRESETS
from lacemaker.workflow.data import load_sets


def test_a_training_reads_its_data_as_a_fit_does(tmp_path):
    training_data.write(tmp_path / "train.xyz", n=10)
    config = training_config({"data": {"train": str(tmp_path / "train.xyz"), "test_fraction": 0.2}})
    sets = load_sets(config.data)
    assert (len(sets.train), len(sets.test)) == (8, 2)


def test_the_effective_configuration_comes_back_the_same(tmp_path):
    given = {"data": {"train": "train.xyz"}, "output": "results", "seed": 3}
    config = training_config(given)
    (tmp_path / "effective.yaml").write_text(effective_yaml(config, tmp_path))
    assert training_config(tmp_path / "effective.yaml") == config


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("kind", ["hip-nn", "hip-nn-ts", "hip-hop-nn"])
def test_every_preset_serves_every_kind_of_network(preset, kind):
    config = training_config({"preset": preset, "data": {"train": "a.xyz"}, "network": {"kind": kind}})
    assert config.network.degree == {"hip-nn": 0, "hip-nn-ts": 1, "hip-hop-nn": 3}[kind]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"displaced_pairs": "phonon"}, r"data\.displaced_pairs"),
        ({"formation_energies": {"vacancy": "bulk"}}, r"data\.formation_energies"),
        ({"keys": {"energies": "REF_energies"}}, r"data\.keys\.energies"),
        ({"keys": {"force_constants": "REF_fc"}}, r"data\.keys\.force_constants"),
        ({"require": ["energy", "force_constants"]}, r"data\.require: \[force_constants\]"),
    ],
)
def test_labels_no_network_learns_from_are_refused_by_name(tmp_path, data, named):
    with pytest.raises(ConfigError, match=rf"data has an unusable value(.|\n)*remove {named}(.|\n)*lace fit"):
        training_config({"data": {"train": "a.xyz", **data}})


def test_a_batch_larger_than_the_largest_is_refused():
    with pytest.raises(ConfigError, match="raise max_batch_size"):
        training_config({"data": {"train": "a.xyz"}, "schedule": {"batch_size": 256}})
    equal = {"batch_size": 256, "max_batch_size": 256}
    assert training_config({"data": {"train": "a.xyz"}, "schedule": equal}).schedule.batch_size == 256
