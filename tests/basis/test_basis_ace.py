"""A basis is frozen, comparable, stored as JSON, understood by the kernels, and clear when misused."""

import copy
import json
import pickle

import numpy as np
import pytest
from basis_helpers import random_environment

from lacemaker.basis import (
    ZBL,
    ACEBasis,
    Agnesi,
    Function,
    Identity,
    Jacobi,
    Morse,
    One,
    PairBasis,
    XEnvelope,
    reference,
)
from lacemaker.errors import BasisError

VARIED = [
    ACEBasis("H", 2, 7),
    ACEBasis("Si", 3, [20, 16, 12]),
    ACEBasis(["Si", "O"], 4, {"Si": [8, 8, 6, 6], "O": 5.5}, cutoff={"Si-O": 4.1}, rin=0.3, repulsion=ZBL()),
    ACEBasis(["Ge", "Si"], 2, 5, wl="2/3", level_rule="ace1", transform=Morse(1.7), pair=None),
    ACEBasis(["C", "H"], 3, 5, transform=Identity(), envelope=XEnvelope(1, 3), polynomials=Jacobi(0.0, 0.5)),
    ACEBasis(
        ["C", "H"], 2, 5, pair=PairBasis(max_degree=3, symmetric=True, cutoff=3.1), repulsion=ZBL(inner=0.2)
    ),
]


@pytest.mark.parametrize("basis", VARIED, ids=repr)
def test_round_trips(basis):
    spec = json.loads(json.dumps(basis.spec()))
    for again in [ACEBasis.from_spec(spec), pickle.loads(pickle.dumps(basis)), copy.deepcopy(basis)]:
        assert again == basis
        assert hash(again) == hash(basis)
        assert again.digest == basis.digest
        assert again.columns == basis.columns
        assert again.spec() == basis.spec()


def test_different_bases_differ():
    assert len({*VARIED, ACEBasis("H", 2, 7)}) == len(VARIED)
    assert len({b.digest for b in VARIED}) == len(VARIED)
    assert ACEBasis("Si", 2, 8) != ACEBasis("Si", 2, 8, cutoff=5.0)
    assert ACEBasis("Si", 2, 8) != "Si"


def test_bases_are_frozen():
    basis = ACEBasis("Si", 2, 6)
    with pytest.raises(AttributeError, match="frozen"):
        basis.cutoff = 4.0
    assert "n_functions=" in repr(basis)


def test_columns_are_in_order_and_unique():
    basis = VARIED[2]
    columns = basis.columns
    assert len(columns) == len(set(columns)) == basis.n_functions == basis.counts().n_functions
    kinds = [(f.kind != "many-body", f.centre) for f in columns]
    assert kinds == sorted(kinds)
    assert columns[0] == Function("many-body", 0, ((0, 1, 0),))
    assert columns[-1] == Function("pair", 1, ((1, 6, 0),))
    assert all(f.correlation_order == len(f.channels) <= 4 for f in columns)


def test_symmetric_pairs_share_columns():
    basis = VARIED[5]
    column = basis.pair_columns.column
    np.testing.assert_array_equal(column[0, 1], column[1, 0])
    assert np.unique(column).tolist() == list(range(basis.n_many_body, basis.n_functions))
    assert basis.n_functions - basis.n_many_body == 9
    assert basis.counts().to_dict()["n_functions"] == basis.n_functions


@pytest.mark.parametrize("basis", VARIED, ids=repr)
def test_kernel_tables_say_what_the_oracle_computes(basis):
    """Radial arrays and A specs, interpreted as the contract with the kernels says."""
    tables = basis.kernel_tables()
    a_first, spec = tables["a_first"], tables["a_spec"]
    rng = np.random.default_rng(9)
    vectors, species = random_environment(rng, 10, basis.n_elements, 0.8, 3.5)
    r = np.linalg.norm(vectors, axis=1)
    for centre in range(basis.n_elements):
        rows = spec[a_first[centre] : a_first[centre + 1]]
        x = np.empty_like(r)
        inside = np.empty_like(r, dtype=bool)
        for j, (distance, z) in enumerate(zip(r, species, strict=True)):
            rin, r0, rcut, p, q = tables["mb_transform_params"][centre, z]
            transform = [Agnesi, None, Identity, Morse][tables["mb_transform"]]
            arguments = {Agnesi: (int(p), int(q)), Identity: (), Morse: (p,)}[transform]
            x[j] = transform(*arguments)(np.array([distance]), rin, r0, rcut)[0][0]
            inside[j] = distance < rcut
        p1, p2 = tables["mb_envelope_params"]
        envelope = (x + 1) ** p1 * (1 - x) ** p2 * inside
        assert tables["mb_envelope"] == 1
        polynomials = [np.ones_like(x)]
        for k in range(1, len(tables["mb_beta"])):
            previous = polynomials[k - 2] if k > 1 else 0.0
            polynomials.append(
                (x - tables["mb_beta"][k - 1]) * polynomials[k - 1] - tables["mb_gamma"][k - 1] * previous
            )
        harmonics, _ = reference.real_harmonics(int(spec[:, 2].max()), vectors / r[:, None])
        expected = [
            np.sum(
                (species == z)
                * tables["mb_norm"][n - 1]
                * envelope
                * polynomials[n - 1]
                * harmonics[:, ell * ell + ell + m]
            )
            for z, n, ell, m in rows.tolist()
        ]
        found = reference.one_particle(basis, centre, vectors, species)[0].sum(axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())


def a_values(basis, rng):
    sizes = np.diff(basis.kernel_tables()["a_first"])
    return [rng.normal(size=n) for n in sizes]


@pytest.mark.parametrize("basis", VARIED, ids=repr)
def test_design_tables_and_contraction_agree_with_the_coupling(basis):
    rng = np.random.default_rng(10)
    a, c = a_values(basis, rng), rng.normal(size=basis.n_functions)
    e0 = rng.normal(size=basis.n_elements)
    design, model = basis.design_tables(), basis.contract(c, e0)
    for tables in (design, model):
        for name, array in tables.items():
            if isinstance(array, np.ndarray):
                assert array.flags.c_contiguous, name
                expected = np.int64 if name.endswith("_first") else np.int32
                if array.dtype.kind == "i":
                    assert array.dtype == expected, name
    row = 0
    for centre, values in enumerate(a):
        b = reference.many_body(basis.many_body[centre], values)[0]
        products = [
            np.prod(values[design["product_index"][slice(*design["product_first"][p : p + 2])]])
            for p in range(*design["product_centre"][centre : centre + 2])
        ]
        for k in range(*design["row_centre"][centre : centre + 2]):
            entries = slice(*design["row_first"][k : k + 2])
            value = design["row_coefficient"][entries] @ np.array(products)[design["row_product"][entries]]
            assert value == pytest.approx(b[row - design["row_centre"][centre]], rel=1e-9, abs=1e-12)
            row += 1
        energy = sum(
            model["term_weight"][t]
            * np.prod(values[model["term_index"][slice(*model["term_first"][t : t + 2])]])
            for t in range(*model["term_centre"][centre : centre + 2])
        )
        mine = slice(*design["row_centre"][centre : centre + 2])
        assert energy == pytest.approx(c[mine] @ b, rel=1e-9)
    assert design["n_columns"] == basis.n_functions
    assert design["pair_column"].shape == model["pair_coefficients"].shape
    for index, column in np.ndenumerate(design["pair_column"]):
        assert model["pair_coefficients"][index] == (c[column] if column >= 0 else 0.0)
    np.testing.assert_array_equal(model["e0"], e0)


def test_zero_coefficients_make_a_shorter_program():
    basis = ACEBasis("Si", 3, 10)
    c = np.zeros(basis.n_functions)
    assert len(basis.contract(c, [0.0])["term_weight"]) == 0
    c[60] = 1.0
    terms = basis.contract(c, [0.0])
    centre = basis.many_body[0]
    assert len(terms["term_weight"]) == centre.row_first[61] - centre.row_first[60]
    assert terms["term_first"][-1] == len(terms["term_index"])


def test_contract_refuses_what_does_not_fit():
    basis = ACEBasis("Si", 2, 6)
    with pytest.raises(BasisError, match="do not fit the basis"):
        basis.contract(np.zeros(3), np.zeros(1))
    with pytest.raises(BasisError, match="NaN"):
        basis.contract(np.full(basis.n_functions, np.nan), np.zeros(1))


def test_zbl_tables():
    tables = ACEBasis(["Si", "O"], 1, 3, repulsion=ZBL(outer={"O": 0.9})).kernel_tables()
    np.testing.assert_array_equal(tables["zbl"][..., 0], [[196, 112], [112, 64]])
    assert tables["zbl"][1, 1, 2] == 0.9
    assert tables["zbl_a"][0, 1] == pytest.approx(0.4685 / (14**0.23 + 8**0.23))
    assert not ACEBasis("Si", 1, 3).kernel_tables()["zbl"].any()


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (("Xx", 3, 10), {}, "unknown chemical element"),
        (([], 3, 10), {}, "distinct"),
        ((["Si", "Si"], 3, 10), {}, "distinct"),
        (("Si", 0, 10), {}, "correlation_order"),
        (("Si", 2.5, 10), {}, "correlation_order"),
        (("Si", 9, 10), {}, "correlation_order"),
        (("Si", 3, 0.5), {}, "degree below 1"),
        (("Si", 3, [10, 8]), {}, "do not fit together"),
        (("Si", 3, {"Ge": 3}), {}, "every element"),
        (("Si", 3, "many"), {}, "must be a number"),
        (("Si", 3, None), {}, "number or a list"),
        (("Si", 3, 10), {"wl": 0}, "wl must be positive"),
        (("Si", 3, 10), {"wl": "1/0"}, "wl must be a number"),
        (("Si", 3, 10), {"cutoff": 50.0}, "beyond reason"),
        (("Si", 3, 10), {"cutoff": float("nan")}, "cutoff"),
        (("Si", 3, 10), {"cutoff": 0.5, "rin": 0.6}, "larger than rin"),
        (("Si", 3, 10), {"cutoff": 5.0, "rin": 1.0, "pair": PairBasis(cutoff=0.8)}, "pair cutoff"),
        (("Si", 3, 10), {"r0": 1.0, "rin": 1.5}, "r0 of Si-Si"),
        (("Si", 3, 10), {"r0": -1.0, "cutoff": 5.0}, "r0 of Si-Si"),
        (("Si", 3, 10), {"level_rule": "ace2"}, "unknown level rule"),
        (("Si", 5, 60), {}, "absurdly large"),
        (("Si", 3, 10), {"repulsion": ZBL(inner=2.0, outer=1.0)}, "inner < outer"),
        (("Si", 3, 10), {"transform": "agnesi"}, "transform"),
        ((["Si", "C"], 2, {"Si": 4, "C": 5}), {"pair": PairBasis(symmetric=True)}, "symmetric pair basis"),
    ],
)
def test_mistakes_are_explained_in_three_parts(arguments, keywords, message):
    with pytest.raises(BasisError, match=rf"(?s){message}.*found:.*to do:"):
        ACEBasis(*arguments, **keywords)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format"),
        ({"couplings": 99}, "couplings"),
        ({"colour": "blue"}, "colour"),
        ({"elements": ["Si", "Si"]}, "distinct"),
        ({"elements": ["Qq"]}, "distinct"),
        ({"r0": [[2.4, 2.4]]}, "r0 has the wrong shape"),
        ({"max_degree": [[8, 8], [8, 8]]}, "one list per centre"),
        ({"wl": "1/0"}, "not valid"),
        ({"wl": "x"}, "wl"),
        ({"envelope": {"kind": "x", "p1": 2, "p2": 2, "p3": 1}}, "envelope"),
        ({"transform": {"kind": "warp"}}, "transform"),
        ({"cutoff": [[float("inf")]]}, "beyond reason"),
    ],
)
def test_altered_specifications_are_refused(change, message):
    spec = ACEBasis("Si", 2, 8).spec()
    with pytest.raises(BasisError, match=message):
        ACEBasis.from_spec(spec | change)
    incomplete = {k: v for k, v in spec.items() if k != "wl"}
    with pytest.raises(BasisError, match="wl"):
        ACEBasis.from_spec(incomplete)


def test_every_envelope_and_transform_can_be_stored():
    basis = ACEBasis("Si", 2, 5, envelope=One(), polynomials=Jacobi(), pair=None)
    assert ACEBasis.from_spec(basis.spec()).radial == basis.radial
