"""Fixtures of the kernel tests."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from kernel_oracle import Model, Structure, random_model, structures

from lacemaker import _core


@pytest.fixture(params=_core.isas())
def isa(request: pytest.FixtureRequest) -> str:
    """Every instruction set this machine can run."""
    return str(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240711)


@pytest.fixture
def make_model(rng: np.random.Generator) -> Callable[..., Model]:
    def make(**options: Any) -> Model:
        return random_model(rng, **options)

    return make


@pytest.fixture
def nasty(rng: np.random.Generator) -> dict[str, Structure]:
    """Small structures of two species in awkward cells."""
    return structures(rng, 2)
