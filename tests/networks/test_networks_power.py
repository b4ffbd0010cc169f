"""What the networks can tell apart, and how flexible their invariants are at symmetric sites."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from molecules import batch, structure  # noqa: E402
from test_networks_symmetry import network  # noqa: E402

from lacemaker.networks.invariants import degree_five, plain_invariants  # noqa: E402


def ring(steps):
    """Four H at 1.1 Å around C, at multiples of 45° in a plane."""
    angles = np.array(steps) * np.pi / 4
    around = 1.1 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)
    return structure([6, 1, 1, 1, 1], np.vstack([np.zeros(3), around]))


# equal distances, different angles: the distances of {0,1,2,5} and of the square are the same
SAME_DISTANCES = ring([0, 2, 4, 6]), ring([0, 1, 2, 5])
# homometric sets of Z_8: both have the angles 45, 45, 90, 135, 135, 180, hence equal distances *and* angles
# (all correlations of two neighbours), like the degenerate methane of PRL 125, 166001 (2020)
SAME_ANGLES = ring([0, 1, 3, 4]), ring([0, 1, 2, 5])

NETS = {
    "hip-nn": {"kind": "hip-nn"},
    "ts1": {"kind": "hip-nn-ts", "l_max": 1},
    "ts2": {"kind": "hip-nn-ts", "l_max": 2},
    "hop22": {"l_max": 2, "n_max": 2},
    "hop32": {"l_max": 3, "n_max": 2},
    "hop23": {"l_max": 2, "n_max": 3},
    "hop24": {"l_max": 2, "n_max": 4},
    "hop34": {"l_max": 3, "n_max": 4},
}


def difference(net, pair):
    """Between the site energies of the carbon of two structures, for a network of one interaction."""
    made = network(interactions=1, **NETS[net])
    a, b = (float(made(batch(s)).site_energies[0].detach()) for s in pair)
    return abs(a - b)


@pytest.mark.parametrize("net", list(NETS))
def test_only_angles_help_where_distances_agree(net):
    assert (difference(net, SAME_DISTANCES) < 1e-12) == (net == "hip-nn")


@pytest.mark.parametrize("net", list(NETS))
def test_only_three_factors_help_where_distances_and_angles_agree(net):
    """HIP-NN, HIP-NN-TS and invariants of two factors cannot tell these apart; from (2,3) on they can."""
    assert (difference(net, SAME_ANGLES) < 1e-12) == (net not in ("hop23", "hop24", "hop34"))
    assert not np.isnan(difference(net, SAME_ANGLES))


def rank(zeroed, extra):
    """Rank of the invariants as functions of the 16 components, among sites where some messages vanish."""
    m = torch.randn(16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for part in zeroed:
        m[{"v": slice(1, 4), "Q": slice(4, 9), "T": slice(9, 16)}[part]] = 0

    def every(x):
        x = x.reshape(1, 16, 1)
        values = plain_invariants(x, 3, 4).flatten()
        return torch.cat([values, degree_five(x).flatten()]) if extra else values

    jacobian = torch.autograd.functional.jacobian(every, m)[:, m != 0]  # within the symmetric sites
    singular = torch.linalg.svdvals(jacobian)
    return int((singular > 1e-9 * singular[0]).sum())


# exact ranks; complete would be 13, 10, 8, 5 and 6
@pytest.mark.parametrize(
    ("zeroed", "plain", "with_extra"), [("", 13, 13), ("v", 8, 9), ("Q", 6, 6), ("vQ", 3, 3), ("T", 6, 6)]
)
def test_flexibility_at_symmetric_sites(zeroed, plain, with_extra):
    assert rank(zeroed, False) == plain
    assert rank(zeroed, True) == with_extra
