"""The `basis` section builds what the same calls in Python build."""

import pytest

from lacemaker.basis import ACEBasis
from lacemaker.config.basis import BasisConfig
from lacemaker.errors import ConfigError

SMALL = {"elements": ["Si"], "correlation_order": 3, "max_degree": 10}


def build(**keys) -> ACEBasis:
    return BasisConfig(**SMALL, **keys).build(["Si"], None)


@pytest.mark.parametrize("key", ["degree", "body_order", "cost"])
def test_optimal_keeps_an_independent_set(key):
    full, part = build(), build(optimal=key)
    assert part.n_many_body == sum(full.independent_functions().rank) < full.n_many_body
    assert part.spec() == full.optimal(key).spec()


def test_products_join_the_kept_functions():
    part = build(optimal="degree", products={"max_factors": 3, "max_order": 4, "max_degree": 10})
    expected = build(optimal="degree").with_products(3, 4, 10)
    assert part.spec() == expected.spec()
    assert part.n_many_body == expected.n_many_body > build(optimal="degree").n_many_body


def test_products_have_defaults_and_need_no_selection():
    assert build(products={}).spec() == build().with_products().spec()


@pytest.mark.parametrize(
    "keys", [{"optimal": "size"}, {"products": {"max_factors": 1}}, {"products": {"order": 3}}]
)
def test_wrong_keys_are_refused(keys):
    with pytest.raises((ValueError, ConfigError)):
        build(**keys)
