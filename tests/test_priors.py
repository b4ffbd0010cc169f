"""Damping factors of the priors."""

from dataclasses import dataclass

import numpy as np
import pytest

from lacemaker.errors import ConfigError
from lacemaker.priors import AlgebraicPrior, NoPrior, Prior, parse_prior, prior_kinds


@dataclass(frozen=True)
class F:
    channels: tuple[tuple[int, int, int], ...]


def test_algebraic_prior_of_the_reference():
    # first γ 1, 16, 81, … for one channel with l = 0; a pair function is n⁴, 20736 at n = 12
    single = [F(((0, n, 0),)) for n in range(1, 13)]
    np.testing.assert_allclose(AlgebraicPrior(p=4).gamma(single), np.arange(1, 13) ** 4.0, rtol=1e-12)


def test_channels_add_and_l_counts_one_and_a_half_times():
    functions = [F(((0, 1, 0), (0, 2, 0))), F(((0, 1, 1), (0, 1, 1))), F(((0, 3, 2),) * 3)]
    expected = [1 + 16, 2 * (1 + 1.5**4), 3 * (81 + 3**4)]
    np.testing.assert_allclose(AlgebraicPrior(p=4).gamma(functions), expected, rtol=1e-12)
    np.testing.assert_allclose(
        AlgebraicPrior(p=2, wl=2.0, wn=0.5).gamma(functions),
        [4 + 16, 2 * (4 + 0.25), 3 * (36 + 1)],
        rtol=1e-12,
    )


def test_species_do_not_change_the_damping():
    one, other = F(((0, 2, 1), (0, 1, 1))), F(((3, 2, 1), (1, 1, 1)))
    gamma = AlgebraicPrior().gamma([one, other])
    assert gamma[0] == gamma[1]


def test_the_silicon_basis_has_the_gammas_of_the_reference():
    from lacemaker.basis import ACEBasis

    basis = ACEBasis("Si", 3, [20, 16, 12])
    gamma = AlgebraicPrior().gamma(basis.columns)
    assert gamma.shape == (319,)
    pair = np.array([f.kind == "pair" for f in basis.columns])
    np.testing.assert_allclose(gamma[pair], np.arange(1, 21) ** 4.0, rtol=1e-12)
    assert gamma.min() == pytest.approx(1.0, rel=1e-14)


def test_no_prior_is_the_identity():
    np.testing.assert_array_equal(NoPrior().gamma([F(((0, 5, 3),))] * 3), 1.0)
    assert AlgebraicPrior().gamma([]).shape == (0,)


def test_the_cap_bounds_the_ratio_even_of_infinities():
    class Steep(Prior):
        kind: str = "steep"

        def _log_damping(self, functions, basis):
            return np.log([2.0, 50.0, np.inf])

    Prior.registry.pop("steep")
    np.testing.assert_allclose(Steep(cap=10.0).gamma([F(())] * 3), [2.0, 20.0, 20.0], rtol=1e-14)
    assert np.all(np.isfinite(Steep().gamma([F(())] * 3)))


def test_priors_are_found_by_name():
    assert {"algebraic", "none"} <= set(prior_kinds())
    assert parse_prior({"kind": "algebraic", "p": 2}) == AlgebraicPrior(p=2)
    assert parse_prior(None) == parse_prior("none") == NoPrior()
    with pytest.raises(ConfigError, match=r"Unknown prior 'soup'.*algebraic, .*none"):
        parse_prior("soup")
    with pytest.raises(ValueError, match="greater than 0"):
        AlgebraicPrior(p=0)
    with pytest.raises(ValueError, match="strength"):
        parse_prior({"kind": "algebraic", "strength": 3})
