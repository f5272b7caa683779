"""Scoring: parts, resuming, refusals, positions on the sky, one run at a time."""

import dataclasses
import multiprocessing
import random
import shutil
import threading
import time
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import lensmodel.scoring
import lensmodel.verdicts
from data.campaign import create_campaign
from data.cutouts import Cutout
from data.errors import CampaignError, StoreError
from data.files import held_alone
from data.objects import ObjectTable
from data.scores import SCORE_SCHEMA, read_features, read_part, scores_of
from lensmodel.batches import fetched_ahead, images_at_once, in_even_parts, side_by_side, steps
from lensmodel.errors import ModelError, UnreadError
from lensmodel.models import default_model, load_network
from lensmodel.networks import LensNetwork, NetworkOutput
from lensmodel.preprocessing import flux_batch
from lensmodel.scoring import score
from tests.fixtures.networks import added_model, evidence_model, random_network
from tests.fixtures.packed import NORTH_UP, fill, planes
from tests.fixtures.scoring_run import score_slowly


def small_cutouts(number, first=0):
    """What OU-66 takes as it is: 66x66 px of 0.3 arcsec."""
    return [Cutout(f"object {i}", planes((66, 66), 0.3, seed=i)) for i in range(first, first + number)]


def rows_of(campaign, card):
    parts = campaign.score_parts(card.version)
    rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
    return {row["object_id"]: row for row in rows}, len(rows)


def test_every_object_gets_the_logit_of_a_plain_forward_pass(campaign, tmp_path):
    fill(campaign, small_cutouts(20))
    card = added_model(tmp_path)
    report = score(campaign, card, batch_size=7)
    assert (report.scored, report.refused, report.already_there) == (20, 0, 0)
    rows, count = rows_of(campaign, card)
    assert count == 20
    store = campaign.cutouts()
    for stored in campaign.objects().rows_of(campaign.objects().ids):
        flux, _ = flux_batch(card, store, stored.cutout_group, np.array([stored.cutout_row]))
        network = load_network(card)
        with torch.inference_mode():
            logit = network(network.normalise(flux)).logit.item()
        row = rows[stored.object_id]
        assert row["logit"] == pytest.approx(logit, abs=1e-5)
        assert row["p_lens"] == pytest.approx(1 / (1 + np.exp(-row["logit"])))
        assert {row[name] for name in ("x_arcsec", "ra_deg", "where_why", "reason")} == {None}


def test_parts_have_the_schema_that_readers_expect(campaign, tmp_path):
    fill(campaign, small_cutouts(3))
    card = added_model(tmp_path)
    score(campaign, card)
    (part,) = campaign.score_parts(card.version)
    assert pq.read_schema(part).equals(SCORE_SCHEMA)
    assert set(scores_of([part], ["object 1", "nobody"])) == {"object 1"}


@pytest.mark.parametrize("batch_size", [1, 3, 64, 1000])
def test_any_batch_size_does(campaign, tmp_path, batch_size):
    fill(campaign, small_cutouts(10))
    assert score(campaign, added_model(tmp_path), batch_size=batch_size).scored == 10


def test_a_batch_of_no_images_is_refused(campaign, tmp_path):
    with pytest.raises(ModelError, match="batch size is 0; expected a whole number from 1"):
        score(campaign, added_model(tmp_path), batch_size=0)


def test_objects_that_come_later_are_scored_and_the_others_left_alone(campaign, tmp_path):
    card = added_model(tmp_path)
    fill(campaign, small_cutouts(5))
    score(campaign, card)
    before, _ = rows_of(campaign, card)
    fill(campaign, small_cutouts(4, first=5))
    report = score(campaign, card)
    assert (report.scored, report.already_there) == (4, 5)
    after, count = rows_of(campaign, card)
    assert count == 9
    assert before.items() <= after.items()
    assert score(campaign, card).scored == 0


def test_a_campaign_may_mix_shapes_scales_and_kinds_and_each_refusal_has_its_reason(campaign, tmp_path):
    dark = planes((66, 66), 0.3)
    dark["H"].flux[:] = np.nan
    flat = planes((66, 66), 0.3)
    flat["VIS"].flux[:] = 3
    fill(
        campaign,
        [
            Cutout("large", planes((200, 200))),
            Cutout("native", planes((66, 66), 0.3)),
            Cutout("other scale", planes((110, 120), 0.2)),
            Cutout("small", planes((100, 100))),
            Cutout("one band", planes(bands=("VIS",))),
            Cutout("picture", planes((66, 66), 0.3), kind="colour"),
            Cutout("dark", dark),
            Cutout("flat", flat),
            Cutout("<b>=1+1'\n", planes((66, 66), 0.3)),
        ],
    )
    card = added_model(tmp_path)
    report = score(campaign, card)
    assert (report.scored, report.refused) == (4, 5)
    rows, _ = rows_of(campaign, card)
    assert {name for name, row in rows.items() if row["logit"] is None} == {
        "small", "one band", "picture", "dark", "flat",
    }  # fmt: skip
    assert 'OU-66 looks at 19.8": ingest larger cutouts' in rows["small"]["reason"]
    assert "it has bands VIS; OU-66 needs J, Y, H, VIS" in rows["one band"]["reason"]
    assert "colour image" in rows["picture"]["reason"]
    assert "band H has no measured pixel" in rows["dark"]["reason"]
    assert "band VIS is constant (3)" in rows["flat"]["reason"]
    assert score(campaign, card).already_there == 9


class _Points(LensNetwork):
    """Says that the lens is 2 arcsec right of and 1 above the centre of what it sees."""

    def __init__(self, logit=0.0):
        super().__init__()
        self.logit = logit

    features = torch.nn.Sequential(torch.nn.Identity())

    def normalise(self, flux):
        return flux

    def judge(self, feature_map):
        ones = torch.ones(len(feature_map))
        return NetworkOutput(self.logit * ones, 2 * ones, ones, 0.3 * ones)


def test_a_predicted_position_is_counted_from_the_cutout_and_put_on_the_sky(campaign, tmp_path, monkeypatch):
    place = {"ra_deg": 58.0, "dec_deg": -50.0, "cd_deg": NORTH_UP}
    fill(
        campaign,
        [
            Cutout("even", planes((200, 200)), **place),
            Cutout("odd", planes((201, 201)), **place),
            Cutout("elsewhere", planes((200, 200)), **place, centre_deg=(58.0, -49.0)),
            Cutout("no sky", planes((200, 200)), ra_deg=58.0, dec_deg=-50.0),
        ],
    )
    monkeypatch.setattr(lensmodel.scoring, "load_network", lambda card: _Points())
    card = added_model(tmp_path, "ou-200")
    score(campaign, card)
    rows, _ = rows_of(campaign, card)
    assert (rows["even"]["x_arcsec"], rows["even"]["y_arcsec"]) == (2.0, 1.0)
    assert rows["odd"]["x_arcsec"] == pytest.approx(1.95)
    assert rows["even"]["position_sigma_arcsec"] == pytest.approx(0.3)
    assert rows["even"]["dec_deg"] == pytest.approx(-50 + 1 / 3600, abs=1e-7)
    assert rows["even"]["ra_deg"] == pytest.approx(58 - 2 / 3600 / np.cos(np.radians(50)), abs=1e-6)
    assert rows["elsewhere"]["dec_deg"] == pytest.approx(-49 + 1 / 3600, abs=1e-7)
    assert (rows["no sky"]["ra_deg"], rows["no sky"]["x_arcsec"]) == (None, 2.0)


def test_an_answer_that_is_not_a_number_is_a_refusal(campaign, tmp_path, monkeypatch):
    fill(campaign, small_cutouts(2))
    monkeypatch.setattr(lensmodel.scoring, "load_network", lambda card: _Points(float("nan")))
    card = added_model(tmp_path)
    assert score(campaign, card).refused == 2
    assert rows_of(campaign, card)[0]["object 0"]["reason"] == "the network's answer is not a number"


def test_a_network_with_evidence_says_where_and_how_well_it_agrees(campaign, tmp_path, monkeypatch):
    fill(campaign, [Cutout(str(i), planes((64, 70), seed=i)) for i in range(3)])
    monkeypatch.setattr(lensmodel.scoring, "load_network", lambda card: random_network("evidence-net"))
    card = dataclasses.replace(
        added_model(tmp_path, "ou-vis"),
        name="points",
        bands=("VIS", "Y", "J", "H"),
        field_px=None,
        agreement=(1.4, -0.7, -3.5),
    )
    assert score(campaign, card).scored == 3
    for row in rows_of(campaign, card)[0].values():
        assert 0 <= row["where_why"] <= 1
        assert abs(row["x_arcsec"]) < 3.5


def test_objects_that_lack_bands_are_judged_without_them_and_it_is_said(campaign, tmp_path):
    dark = planes((64, 64), seed=3)
    dark["Y"].flux[:] = np.nan
    empty = planes((64, 64), seed=4, bands=("VIS",))
    empty["VIS"].flux[:] = 0.0
    cutouts = {
        "whole": planes((64, 64)), "vis": planes((64, 64), seed=1, bands=("VIS",)),
        "vis and h": planes((64, 64), seed=2, bands=("VIS", "H")), "dark": dark, "empty": empty,
        "other": planes((64, 64), seed=5, bands=("g",)),
    }  # fmt: skip
    fill(campaign, [Cutout(name, its) for name, its in cutouts.items()])
    card = evidence_model(tmp_path)
    report = score(campaign, card)
    assert (report.scored, report.refused) == (4, 2)
    assert report.tally.bands_missing == {"Y,J,H": 1, "Y,J": 1, "Y": 1}
    rows, _ = rows_of(campaign, card)
    assert {name: row["bands_missing"] for name, row in rows.items()} == {
        "whole": None, "vis": "Y,J,H", "vis and h": "Y,J", "dark": "Y", "empty": None, "other": None,
    }  # fmt: skip
    assert rows["empty"]["reason"] == "band VIS has no measured pixel where the model looks"
    assert "it has bands g; Random network needs one of VIS, Y, J, H" in rows["other"]["reason"]
    network = load_network(card)
    for name in ("vis", "vis and h", "dark"):
        flux = torch.full((1, 4, 64, 64), torch.nan)
        for channel, band in enumerate(card.bands):
            if band in cutouts[name]:
                flux[0, channel] = torch.from_numpy(cutouts[name][band].flux)
        with torch.inference_mode():
            expected = network(network.normalise(flux))
        assert rows[name]["logit"] == pytest.approx(expected.logit.item(), abs=1e-5)
        assert rows[name]["x_arcsec"] == pytest.approx(expected.x_arcsec.item(), abs=1e-4)
        assert 0 <= rows[name]["where_why"] <= 1


def test_parts_from_before_a_column_are_read_beside_new_ones(campaign, tmp_path):
    fill(campaign, [Cutout("vis", planes((64, 64), bands=("VIS",)))])
    card = evidence_model(tmp_path)
    score(campaign, card)
    (new,) = campaign.score_parts(card.version)
    old = new.with_name("part-000001.parquet")
    columns = [name for name in SCORE_SCHEMA.names if name != "bands_missing"]
    table = pq.read_table(new).select(columns)
    pq.write_table(table.set_column(0, "object_id", pa.array(["old"])), old)
    for parts in ([old, new], [new, old]):
        found = scores_of(parts, ["vis", "old"])
        assert (found["vis"]["bands_missing"], found["old"]["bands_missing"]) == ("Y,J,H", None)
        assert found["old"]["logit"] == found["vis"]["logit"]
    assert scores_of([old], ["old"])["old"]["bands_missing"] is None
    assert read_part(old).schema.equals(SCORE_SCHEMA)
    assert read_part(new).equals(pq.read_table(new))


def test_the_first_part_is_there_after_the_first_batch(campaign, tmp_path):
    fill(campaign, small_cutouts(30))
    card = added_model(tmp_path)
    parts_seen, progress_seen = [], []

    def look(progress):
        progress_seen.append(tuple(progress))
        parts_seen.append(len(campaign.score_parts(card.version)))

    score(campaign, card, batch_size=1, on_progress=look)
    assert parts_seen[0] == 1
    assert progress_seen[-1] == (30, 30)


def test_a_run_that_is_asked_to_stop_keeps_what_it_has(campaign, tmp_path):
    fill(campaign, [*small_cutouts(3), *(Cutout(f"large {i}", planes(seed=i)) for i in range(3))])
    card = added_model(tmp_path)
    assert score(campaign, card, stop=lambda: True).scored == 3
    assert score(campaign, card).already_there == 3


def test_ctrl_c_keeps_what_was_scored(campaign, tmp_path, monkeypatch):
    fill(campaign, [*small_cutouts(3), *(Cutout(f"large {i}", planes(seed=i)) for i in range(3))])
    card = added_model(tmp_path)
    monkeypatch.setattr(lensmodel.scoring, "SECONDS_PER_PART", 1e9)

    def interrupt(progress):
        if progress.done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(campaign, card, on_progress=interrupt)
    assert rows_of(campaign, card)[1] == 6


def test_two_runs_at_once_are_refused(campaign, tmp_path):
    fill(campaign, small_cutouts(2))
    card = added_model(tmp_path)
    with (
        held_alone(campaign.scores_path(card.version) / ".lock", doing="scoring"),
        pytest.raises(CampaignError, match="another process is already scoring"),
    ):
        score(campaign, card)


def test_a_campaign_without_cutouts_says_what_to_do(campaign, tmp_path):
    with pytest.raises(CampaignError, match="has no cutouts yet: lensvet ingest"):
        score(campaign, added_model(tmp_path))


def test_steps_are_whole_chunks_and_hold_every_object_once(campaign):
    fill(campaign, small_cutouts(5))
    fill(campaign, [Cutout(f"large {i}", planes((100, 100), seed=i)) for i in range(20)])
    store, objects = campaign.cutouts(), campaign.objects()
    made = list(steps(store, objects, number=13))
    assert [len(some) for some in made] == [5, 6, 12, 2]
    assert sorted(stored.object_id for some in made for stored in some) == sorted(objects.ids)


def test_steps_are_the_same_when_some_objects_are_done(campaign):
    fill(campaign, [Cutout(f"large {i}", planes((100, 100), seed=i)) for i in range(20)])
    objects = campaign.objects()
    rest = ObjectTable(objects.table.filter(pa.array(i not in (0, 7, 8, 19) for i in range(20))))
    made = [{stored.cutout_row for stored in some} for some in steps(campaign.cutouts(), rest, number=13)]
    assert made == [{1, 2, 3, 4, 5}, {6, *range(9, 18)}, {18}]


def test_the_disk_is_told_of_a_step_before_the_one_before_it_is_read(campaign, tmp_path, monkeypatch):
    fill(campaign, small_cutouts(40))
    store, card = campaign.cutouts(), added_model(tmp_path)
    made = list(steps(store, campaign.objects(), number=1))
    assert len(made) == 3
    told = []

    def tell(group, rows, band):
        told.extend((group, row, band) for row in rows.tolist())

    monkeypatch.setattr(store, "will_read", tell)
    fetched, known = [], []
    for step in fetched_ahead(card, store, iter(made)):
        fetched.append(step)
        known.append(set(told))
    assert fetched == made
    asked = [
        {(one.cutout_group, one.cutout_row, band) for one in step for band in card.bands} for step in made
    ]
    for number in range(len(made)):
        assert known[number] >= set().union(*asked[: number + 2])


def test_what_cannot_be_told_of_is_no_error_before_it_is_read(campaign):
    fill(campaign, small_cutouts(2))
    store = campaign.cutouts()
    (group,) = campaign.objects().next_rows()
    for chunk in (campaign.cutouts_path / group / "VIS" / "c").rglob("0"):
        if chunk.is_file():
            chunk.unlink()
    store.will_read(group, np.array([0, 1]), "VIS")
    store.will_read(group, np.array([0, 1]), "no such band")
    store.will_read("no such group", np.array([0]), "VIS")
    with pytest.raises(StoreError, match="no array"):
        store.read_batch(group, np.array([0]), "no such band")


def test_work_side_by_side_keeps_its_order_and_the_number_of_threads():
    threads = torch.get_num_threads()
    pauses = [0.03, 0.0, 0.02, 0.0, 0.01]
    assert list(side_by_side(lambda pause: time.sleep(pause) or pause, pauses)) == pauses
    assert torch.get_num_threads() == threads


def test_an_error_in_a_batch_ends_the_run_and_keeps_what_was_scored(campaign, tmp_path, monkeypatch):
    fill(campaign, [*small_cutouts(3), *(Cutout(f"large {i}", planes(seed=i)) for i in range(3))])
    card = added_model(tmp_path)
    scored = lensmodel.scoring.score_rows

    def fails_later(network, card, store, batch_size, objects):
        if objects[0].object_id.startswith("large"):
            raise OSError("the disk is gone")
        return scored(network, card, store, batch_size, objects)

    monkeypatch.setattr(lensmodel.scoring, "score_rows", fails_later)
    with pytest.raises(OSError, match="the disk is gone"):
        score(campaign, card)
    assert rows_of(campaign, card)[1] == 3


@pytest.mark.parametrize("damage", [b"", b"torn", bytes(5000)])
def test_a_damaged_chunk_costs_its_step_and_is_tried_again(campaign, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(lensmodel.scoring, "steps", partial(steps, number=1))
    fill(campaign, small_cutouts(40))
    card = added_model(tmp_path)
    (chunk,) = campaign.cutouts_path.glob("*/VIS/c/1/0/0")
    whole = chunk.read_bytes()
    chunk.write_bytes(damage)
    with pytest.raises(UnreadError, match=r"15 cutouts could not be read, 25 are scored.*VIS cannot be read"):
        score(campaign, card)
    assert rows_of(campaign, card)[1] == 25
    chunk.write_bytes(whole)
    assert score(campaign, card).scored == 15
    rows, number = rows_of(campaign, card)
    assert len(rows) == number == 40


def test_a_store_that_is_gone_ends_the_run_soon(campaign, tmp_path, monkeypatch):
    monkeypatch.setattr(lensmodel.scoring, "steps", partial(steps, number=1))
    monkeypatch.setattr(lensmodel.scoring, "MOST_UNREAD", 2)
    fill(campaign, small_cutouts(100))
    for chunk in campaign.cutouts_path.glob("*/VIS/c/*/0/0"):
        chunk.write_bytes(b"torn")
    with pytest.raises(UnreadError, match="30 cutouts could not be read, 0 are scored"):
        score(campaign, added_model(tmp_path))


def test_five_kills_leave_what_an_undisturbed_run_leaves(tmp_path, monkeypatch):
    # The steps of the runs that are killed: an image's last digit depends on what is in its batch.
    monkeypatch.setattr(lensmodel.scoring, "steps", partial(steps, number=1))
    card = added_model(tmp_path)
    campaigns = [create_campaign(tmp_path / name, survey="euclid") for name in ("calm", "killed")]
    for campaign in campaigns:
        fill(campaign, [Cutout(f"object {i}", planes(seed=i % 7)) for i in range(100)])
    calm, killed = campaigns
    score(calm, card)
    moment = random.Random(3)
    # A server that has imported torch once forks each run.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fixtures.scoring_run"])
    for _ in range(5):
        run = context.Process(target=score_slowly, args=(killed.path, card.name))
        run.start()
        _wait_for_another_part(killed, card, run)
        time.sleep(moment.uniform(0, 0.08))
        run.kill()
        run.join()
        rows_of(killed, card)  # each part can be read
    (killed.scores_path(card.version) / ".part-000099.parquet.abc.partial").write_bytes(b"torn")
    score(killed, card)
    (expected, _), (rows, count) = rows_of(calm, card), rows_of(killed, card)
    assert rows == expected
    assert count == 100
    assert not list(killed.scores_path(card.version).glob(".part-*"))
    assert len(killed.score_parts(card.version)) > 3


def _wait_for_another_part(campaign, card, run):
    had = len(campaign.score_parts(card.version))
    end = time.monotonic() + 60
    while len(campaign.score_parts(card.version)) == had and run.is_alive():
        assert time.monotonic() < end, "no part came"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("name", "side_px", "number"), [("ou-200", 200, 1), ("ou-66", 66, 8), ("evidence-net", 100, 16)]
)
def test_as_many_images_go_at_once_as_a_cache_holds(tmp_path, name, side_px, number):
    card = default_model() if name == "evidence-net" else added_model(tmp_path, name)
    assert images_at_once(load_network(card), len(card.bands), (side_px, side_px)) == number


def test_what_fits_the_cache_does_not_depend_on_what_other_threads_run(tmp_path):
    network = load_network(added_model(tmp_path))
    alone = images_at_once(network, 4, (66, 66))
    images_at_once.cache_clear()
    done = threading.Event()

    def run_others():
        with torch.inference_mode():
            while not done.is_set():
                network.features(torch.zeros(64, 4, 66, 66))

    other = threading.Thread(target=run_others)
    other.start()
    try:
        found = {images_at_once.__wrapped__(network, 4, (66, 66)) for _ in range(30)}
    finally:
        done.set()
        other.join()
    assert found == {alone}


@pytest.mark.parametrize(
    ("number", "sizes"), [(1, [1]), (16, [16]), (23, [23]), (25, [13, 12]), (66, [17, 17, 16, 16])]
)
def test_images_go_in_even_parts(number, sizes):
    images = torch.arange(number)
    parts = in_even_parts(images, 16)
    assert [len(part) for part in parts] == sizes
    assert torch.equal(torch.cat(parts), images)


def test_an_answer_that_is_not_a_number_has_no_features(campaign, tmp_path, monkeypatch):
    fill(campaign, small_cutouts(3))
    card = added_model(tmp_path)
    verdicts = lensmodel.verdicts._verdicts

    def second_is_none(*given):
        first, _, third = verdicts(*given)
        return [first, {"reason": "the network's answer is not a number"}, third]

    monkeypatch.setattr(lensmodel.verdicts, "_verdicts", second_is_none)
    score(campaign, card)
    (part,) = campaign.features_path(card.version).glob("part-*.parquet")
    ids, features = read_features(part)
    assert ids.to_pylist() == ["object 0", "object 2"]
    assert len(features) == 2


def test_features_without_scores_are_cleared_away(campaign, tmp_path):
    fill(campaign, small_cutouts(3))
    card = added_model(tmp_path)
    score(campaign, card)
    (part,) = campaign.score_parts(card.version)
    part.unlink()
    (campaign.features_path(card.version) / "part-000007.parquet").write_bytes(b"of a killed run")
    score(campaign, card)
    assert [one.name for one in campaign.features_path(card.version).glob("*.parquet")] == [part.name]


def test_no_step_is_written_twice_when_the_writing_is_interrupted(campaign, tmp_path, monkeypatch):
    fill(campaign, small_cutouts(3))
    card = added_model(tmp_path)
    written = lensmodel.scoring.write_scored

    def interrupted(*given, **named):
        written(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(lensmodel.scoring, "write_scored", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score(campaign, card)
    assert rows_of(campaign, card)[1] == 3


def test_a_store_older_than_its_catalogue_is_named(campaign, tmp_path):
    fill(campaign, small_cutouts(3))
    older = tmp_path / "older.zarr"
    shutil.copytree(campaign.cutouts_path, older)
    fill(campaign, small_cutouts(20, first=3))
    shutil.rmtree(campaign.cutouts_path)
    older.rename(campaign.cutouts_path)
    with pytest.raises(UnreadError, match="holds 3 objects and the catalogue says more"):
        score(campaign, added_model(tmp_path))


def test_a_chunk_that_the_disk_refuses_costs_its_step(campaign, tmp_path):
    fill(campaign, small_cutouts(3))
    (chunk,) = campaign.cutouts_path.glob("*/VIS/c/0/0/0")
    chunk.unlink()
    chunk.mkdir()
    with pytest.raises(UnreadError, match="3 cutouts could not be read"):
        score(campaign, added_model(tmp_path))
