"""Numbers of trainable parameters: the table of the hippynn examples."""

import pytest

torch = pytest.importorskip("torch")

from lacemaker.errors import ConfigError  # noqa: E402
from lacemaker.networks import backend  # noqa: E402
from lacemaker.networks.network import Network, count_parameters  # noqa: E402
from lacemaker.networks.options import NetworkOptions, invariants_of  # noqa: E402

METHANE = {"features": 32, "interactions": 1, "r_soft_min": 0.4, "r_soft_max": 9.0, "cutoff": 10.3,
           "first_is_interacting": True}  # fmt: skip
NETS = {
    "hip-nn": {"kind": "hip-nn"},
    "ts1": {"kind": "hip-nn-ts", "l_max": 1},
    "ts2": {"kind": "hip-nn-ts", "l_max": 2},
    "hop23": {"l_max": 2, "n_max": 3},
    "hop24": {"l_max": 2, "n_max": 4},
    "hop34": {},
}
# arXiv:1710.00017, 2212.03195, 2503.23515 with the example scripts' sizes; counted from hippynn 0.1.3 modules
TABLE = {
    "methane": (8905, 8937, 8969, 14345, 15433, 23049),
    20: (16206, 16246, 16286, 20606, 21486, 27646),
    128: (587094, 587350, 587606, 753494, 786774, 1019734),
}


@pytest.mark.parametrize("size", list(TABLE))
@pytest.mark.parametrize("net", list(NETS))
def test_parameters_are_as_many_as_published(size, net):
    options = {**NETS[net], **(METHANE if size == "methane" else {"features": size})}
    network = Network(NetworkOptions(**options), 2 if size == "methane" else 4)
    assert count_parameters(network) == TABLE[size][list(NETS).index(net)]


@pytest.mark.parametrize(("net", "number"), [("hip-nn", 1421286), ("hop34", 2471686)])
def test_parameters_of_the_widest_networks(net, number):
    assert count_parameters(Network(NetworkOptions(**NETS[net], features=200), 4)) == number


def test_number_of_invariants_by_degree_and_factors():
    counts = {
        (3, 4): 13,
        (2, 4): 6,
        (3, 3): 7,
        (2, 3): 5,
        (3, 2): 4,
        (2, 2): 3,
        (1, 2): 2,
        (1, 4): 2,
        (0, 4): 1,
    }
    assert {key: len(invariants_of(*key)) for key in counts} == counts
    assert invariants_of(3, 1) == (0,)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"kind": "hip-nn", "l_max": 1}, "between 0 and 0"),
        ({"kind": "hip-nn-ts", "l_max": 3}, "between 1 and 2"),
        ({"cutoff": 5.0}, "r_soft_min < r_soft_max < cutoff"),
        ({"l_max": 2, "extra_invariant": True}, "needs hip-hop-nn with l_max 3"),
        ({"kind": "hip-nn", "n_max": 3, "group_norm": "off"}, "n_max, group_norm: of hip-hop-nn alone"),
        ({"features": 1}, "group norm over a single feature"),
        ({"resnet": 1}, "group norm over a single feature"),
    ],
)
def test_impossible_architectures_are_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        NetworkOptions(**options)


def test_without_torch_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"lacemaker\[nn\]"):
        backend.require_torch()


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert backend.choose_device("auto") == "cpu"
    with pytest.raises(ConfigError, match="sees no GPU"):
        backend.choose_device("cuda")
