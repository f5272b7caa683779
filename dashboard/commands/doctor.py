"""`lensvet doctor`: is everything here that LensVet needs."""

import shutil
import sqlite3
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

HELP = "check versions, models, free disk and, if named, a campaign"
EXAMPLES = """\
  lensvet doctor
  lensvet doctor q1
"""
LEAST_FREE_BYTES = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. is_well : whether LensVet can work with it."""

    is_well: bool
    text: str


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "campaign", type=Path, nargs="?", metavar="CAMPAIGN", help="a campaign folder to check too"
    )


def run(arguments: Namespace) -> int:
    findings = list(check(arguments.campaign))
    for finding in findings:
        print(f"{'ok  ' if finding.is_well else 'FAIL'}  {finding.text}")
    return 0 if all(finding.is_well for finding in findings) else 1


def check(campaign_path: Path | None) -> Iterator[Finding]:
    """Everything that can be checked without changing anything."""
    yield _finding("Python", _python)
    yield _finding("packages", _packages)
    yield _finding("models", _models)
    yield _finding("disk", lambda: _disk(campaign_path or Path()))
    if campaign_path is not None:
        yield _finding("objects", lambda: _objects(campaign_path))
        yield _finding("scores", lambda: _scores(campaign_path))
        yield _finding("votes", lambda: _votes(campaign_path))


def _finding(subject: str, checked: Callable[[], str]) -> Finding:
    try:
        return Finding(True, f"{subject}: {checked()}")
    except Exception as error:  # a doctor reports whatever is wrong
        return Finding(False, f"{subject}: {error}")


def _python() -> str:
    return f"{sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"


def _packages() -> str:
    from packaging.requirements import Requirement

    needed = [Requirement(text) for text in requires("lensvet") or []]
    needed = [requirement for requirement in needed if requirement.marker is None]
    unfit = [text for requirement in needed if (text := _unfit(requirement.name, str(requirement.specifier)))]
    if unfit:
        raise RuntimeError("; ".join(unfit) + ": make env")
    return f"{len(needed)} as LensVet {version('lensvet')} needs them"


def _unfit(name: str, specifier: str) -> str | None:
    from packaging.specifiers import SpecifierSet

    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} is missing"
    return None if SpecifierSet(specifier).contains(found) else f"{name} is {found}, needed is {specifier}"


def _models() -> str:
    from lensmodel.models import known_models, sha256_of

    cards = known_models()
    for card in cards.values():
        if sha256_of(card.weights_path) != card.sha256:
            raise RuntimeError(f"{card.weights_path} is damaged: restore it")
    return ", ".join(card.version for card in cards.values()) or "none: lensvet models add FILE"


def _disk(path: Path) -> str:
    place = path if path.exists() else Path()
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_BYTES:
        raise RuntimeError(
            f"{free / 2**30:.1f} GiB free at {place}; at least 1 GiB is needed for votes and scores"
        )
    return f"{free / 2**30:.0f} GiB free"


def _objects(path: Path) -> str:
    from data.campaign import open_campaign

    campaign = open_campaign(path)
    objects = campaign.objects()
    if len(objects):
        store = campaign.cutouts()
        for stored in objects.rows_of([objects.ids[0], objects.ids[-1]]):
            store.read(stored)
    return f"{len(objects):,}, of survey {campaign.survey.name}, reveal {campaign.reveal}"


def _scores(path: Path) -> str:
    import pyarrow.parquet as pq

    from data.campaign import open_campaign

    campaign = open_campaign(path)
    rows = {
        name: sum(pq.read_metadata(part).num_rows for part in campaign.score_parts(name))
        for name in campaign.scored_versions()
    }
    return (
        ", ".join(f"{name} {count:,}" for name, count in rows.items()) or "none yet: lensvet score CAMPAIGN"
    )


def _votes(path: Path) -> str:
    from data.campaign import open_campaign
    from data.label_store import LabelStore

    campaign = open_campaign(path)
    with LabelStore.open(campaign.database_url) as labels:
        counts = labels.counts()
    return f"{counts.votes:,} by {counts.inspectors:,} inspectors on {counts.objects:,} objects"
