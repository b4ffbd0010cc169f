"""The coupling cache never hurts: corrupt, unwritable or switched off, the basis is the same."""

import numpy as np
import pytest

from lacemaker.basis import ACEBasis, coupling_cache

pytestmark = pytest.mark.usefixtures("no_memory")


def coefficients():
    coupling_cache.clear_memory()
    return ACEBasis("Si", 4, 10).many_body[0].row_coefficient


def test_second_time_reads_what_the_first_wrote(private_cache, monkeypatch):
    first = coefficients()
    files = list(private_cache.iterdir())
    assert [f.suffix for f in files] == [".npz"]
    monkeypatch.setattr(coupling_cache, "build_coupling", None)  # must not be needed
    np.testing.assert_array_equal(coefficients(), first)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text", "other"])
def test_damaged_files_are_rebuilt_silently(private_cache, damage):
    first = coefficients()
    (file,) = private_cache.iterdir()
    content = file.read_bytes()
    if damage == "truncate":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        file.write_bytes(content.replace(content[2000:2008], b"\x3f" * 8, 1))
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "text":
        file.write_text("not an archive")
    else:  # a sound archive whose numbers were changed
        with np.load(file) as stored:
            arrays = dict(stored)
        arrays["coefficients"] = arrays["coefficients"] * 2
        np.savez(file, **arrays)
    np.testing.assert_array_equal(coefficients(), first)
    assert file.read_bytes() != b""
    np.testing.assert_array_equal(coefficients(), first)


def test_unwritable_folder_is_done_without(tmp_path, monkeypatch):
    obstacle = tmp_path / "a-file"
    obstacle.write_text("not a folder")
    monkeypatch.setenv("LACEMAKER_CACHE", str(obstacle / "cache"))
    assert len(coefficients())
    assert obstacle.read_text() == "not a folder"


def test_empty_variable_switches_the_cache_off(monkeypatch, private_cache):
    monkeypatch.setenv("LACEMAKER_CACHE", "")
    assert len(coefficients())
    assert coupling_cache.cache_folder() is None
    assert not private_cache.exists()


def test_default_folder_is_in_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("LACEMAKER_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert coupling_cache.cache_folder() == tmp_path / ".cache" / "lacemaker"


def test_a_failed_write_leaves_nothing_behind(private_cache, monkeypatch):
    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    assert len(coefficients())
    assert list(private_cache.iterdir()) == []
