"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine with other work to do is slow, not wrong.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

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


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Base URL of a private PostgreSQL server; tests that need it skip where there is none."""
    from tests.fixtures.postgresql import private_server, why_no_server

    if reason := why_no_server():
        pytest.skip(reason)
    with private_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, once for each kind that the label store speaks to."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labels.sqlite'}"
    from tests.fixtures.postgresql import new_database

    return new_database(request.getfixturevalue("postgresql_server"))


@pytest.fixture(autouse=True)
def lensvet_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where models are added to: empty, whatever the person who runs the tests has added."""
    home = tmp_path / "lensvet-home"
    monkeypatch.setenv("LENSVET_HOME", str(home))
    return home
