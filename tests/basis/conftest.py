import pytest

from lacemaker.basis import coupling_cache


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("LACEMAKER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_memory():
    """Couplings are forgotten before and after."""
    coupling_cache.clear_memory()
    yield
    coupling_cache.clear_memory()
