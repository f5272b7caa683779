"""Packed cutouts become scores in one process: judged in batches, written part by part, resumed.

A killed run loses its last second at most; the next one scores the same batches again, to the same numbers.
`lensmodel.survey_scoring` does the same on many.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.campaign import Campaign
from data.errors import StoreError
from data.files import held_alone, written_atomically
from data.objects import ObjectTable, StoredObject
from data.scores import SCORE_SCHEMA, next_part, scored_ids, write_features, write_part
from lensmodel import Progress
from lensmodel.batches import fetched_ahead, side_by_side, steps
from lensmodel.devices import placed
from lensmodel.errors import ModelError, UnreadError
from lensmodel.models import ModelCard, check_survey, load_network, write_card
from lensmodel.verdicts import Scored, ScoreRow, score_rows

SECONDS_PER_PART = 1.0
MOST_UNREAD = 100  # steps in a row
_RUN = ".run"
_LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Unread:
    """A step whose cutouts could not be read."""

    number: int
    reason: str


@dataclass
class Tally:
    """Objects scored, and refused with a reason.

    reasons : of the refused ones, and how often each was given. bands_missing : how often which bands were not there.
    unread : steps whose cutouts could not be read, which got no rows.
    """

    scored: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    bands_missing: Counter[str] = field(default_factory=Counter)
    unread: list[Unread] = field(default_factory=list)

    def add(self, rows: Iterable[ScoreRow]) -> None:
        """Count these rows."""
        for row in rows:
            if "logit" not in row:
                self.refused += 1
                self.reasons[str(row["reason"])] += 1
                continue
            self.scored += 1
            if row.get("bands_missing"):
                self.bands_missing[str(row["bands_missing"])] += 1

    def add_tally(self, other: "Tally") -> None:
        """Count what another one counted."""
        self.scored += other.scored
        self.refused += other.refused
        self.reasons += other.reasons
        self.bands_missing += other.bands_missing
        self.unread += other.unread


@dataclass(frozen=True)
class ScoringReport:
    """What a run did, and how many objects it left alone since they had a row."""

    tally: Tally
    already_there: int
    seconds: float

    @property
    def scored(self) -> int:
        return self.tally.scored

    @property
    def refused(self) -> int:
        return self.tally.refused


def score(
    campaign: Campaign,
    card: ModelCard,
    *,
    batch_size: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ScoringReport:
    """Score every object that has no row of this model version yet.

    batch_size : images that go through the network at once; None for what is fastest.
    stop : asked after each step of some 64 objects; True ends the run with everything so far written.

    Raises
    ------
    CampaignError
        If nothing was ingested, or another process is scoring with this model version.
    ModelError
        If the weights cannot be loaded, or the batch size is not from 1 up.
    UnreadError
        At the end, if some cutouts could not be read, which get no row and are tried again by the next run; sooner if
        `MOST_UNREAD` steps in a row could not.
    """
    if batch_size is not None and batch_size < 1:
        raise ModelError(f"batch size is {batch_size}; expected a whole number from 1")
    check_survey(card, campaign.survey.name)
    started = time.monotonic()
    store = campaign.cutouts()
    network = placed(load_network(card), card)
    folder = campaign.scores_path(card.version)
    with held_alone(folder / ".lock", doing="scoring"):
        prepare(campaign, card)
        objects = campaign.objects()
        waiting = _without(objects, scored_ids(campaign.score_parts(card.version)))
        parts = _Parts(campaign, card.version)
        in_a_row = 0
        try:
            work = partial(scored_or_why_not, partial(score_rows, network, card, store, batch_size))
            for scored in side_by_side(work, fetched_ahead(card, store, steps(store, waiting))):
                if isinstance(scored, Unread):
                    parts.tally.unread.append(scored)
                    in_a_row += 1
                    if in_a_row == MOST_UNREAD:
                        break
                    continue
                in_a_row = 0
                parts.add(scored)
                if on_progress is not None:
                    on_progress(Progress(parts.tally.scored + parts.tally.refused, len(waiting)))
                if stop is not None and stop():
                    break
        finally:
            parts.flush()
    if parts.tally.unread:
        raise unread_error(parts.tally)
    return ScoringReport(parts.tally, len(objects) - len(waiting), time.monotonic() - started)


def scored_or_why_not(
    work: Callable[[list[StoredObject]], Scored], step: list[StoredObject]
) -> Scored | Unread:
    """A damaged chunk costs its step, not the run."""
    try:
        return work(step)
    except StoreError as error:
        return Unread(len(step), str(error))


def unread_error(tally: Tally) -> UnreadError:
    """What is said at the end of a run that could not read some cutouts."""
    number = sum(one.number for one in tally.unread)
    return UnreadError(
        f"{number:,} cutouts could not be read, {tally.scored:,} are scored; the first: {tally.unread[0].reason:.500}"
    )


def prepare(campaign: Campaign, card: ModelCard) -> str:
    """Clear away what a killed run left half done, and note whose scores these are; for who holds the lock.

    Gives the name of the run. A worker of an earlier one, whose client is gone, finds another name in the folder and
    writes no more.
    """
    scores, features = campaign.scores_path(card.version), campaign.features_path(card.version)
    run = begin_run(scores)
    for folder in (scores, features):
        for leftover in folder.glob(".part-*.partial"):
            leftover.unlink(missing_ok=True)
    for part in features.glob("part-*.parquet"):
        if not (scores / part.name).exists():
            part.unlink(missing_ok=True)
    write_card(card, scores / "model.json")
    return run


def begin_run(folder: Path) -> str:
    """Name a new run that alone may write parts into a folder."""
    run = uuid.uuid4().hex
    with written_atomically(folder / _RUN) as partial:
        partial.write_text(run)
    return run


def check_run(folder: Path, run: str) -> None:
    """Refuse to go on for a run that is over, or in a folder that is not the client's.

    Raises
    ------
    ModelError
    """
    try:
        found = (folder / _RUN).read_text()
    except FileNotFoundError:
        found = ""
    if found != run:
        raise ModelError(
            f"{folder} belongs to another run of lensvet score, or this worker sees another folder"
        )


def write_scored(campaign: Campaign, model_version: str, steps: list[Scored], *, name: str) -> Path:
    """Write what was said of some objects: their features, then the part that makes them count."""
    rows = [row for step in steps for row in step.rows]
    seen = [step for step in steps if step.features is not None]
    if seen:
        ids = [str(step.rows[index]["object_id"]) for step in seen for index in step.seen]
        features = np.concatenate([_half(step) for step in seen])
        write_features(campaign.features_path(model_version), ids, features, name=name)
    else:
        (campaign.features_path(model_version) / name).unlink(missing_ok=True)
    table = pa.Table.from_pylist(rows, schema=SCORE_SCHEMA)
    return write_part(campaign.scores_path(model_version), table, name=name)


def _half(step: Scored) -> NDArray[np.float16]:
    assert step.features is not None
    return step.features.float().clamp(-_LARGEST_HALF, _LARGEST_HALF).half().numpy()


class _Parts:
    """Objects on their way to disk: written about every second, the first ones at once."""

    def __init__(self, campaign: Campaign, model_version: str) -> None:
        self._campaign, self._version = campaign, model_version
        self._steps: list[Scored] = []
        self._due = 0.0
        self.tally = Tally()

    def add(self, step: Scored) -> None:
        self._steps.append(step)
        self.tally.add(step.rows)
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        steps, self._steps = self._steps, []  # whatever interrupts the writing: no step is written twice
        if steps:
            name = next_part(self._campaign.scores_path(self._version))
            write_scored(self._campaign, self._version, steps, name=name)
        self._due = time.monotonic() + SECONDS_PER_PART


def _without(objects: ObjectTable, done: set[str]) -> ObjectTable:
    """The objects that have no row yet."""
    if not done:
        return objects
    is_done = pc.is_in(objects.table["object_id"], value_set=pa.array(sorted(done), pa.string()))
    return ObjectTable(objects.table.filter(pc.invert(is_done)))
