"""Exponential, Gaussian and SOAP priors: definitions, limits, and the published tables."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

from lacemaker.basis import ACEBasis
from lacemaker.errors import ConfigError
from lacemaker.priors import AlgebraicPrior, ExponentialPrior, GaussianPrior, NoPrior, SOAPPrior, parse_prior
from lacemaker.priors.broadening import broadening_matrices, diagonal_damping, exact_damping
from lacemaker.priors.plots import channel_damping


@dataclass(frozen=True)
class F:
    channels: tuple[tuple[int, int, int], ...]
    centre: int = 0


@pytest.fixture(scope="module")
def silicon():
    return ACEBasis("Si", 3, [12, 8, 6], cutoff=6.0, r0=2.4)


@pytest.fixture(scope="module")
def twelve(silicon):
    """The twelve radial functions of the reference: Agnesi(2, 4), Jacobi(4, 4) times envelope, 6 Å."""
    return replace(silicon.radial, n_max=12), silicon.lengths(0, 0)


def test_exponential_adds_over_channels():
    functions = [F(((0, 2, 1),)), F(((0, 2, 1), (0, 1, 3)))]
    gamma = ExponentialPrior(wl=2.0 / 3.0, wn=1.0).gamma(functions)
    np.testing.assert_allclose(gamma, [np.exp(2 + 1.5), np.exp(3 + 6)], rtol=1e-13)


def test_gaussian_adds_squares_over_channels():
    functions = [F(((0, 2, 1),)), F(((0, 2, 1), (0, 1, 3)))]
    gamma = GaussianPrior(wl=4.0, wn=2.0).gamma(functions)
    np.testing.assert_allclose(gamma, [np.exp(1 + 1 / 16), np.exp(1.25 + 10 / 16)], rtol=1e-13)


def test_published_defaults_of_the_gaussian_are_capped_instead_of_overflowing():
    functions = [F(((0, n, 0),)) for n in (1, 2, 40)]
    gamma = GaussianPrior(wl=0.5**0.5, wn=0.5**0.5).gamma(functions)  # e^(2 n²): e^3200 at n = 40
    np.testing.assert_allclose(gamma, np.exp(2.0) * np.array([1.0, np.exp(6.0), 1e12]), rtol=1e-12)


@pytest.mark.parametrize("prior", [ExponentialPrior(), GaussianPrior(), AlgebraicPrior()])
def test_all_species_are_damped_alike(prior):
    one, other = F(((0, 2, 1), (0, 1, 1))), F(((3, 2, 1), (1, 1, 1)))
    gamma = prior.gamma([one, other])
    assert gamma[0] == gamma[1]


# Reference: priors-and-sparse-solvers, section 3; independent NumPy implementation, three digits.
EIGENVALUES = {
    (0.5, 0): [0.960, 0.852, 0.694, 0.528, 0.362, 0.238, 0.137, 0.078],
    (0.5, 4): [0.801, 0.634, 0.472, 0.329, 0.215, 0.132],
    (1.0, 0): [0.874, 0.590, 0.303, 0.126, 0.039, 0.011],
    (1.0, 4): [0.445, 0.193, 0.067, 0.019],
}


@pytest.mark.parametrize(("sigma", "ell"), EIGENVALUES)
def test_broadening_eigenvalues_of_the_reference(twelve, sigma, ell):
    expected = EIGENVALUES[sigma, ell]
    found = exact_damping(*twelve, ell, sigma)[: len(expected)]
    np.testing.assert_allclose(found, expected, atol=6e-4)


def test_broadening_diagonal_of_the_reference(twelve):
    found = diagonal_damping(*twelve, 0, 0.5)[:6]
    np.testing.assert_allclose(found, [0.925, 0.808, 0.712, 0.625, 0.542, 0.463], atol=6e-4)


def test_broadening_by_direct_convolution(twelve):
    """G_0 against a three-dimensional convolution done by brute force in Fourier space."""
    radial, lengths = twelve
    broadened, _ = broadening_matrices(radial, lengths, 0, 0.5)
    r = np.linspace(0.0, lengths[2], 3001)[1:]
    k = np.linspace(0.0, 30.0, 1501)
    values = radial.evaluate(r, *lengths)[0][:3]
    bessel = np.sinc(np.outer(k, r) / np.pi)  # j_0
    step_r, step_k = r[1] - r[0], k[1] - k[0]
    transform = np.sqrt(2.0 / np.pi) * (values * r**2) @ bessel.T * step_r  # Hankel, unitary
    expected = (transform * k**2 * np.exp(-0.5 * (0.5 * k) ** 2)) @ transform.T * step_k
    np.testing.assert_allclose(broadened[:3, :3], expected, rtol=1e-5, atol=1e-6)


def test_eigenvalues_do_not_depend_on_the_basis_of_the_span(twelve):
    from scipy.linalg import eigh

    broadened, overlap = broadening_matrices(*twelve, 2, 0.5)
    mixed = np.random.default_rng(0).standard_normal((12, 12))
    other = eigh(mixed @ broadened @ mixed.T, mixed @ overlap @ mixed.T, eigvals_only=True)[::-1]
    np.testing.assert_allclose(other, exact_damping(*twelve, 2, 0.5), rtol=1e-8, atol=1e-10)


def test_a_vanishing_width_damps_nothing_and_a_larger_one_more(silicon):
    gammas = [SOAPPrior(sigma=s).gamma(silicon.columns, basis=silicon) for s in (0.05, 0.2, 0.5, 1.0)]
    assert np.log(gammas[0]).max() < 0.35
    for gentle, strong in pairwise(gammas):
        assert np.all(strong > gentle)


@pytest.mark.parametrize("form", ["exact", "diagonal", "closed"])
def test_channels_multiply(silicon, form):
    prior = SOAPPrior(sigma=0.5, form=form)
    a, b = F(((0, 2, 1),)), F(((0, 3, 2),))
    product = F(((0, 2, 1), (0, 3, 2)))
    log = prior.log_gamma([a, b, product], basis=silicon)
    assert log[2] == pytest.approx(log[0] + log[1], rel=1e-12)
    assert np.all(log > 0.0)


def test_closed_form_is_the_gaussian_prior_with_its_conversion(silicon):
    """At n = 0 or l = 0 there is no cross term: wn = √2 rcut/(πσ), wl = 2 wn."""
    functions = [F(((0, n, 0),)) for n in range(1, 9)]
    scale = np.sqrt(2.0) * 6.0 / (np.pi * 0.5)
    np.testing.assert_allclose(
        SOAPPrior(sigma=0.5, form="closed").gamma(functions, basis=silicon),
        GaussianPrior(wn=scale, wl=2 * scale).gamma(functions),
        rtol=1e-12,
    )


def test_pairs_of_elements_have_their_own_broadening():
    basis = ACEBasis(["Si", "O"], 2, [6, 4], cutoff={"Si-Si": 6.0, "Si-O": 4.0, "O-O": 5.0})
    table = SOAPPrior(sigma=0.5).table(basis, 4, 2)
    assert table.shape == (2, 2, 4, 3)
    np.testing.assert_allclose(table[0, 1], table[1, 0])
    assert np.all(table[0, 1] > table[0, 0])  # a shorter range: the same blur is stronger
    assert SOAPPrior().gamma(basis.columns, basis=basis).shape == (basis.n_functions,)


def test_soap_needs_a_basis():
    with pytest.raises(ConfigError, match=r"needs the basis.*Use system.basis"):
        SOAPPrior().gamma([F(((0, 1, 0),))])


def test_names_and_tables_of_the_configuration():
    assert parse_prior("exponential") == ExponentialPrior()
    assert parse_prior({"kind": "soap", "sigma": 0.4, "form": "closed"}) == SOAPPrior(
        sigma=0.4, form="closed"
    )
    with pytest.raises(ValueError, match="form"):
        parse_prior({"kind": "soap", "form": "approximate"})


def test_priors_are_chosen_by_name_in_the_configuration():
    from lacemaker.config import Config

    config = Config.model_validate({"data": {"train": "a.xyz"}, "prior": {"kind": "soap", "sigma": 0.7}})
    assert config.prior == SOAPPrior(sigma=0.7)
    assert Config.model_validate({"data": {"train": "a.xyz"}, "prior": "evidence"}).prior.kind == "evidence"


def test_damping_of_single_channels_falls_with_n_and_l(silicon):
    for prior in (AlgebraicPrior(), ExponentialPrior(), GaussianPrior(), SOAPPrior()):
        values = channel_damping(prior, n_max=6, l_max=4, basis=silicon)
        assert values.shape == (6, 5)
        assert values[0, 0] == 1.0
        assert np.all(np.diff(values, axis=0) < 0)
        assert np.all(np.diff(values, axis=1) < 0)
    assert np.all(channel_damping(NoPrior(), n_max=3, l_max=2) == 1.0)


def test_damping_is_drawn(silicon):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from lacemaker.priors.plots import plot_damping

    figure = plot_damping([AlgebraicPrior(), SOAPPrior()], n_max=5, l_max=4, basis=silicon)
    lines = figure.axes[1].lines
    expected = channel_damping(SOAPPrior(), n_max=5, l_max=4, basis=silicon)
    np.testing.assert_allclose(lines[1].get_ydata(), expected[:, 2])
    pyplot.close(figure)
