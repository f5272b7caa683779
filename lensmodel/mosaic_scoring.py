"""Positions in survey mosaics become scores without being packed first; the best of them become objects.

    tiles + catalogue ─▶ patches of the sky ─▶ cut, judged ─▶ mosaics/<model_version>/part-*.parquet ─▶ the best, packed

A patch holds positions that are near to each other, so that a worker opens few tiles. Its file is named after what is
in it, ids, positions and tiles: a run that resumes does what has no file yet, also when tiles were added.
"""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy import units as u
from astropy_healpix import HEALPix
from numpy.typing import NDArray

from data.campaign import Campaign, open_campaign
from data.cutout_store import layout_of, stored_as
from data.cutouts import Cutout
from data.errors import CampaignError, UnreadableCutoutError
from data.files import held_alone, parquet_in_sql
from data.readers.mosaics import FIELD_ARCSEC, Positions, circles_of, cut_mosaics
from data.readers.units import Rejected
from data.scores import SCORE_SCHEMA, write_part
from data.sky_neighbours import unit_vectors
from lensmodel import Progress
from lensmodel.batches import OBJECTS_PER_STEP
from lensmodel.models import ModelCard, check_survey, load_network, write_card
from lensmodel.on_dask import client_of, finished, saying_how_far
from lensmodel.partitions import USUAL
from lensmodel.planes_in_memory import PlanesInMemory
from lensmodel.scoring import ScoringReport, Tally, begin_run, check_run
from lensmodel.survey_scoring import Job, check_room, check_workers
from lensmodel.verdicts import ScoreRow, score_rows
from lensmodel.worker_network import network_of

FIELDS_ARCSEC = (1.0, 120.0)
NO_IMAGE = "no image of the mosaic holds this position"
_CELL_ORDER = 8  # of HEALPix: cells of 14 arcmin, about half a tile
_FINE_ORDER = 29


@dataclass(frozen=True)
class Patch:
    """Positions near to each other and the tiles that may hold them.

    ra_deg, dec_deg : (n,). field_arcsec : side of what is cut at each.
    """

    object_ids: tuple[str, ...]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    tiles: tuple[Path, ...]
    field_arcsec: float = FIELD_ARCSEC

    @property
    def part(self) -> str:
        """Name of the file of its scores: of other positions or other tiles it is another."""
        digest = hashlib.blake2b(digest_size=12)
        tiles = [(str(tile), tile.stat().st_size, tile.stat().st_mtime_ns) for tile in self.tiles]
        digest.update(json.dumps([self.object_ids, tiles, self.field_arcsec]).encode())
        digest.update(self.ra_deg.tobytes() + self.dec_deg.tobytes())
        return f"part-{digest.hexdigest()}.parquet"


@dataclass(frozen=True)
class MosaicReport:
    """What a run did, and the files of all positions, those of earlier runs among them."""

    scoring: ScoringReport
    parts: list[Path]


def score_mosaics(
    campaign: Campaign,
    card: ModelCard,
    tiles: Sequence[Path],
    positions: Positions,
    *,
    field_arcsec: float = FIELD_ARCSEC,
    workers: int | None = None,
    scheduler: str | None = None,
    batch_size: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> MosaicReport:
    """Score every position that has no row yet with these tiles; nothing is packed.

    tiles : files that hold images larger than a cutout. field_arcsec : side of what is cut; ingest cuts 20.
    workers, scheduler : as in `survey_scoring.score_survey`.

    Raises
    ------
    CampaignError
        If no file is a tile with a place on the sky, there are no positions, the field is not one for a galaxy, or
        another process is scoring.
    ModelError
        As `score_survey`.
    """
    least, most = FIELDS_ARCSEC
    if not least <= field_arcsec <= most:
        raise CampaignError(f"the field is {field_arcsec:g}; expected arcsec from {least:g} to {most:g}")
    check_survey(card, campaign.survey.name)
    load_network(card)
    patches = {patch.part: patch for patch in patches_of(tiles, positions, field_arcsec=field_arcsec)}
    folder = campaign.mosaics_path(card.version)
    started = time.monotonic()
    with held_alone(folder / ".lock", doing="scoring"):
        job = Job(campaign.path.resolve(), card, batch_size, begin_run(folder))
        for leftover in folder.glob(".part-*.partial"):
            leftover.unlink(missing_ok=True)
        write_card(card, folder / "model.json")
        waiting = {name: patch for name, patch in patches.items() if not (folder / name).exists()}
        number = sum(len(patch.object_ids) for patch in waiting.values())
        check_room(campaign, number)
        tally = Tally()
        if waiting:
            with (
                client_of(workers, scheduler) as client,
                saying_how_far(lambda: f"{tally.scored + tally.refused:,} positions"),
            ):
                check_workers(client, job, folder)
                pieces = {f"{name} {job.run}": (job, patch, name) for name, patch in waiting.items()}
                for done in finished(client, score_patch, pieces):
                    tally.add_tally(done)
                    if on_progress is not None:
                        on_progress(Progress(tally.scored + tally.refused, number))
    report = ScoringReport(tally, len(positions) - number, time.monotonic() - started)
    return MosaicReport(report, [folder / name for name in patches])


def patches_of(
    tiles: Sequence[Path], positions: Positions, *, field_arcsec: float = FIELD_ARCSEC
) -> Iterator[Patch]:
    """Positions in the order of nested HEALPix cells, some thousand at a time, with the tiles that may hold them.

    Raises
    ------
    CampaignError
        If no file is a tile with a place on the sky, one cannot be read, or there are no positions.
    """
    if not len(positions):
        raise CampaignError("the catalogue has no usable position: expected columns ra and dec in degrees")
    circles = []
    for tile in tiles:
        try:
            circles += [(tile, *circle) for circle in circles_of(tile)]
        except (OSError, UnreadableCutoutError) as error:
            raise CampaignError(
                f"{tile} cannot be read ({error}): fetch it again, or leave it out"
            ) from error
    if not circles:
        raise CampaignError(
            f"none of {len(tiles):,} files is a FITS image of 500 px or more with a place on the sky: name the "
            "survey's tiles, or ingest cutouts"
        )
    centres = unit_vectors(np.array([one[1] for one in circles]), np.array([one[2] for one in circles]))
    radii = np.radians([one[3] for one in circles])
    healpix = HEALPix(2**_FINE_ORDER, order="nested")
    cells = healpix.lonlat_to_healpix(positions.ra_deg * u.deg, positions.dec_deg * u.deg)
    order = np.argsort(cells, kind="stable")
    coarse = cells[order] >> (2 * (_FINE_ORDER - _CELL_ORDER))
    for some in _pieces(order, coarse):
        ra_deg, dec_deg = positions.ra_deg[some], positions.dec_deg[some]
        places = unit_vectors(ra_deg, dec_deg)
        middle = places.mean(axis=0)
        middle /= np.linalg.norm(middle)
        reach = _angle(places, middle).max()
        near = np.flatnonzero(_angle(centres, middle) <= radii + reach)
        yield Patch(
            tuple(positions.object_ids[index] for index in some.tolist()),
            ra_deg,
            dec_deg,
            tuple(dict.fromkeys(circles[index][0].resolve() for index in near.tolist())),
            field_arcsec,
        )


def score_patch(job: Job, patch: Patch, name: str) -> Tally:
    """Cut and score the positions of a patch and write their file; what a worker does."""
    campaign = open_campaign(job.campaign)
    rows: dict[str, ScoreRow] = {
        object_id: {"object_id": object_id, "reason": NO_IMAGE} for object_id in patch.object_ids
    }

    def judge(cutouts: list[Cutout]) -> None:
        for row in _judged(job, cutouts):
            rows[str(row["object_id"])] = row

    waiting: dict[object, list[Cutout]] = defaultdict(list)
    positions = Positions(range(len(rows)), patch.object_ids, patch.ra_deg, patch.dec_deg)
    for place, found in cut_mosaics(patch.tiles, positions, campaign.survey, field_arcsec=patch.field_arcsec):
        if isinstance(found, Rejected):
            rows[patch.object_ids[place]]["reason"] = found.reason
            continue
        layout = layout_of(found.cutout)
        waiting[layout].append(found.cutout)
        if len(waiting[layout]) == OBJECTS_PER_STEP:
            judge(waiting.pop(layout))
    for rest in waiting.values():
        judge(rest)
    tally = Tally()
    tally.add(rows.values())
    table = pa.Table.from_pylist(list(rows.values()), schema=SCORE_SCHEMA)
    check_run(campaign.mosaics_path(job.card.version), job.run)
    write_part(campaign.mosaics_path(job.card.version), table, name=name)
    return tally


def best_of(parts: Sequence[Path], number: int) -> list[str]:
    """Ids of the most lens-like of all that has a score, the most lens-like first."""
    return _chosen(parts, "logit DESC, object_id", number)


def drawn_from(parts: Sequence[Path], number: int, seed: int) -> list[str]:
    """Ids drawn at random from all that has a score; the same for the same seed."""
    return _chosen(parts, f"md5(object_id || ' {seed:d}'), object_id", number)


def _chosen(parts: Sequence[Path], order: str, number: int) -> list[str]:
    import duckdb

    scored = f"SELECT object_id FROM {parquet_in_sql(*parts)} WHERE logit IS NOT NULL"
    query = f"{scored} ORDER BY {order} LIMIT {number:d}"
    with duckdb.connect() as connection:
        return [row[0] for row in connection.execute(query).fetchall()]


def _pieces(order: NDArray[np.int64], cells: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Whole cells together up to the usual size of a partition; a crowded cell in several pieces."""
    edges = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist(), len(order)]
    first = 0
    for before, edge in pairwise(edges):
        if edge - first > USUAL and before > first:
            yield order[first:before]
            first = before
        while edge - first > USUAL:
            yield order[first : first + USUAL]
            first += USUAL
    if first < len(order):
        yield order[first:]


def _judged(job: Job, cutouts: Sequence[Cutout]) -> list[ScoreRow]:
    source = PlanesInMemory([cutout.planes for cutout in cutouts])
    objects = [stored_as(cutout, "", row, planes_hash="") for row, cutout in enumerate(cutouts)]
    return score_rows(network_of(job.card), job.card, source, job.batch_size, objects).rows


def _angle(places: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle of unit vectors from one of them, in radians; exact for small ones too."""
    chord = np.linalg.norm(places - middle, axis=-1)
    angle: NDArray[np.float64] = 2 * np.arcsin(np.clip(chord / 2, 0, 1))
    return angle
