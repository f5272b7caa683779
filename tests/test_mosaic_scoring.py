"""Positions in mosaics become scores: the numbers of packed cutouts, each position once, resumed, the best packed."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dashboard.cli import main
from data.campaign import open_campaign
from data.errors import CampaignError
from data.ingest import ingest
from data.readers.mosaics import Positions, circles_of
from data.scores import scores_of
from data.selections import selected_ids
from data.source_catalogue import SourceCatalogue
from lensmodel import mosaic_scoring
from lensmodel.models import default_model
from lensmodel.mosaic_scoring import (
    NO_IMAGE,
    best_of,
    drawn_from,
    patches_of,
    score_mosaics,
    score_patch,
)
from lensmodel.scoring import begin_run, score
from lensmodel.survey_scoring import Job
from tests.fixtures.dask_cluster import dask_processes
from tests.fixtures.networks import evidence_model
from tests.fixtures.tiles import CENTRE, SCALE_DEG, sky_at, tile, write_catalogue, write_tile

PLACES = {f"place {i}": sky_at(130 + 37 * i, 120 + 29 * i) for i in range(12)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with dask_processes(tmp_path_factory.mktemp("dask"), workers=2) as processes:
        yield processes


@pytest.fixture
def tiles(tmp_path):
    folder = tmp_path / "tiles"
    folder.mkdir()
    write_tile(folder / "vis.fits", tile())
    write_tile(folder / "h.fits", tile(seed=1), band="NIR_H")
    return [folder / "vis.fits", folder / "h.fits"]


@pytest.fixture
def catalogue(tmp_path):
    return write_catalogue(tmp_path / "list.csv", PLACES | {"outside": sky_at(50_000, 300)})


def positions_in(catalogue):
    opened = SourceCatalogue.open(catalogue)
    return opened.positions(range(len(opened)))


def judged_here(campaign, card, tiles, positions):
    """Every patch in this process; the rows by id."""
    job = Job(campaign.path, card, None, begin_run(campaign.mosaics_path(card.version)))
    for patch in patches_of(tiles, positions):
        score_patch(job, patch, patch.part)
    parts = campaign.mosaics_path(card.version).glob("part-*.parquet")
    return {row["object_id"]: row for row in pa.concat_tables(map(pq.read_table, parts)).to_pylist()}


def test_scores_are_those_of_packed_cutouts(cluster, campaign, tmp_path, tiles, catalogue):
    card = evidence_model(tmp_path)
    report = score_mosaics(campaign, card, tiles, positions_in(catalogue), scheduler=cluster.address)
    assert (report.scoring.scored, report.scoring.refused) == (12, 1)
    assert report.scoring.tally.reasons == {NO_IMAGE: 1}
    assert report.scoring.tally.bands_missing == {"Y,J": 12}
    found = scores_of(report.parts, PLACES)
    ingest(campaign, tiles, catalogue=catalogue)
    score(campaign, card)
    packed = scores_of(campaign.score_parts(card.version), PLACES)
    for name in PLACES:
        for column in ("logit", "x_arcsec", "y_arcsec", "ra_deg", "dec_deg", "where_why"):
            assert found[name][column] == pytest.approx(packed[name][column], abs=1e-5), column


def test_a_run_that_resumes_does_what_has_no_file_and_what_new_tiles_hold(
    cluster, campaign, tmp_path, tiles, monkeypatch
):
    monkeypatch.setattr(mosaic_scoring, "USUAL", 4)
    beside = (CENTRE[0], CENTRE[1] + 800 * SCALE_DEG)
    places = PLACES | {"above": (CENTRE[0], beside[1] + 20 * SCALE_DEG)}
    catalogue = write_catalogue(tmp_path / "list.csv", places)
    card = evidence_model(tmp_path)
    run = {"positions": positions_in(catalogue), "scheduler": cluster.address}
    first = score_mosaics(campaign, card, tiles, **run)
    assert len(first.parts) == 4
    assert score_mosaics(campaign, card, tiles, **run).scoring.already_there == 13
    lost = pq.read_metadata(first.parts[0]).num_rows
    first.parts[0].unlink()
    assert score_mosaics(campaign, card, tiles, **run).scoring.scored == lost
    more = write_tile(tmp_path / "tiles" / "next.fits", tile(seed=3), crval=beside)
    report = score_mosaics(campaign, card, [*tiles, more], **run)
    assert scores_of(report.parts, ["above"])["above"]["logit"] is not None
    assert 0 < report.scoring.already_there < 13


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_patches_hold_each_position_once_and_the_tiles_that_may_hold_them(tmp_path, size, monkeypatch):
    monkeypatch.setattr(mosaic_scoring, "USUAL", size)
    random = np.random.default_rng(3)
    number = 400
    ra, dec = random.uniform(-0.7, 0.7, number) % 360, random.uniform(-1.2, -0.2, number)
    near = write_tile(tmp_path / "near.fits", tile(), crval=(0.0, -0.7))
    far = write_tile(tmp_path / "far.fits", tile(), crval=(180.0, -0.7))
    names = [f"position {i}" for i in range(number)]
    patches = list(patches_of([near, far], Positions(range(number), names, ra, dec)))
    assert sorted(name for patch in patches for name in patch.object_ids) == sorted(names)
    assert all(len(patch.object_ids) <= size for patch in patches)
    assert len({patch.part for patch in patches}) == len(patches)
    assert not any(far in patch.tiles for patch in patches)
    (circle,) = circles_of(near)
    radius = np.hypot((ra - circle[0] + 180) % 360 - 180, dec - circle[1])
    inside = {name for name, is_near in zip(names, radius < circle[2] / 1.1, strict=True) if is_near}
    with_tile = {name for patch in patches if near in patch.tiles for name in patch.object_ids}
    assert inside <= with_tile


def test_a_smaller_field_is_cut_and_its_scores_are_others(campaign, tmp_path, tiles, catalogue, monkeypatch):
    seen = []
    judged = mosaic_scoring._judged
    monkeypatch.setattr(
        mosaic_scoring, "_judged", lambda job, cutouts: seen.extend(cutouts) or judged(job, cutouts)
    )
    card = evidence_model(tmp_path)
    job = Job(campaign.path, card, None, begin_run(campaign.mosaics_path(card.version)))
    for patch in patches_of(tiles, positions_in(catalogue), field_arcsec=10.0):
        score_patch(job, patch, patch.part)
    assert {plane.flux.shape for cutout in seen for plane in cutout.planes.values()} == {(100, 100)}
    (small,) = patches_of(tiles, positions_in(catalogue), field_arcsec=10.0)
    (large,) = patches_of(tiles, positions_in(catalogue))
    assert small.part != large.part


@pytest.mark.parametrize("left", [0.5, 0.0001])
def test_a_tile_that_is_cut_short_is_named_before_anything_begins(campaign, tmp_path, tiles, catalogue, left):
    torn = tmp_path / "tiles" / "torn.fits"
    write_tile(torn, tile(seed=4))
    whole = torn.read_bytes()
    torn.write_bytes(whole[: int(len(whole) * left)] + b" " * (500_000 if left < 0.5 else 0))
    with pytest.raises(CampaignError, match=r"torn.fits cannot be read .*fetch it again, or leave it out"):
        score_mosaics(campaign, evidence_model(tmp_path), [*tiles, torn], positions_in(catalogue), workers=1)


def test_a_tile_without_a_position_that_is_kept_does_not_become_an_object(campaign, tmp_path):
    elsewhere = (CENTRE[0], CENTRE[1] + 1.0)
    folder = tmp_path / "far"
    folder.mkdir()
    write_tile(folder / "VIS_A.fits", tile(2000, 2000))
    write_tile(folder / "VIS_B.fits", tile(2000, 2000, seed=1), crval=elsewhere)
    places = write_catalogue(tmp_path / "p.csv", {"a": CENTRE, "b": elsewhere})
    arguments = [
        "score",
        str(campaign.path),
        "--mosaics",
        str(folder),
        "--catalogue",
        str(places),
        "--keep",
        "1",
    ]
    assert main(arguments) == 0
    assert open_campaign(campaign.path).objects().ids in (["a"], ["b"])


def test_the_best_come_first_and_a_sample_is_that_of_its_seed(campaign, tmp_path, tiles, catalogue):
    card = evidence_model(tmp_path)
    rows = judged_here(campaign, card, tiles, positions_in(catalogue))
    parts = list(campaign.mosaics_path(card.version).glob("part-*.parquet"))
    logits = sorted((rows[name]["logit"] for name in PLACES), reverse=True)
    assert [rows[name]["logit"] for name in best_of(parts, 5)] == logits[:5]
    assert drawn_from(parts, 5, 1) == drawn_from(parts, 5, 1)
    assert set(drawn_from(parts, 100, 1)) == set(PLACES)
    assert len({tuple(drawn_from(parts, 5, seed)) for seed in range(8)}) > 4


def test_what_cannot_be_cut_is_refused_before_anything_begins(campaign, tmp_path, tiles, catalogue):
    card = evidence_model(tmp_path)
    small = write_tile(tmp_path / "small.fits", tile(height=200, width=200))
    with pytest.raises(CampaignError, match="none of 1 files is a FITS image of 500 px or more"):
        score_mosaics(campaign, card, [small], positions_in(catalogue), workers=1)
    empty = Positions([], [], np.zeros(0), np.zeros(0))
    with pytest.raises(CampaignError, match="no usable position"):
        score_mosaics(campaign, card, tiles, empty, workers=1)


def test_the_command_packs_the_best_and_a_sample_and_again_nothing(campaign, tiles, catalogue, capsys):
    arguments = ["score", str(campaign.path), "--mosaics", *map(str, tiles), "--catalogue", str(catalogue)]
    arguments += ["--keep", "3", "--audit", "2"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "12 scored, 1 not scorable" in said
    campaign = open_campaign(campaign.path)
    ids = set(campaign.objects().ids)
    assert 3 <= len(ids) <= 5
    card = default_model()
    assert set(scores_of(campaign.score_parts(card.version), ids)) == ids
    assert campaign.objects().get(next(iter(ids))).columns["mag"] == 20.5
    (kept,) = campaign.selections_path.glob("*.parquet")
    selection, sample = selected_ids(campaign.selections_path, kept.stem)
    assert (selection.seed, selection.drawn_from, selection.number) == (1, 13, 2)
    assert set(sample) <= ids
    assert main([*arguments[:-2]]) == 0
    assert "0 scored, 0 not scorable, 13 were there" in capsys.readouterr().out
    assert set(open_campaign(campaign.path).objects().ids) == ids


@pytest.mark.parametrize("arcsec", ["0", "nan", "1e9"])
def test_a_field_that_cannot_be_meant_is_refused(campaign, tiles, catalogue, arcsec, capsys):
    arguments = ["score", str(campaign.path), "--mosaics", *map(str, tiles), "--catalogue", str(catalogue)]
    assert main([*arguments, "--field", arcsec]) == 1
    assert "expected arcsec from 1 to 120" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--mosaics", "tiles"], ["--mosaics", "tiles", "--follow"]])
def test_mosaics_without_positions_are_wrong_usage(campaign, arguments, capsys):
    assert main(["score", str(campaign.path), *arguments]) == 1
    assert "--mosaics needs --catalogue" in capsys.readouterr().err


def test_a_folder_that_is_gone_is_named(campaign, tiles, catalogue, capsys):
    shutil.rmtree(tiles[0].parent)
    arguments = ["score", str(campaign.path), "--mosaics", *map(str, tiles), "--catalogue", str(catalogue)]
    assert main(arguments) == 1
    assert str(tiles[0]) in capsys.readouterr().err
