"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder with real images and published weights; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("LENSVET_SHARED", PROJECT.parent / "shared")).resolve()
    if not (folder / "real" / "MANIFEST.csv").is_file():
        pytest.skip(f"real images are not at {folder}: set LENSVET_SHARED")
    return folder


@pytest.fixture
def campaign(tmp_path: Path):
    """An empty Euclid campaign."""
    from data.campaign import create_campaign

    return create_campaign(tmp_path / "campaign", survey="euclid", title="Test campaign")
