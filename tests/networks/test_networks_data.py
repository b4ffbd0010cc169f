"""What a training configuration says, without PyTorch."""

import training_data

from lacemaker.networks.config import effective_yaml, training_config
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
