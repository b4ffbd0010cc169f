"""What tests of all rooms share."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public data sets tests compare with; skips the test where it is absent.

    It is named by the environment variable LACEMAKER_DATA, or lies at ``shared/data`` beside the repository.
    The data are not part of the package: their licences differ.
    """
    folder = Path(os.environ.get("LACEMAKER_DATA", _BESIDE))
    if not folder.is_dir():
        pytest.skip(f"no public data sets at {folder}; set LACEMAKER_DATA to the folder that holds zuo2020")
    return folder
