"""Scoring on Dask: the same numbers whoever scores, whatever dies, and nothing begun that cannot end."""

import itertools
import multiprocessing
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

import lensmodel.survey_scoring as survey_scoring
from data.campaign import create_campaign, open_campaign
from data.cutouts import Cutout
from data.errors import CampaignError
from data.files import held_alone
from data.objects import stored_objects
from data.scores import read_features, scores_of
from lensmodel.errors import ModelError, UnreadError, WeightsError
from lensmodel.models import load_network
from lensmodel.on_dask import finished
from lensmodel.partitions import Partition, objects_in, planned
from lensmodel.preprocessing import flux_batch
from lensmodel.scoring import prepare, score, scored_or_why_not
from lensmodel.survey_scoring import Job, check_worker, score_partition, score_survey
from tests.fixtures.dask_cluster import dask_processes
from tests.fixtures.networks import added_model, random_weights
from tests.fixtures.packed import fill, planes
from tests.fixtures.repeated import repeated_campaign
from tests.fixtures.scoring_run import score_on_cluster

SMALL = {"side_px": 66, "scale_arcsec": 0.3}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with dask_processes(tmp_path_factory.mktemp("dask"), workers=2) as processes:
        yield processes


def scores_in(campaign, card):
    rows = pa.concat_tables(
        pq.read_table(part, partitioning=None) for part in campaign.score_parts(card.version)
    )
    return rows.sort_by("object_id")


def features_in(campaign, card):
    parts = sorted(campaign.features_path(card.version).glob("part-*.parquet"))
    return pa.concat_tables(pq.read_table(part) for part in parts).sort_by("object_id")


def forget(campaign):
    for folder in ("scores", "features"):
        shutil.rmtree(campaign.path / folder, ignore_errors=True)


def of_two_shapes(campaign):
    """71 objects in two groups, of which some cannot be scored."""
    cutouts = [Cutout(f"small {i}", planes((66, 66), 0.3, seed=i % 5)) for i in range(66)]
    cutouts += [Cutout(f"large {i}", planes(seed=i)) for i in range(4)]
    return fill(campaign, [*cutouts, Cutout("two bands", planes((66, 66), 0.3, bands=("VIS", "H")))])


def test_one_process_and_a_cluster_give_the_same_rows_and_features(cluster, campaign, tmp_path):
    of_two_shapes(campaign)
    card = added_model(tmp_path)
    report = score(campaign, card)
    rows, features = scores_in(campaign, card), features_in(campaign, card)
    forget(campaign)
    again = score_survey(campaign, card, scheduler=cluster.address)
    assert (again.tally, again.already_there) == (report.tally, 0)
    assert (again.scored, again.refused) == (70, 1)
    assert scores_in(campaign, card).equals(rows)
    assert features_in(campaign, card).equals(features)


@pytest.mark.parametrize("workers", [1, 3, 1000])
def test_the_size_of_partitions_changes_no_number(campaign, tmp_path, workers, monkeypatch):
    repeated_campaign(campaign.path.parent / "r", 700, **SMALL)
    repeated = survey_scoring.open_campaign(campaign.path.parent / "r")
    card = added_model(tmp_path)
    monkeypatch.setattr("lensmodel.partitions.USUAL", 256)
    job = Job(repeated.path, card, None, prepare(repeated, card))
    for partition in planned(repeated, card.version, workers=workers).partitions:
        score_partition(job, partition)
    made = scores_in(repeated, card)
    forget(repeated)
    score(repeated, card)
    assert made.equals(scores_in(repeated, card))


def test_partitions_hold_each_object_once(campaign, tmp_path):
    of_two_shapes(campaign)
    card = added_model(tmp_path)
    store = campaign.cutouts()
    plan = planned(campaign, card.version, workers=2)
    ids = [
        stored.object_id
        for partition in plan.partitions
        for step in objects_in(campaign.catalogue_path, partition, chunk=store.chunk_length(partition.group))
        for stored in step
    ]
    assert sorted(ids) == sorted(campaign.objects().ids)
    assert plan.waiting == len(ids)


def test_features_are_what_the_network_made_of_the_image(campaign, tmp_path):
    of_two_shapes(campaign)
    card = added_model(tmp_path)
    score(campaign, card)
    parts = sorted(campaign.features_path(card.version).glob("part-*.parquet"))
    ids, features = zip(*map(read_features, parts), strict=True)
    ids, features = pa.chunked_array(ids), np.concatenate(features)
    assert "two bands" not in ids.to_pylist()
    stored = campaign.objects().get("small 7")
    network = load_network(card)
    with torch.inference_mode():
        flux, _ = flux_batch(card, campaign.cutouts(), stored.cutout_group, np.array([stored.cutout_row]))
        feature_map = network.features(network.normalise(flux))
        expected = torch.cat([feature_map.mean((2, 3)), feature_map.amax((2, 3))], dim=1)[0]
    found = features[pc.index(ids, "small 7").as_py()]
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_run_that_resumes_redoes_nothing(cluster, tmp_path):
    campaign = repeated_campaign(tmp_path / "c", 600, **SMALL)
    card = added_model(tmp_path)
    score_survey(campaign, card, scheduler=cluster.address)
    rows = scores_in(campaign, card)
    lost, *kept = campaign.score_parts(card.version)
    lost.unlink()
    before = {part: part.stat().st_mtime_ns for part in kept}
    report = score_survey(campaign, card, scheduler=cluster.address)
    assert report.scored + report.already_there == 600
    assert 0 < report.scored < 200
    assert {part: part.stat().st_mtime_ns for part in kept} == before
    assert scores_in(campaign, card).equals(rows)


def test_what_one_process_began_a_cluster_ends(cluster, tmp_path):
    campaign = repeated_campaign(tmp_path / "c", 400, **SMALL)
    card = added_model(tmp_path)
    steps_done = itertools.count()
    score(campaign, card, stop=lambda: next(steps_done) == 1)
    report = score_survey(campaign, card, scheduler=cluster.address)
    assert report.already_there > 0
    ids = scores_in(campaign, card)["object_id"].to_pylist()
    assert sorted(ids) == sorted(campaign.objects().ids)


def test_objects_that_come_later_get_a_part_of_their_own(cluster, campaign, tmp_path):
    card = added_model(tmp_path)
    for first in (0, 5):
        fill(campaign, [Cutout(f"object {i}", planes((66, 66), 0.3)) for i in range(first, first + 5)])
        score_survey(campaign, card, scheduler=cluster.address)
    assert len(campaign.score_parts(card.version)) == 2
    assert len(scores_in(campaign, card)) == 10
    assert score_survey(campaign, card, scheduler=cluster.address).scored == 0


@pytest.mark.parametrize("victim", ["worker", "scheduler", "client"])
def test_a_kill_costs_the_partitions_in_flight_and_no_more(cluster, tmp_path, victim):
    campaign = repeated_campaign(tmp_path / "c", 3000, **SMALL)
    card = added_model(tmp_path)
    run = multiprocessing.get_context("spawn").Process(
        target=score_on_cluster, args=(campaign.path, card, cluster.address)
    )
    run.start()
    while run.is_alive() and len(campaign.score_parts(card.version)) < 2:
        time.sleep(0.02)
    if victim == "worker":
        cluster.kill_worker(0)
    elif victim == "scheduler":
        cluster.kill_scheduler()
    else:
        run.kill()
    run.join()
    had = {part: part.stat().st_mtime_ns for part in campaign.score_parts(card.version)}
    assert had
    report = score_survey(campaign, card, scheduler=cluster.address)
    assert report.already_there == (3000 if victim == "worker" else 3000 - report.scored)
    assert all(part.stat().st_mtime_ns == written for part, written in had.items())
    rows = scores_in(campaign, card)
    forget(campaign)
    score(campaign, card)
    assert rows.equals(scores_in(campaign, card))


def test_a_damaged_chunk_is_named_and_costs_its_step(cluster, tmp_path):
    campaign = repeated_campaign(tmp_path / "c", 1000, **SMALL)
    (group,) = (path for path in campaign.cutouts_path.iterdir() if path.is_dir())
    torn = group / "VIS" / "c" / "9" / "0" / "0"
    whole = torn.read_bytes()
    torn.unlink()  # a link of its own, not what others read
    torn.write_bytes(b"torn")
    card = added_model(tmp_path)
    with pytest.raises(
        UnreadError, match=r"60 cutouts could not be read, 940 are scored; the first: .*checksum"
    ):
        score_survey(campaign, card, scheduler=cluster.address)
    assert len(scores_in(campaign, card)) == 940
    torn.write_bytes(whole)
    assert score_survey(campaign, card, scheduler=cluster.address).scored == 60
    ids = scores_in(campaign, card)["object_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 1000


def test_two_campaigns_alike_on_one_scheduler_are_both_scored(cluster, tmp_path):
    card = added_model(tmp_path)
    campaigns = [repeated_campaign(tmp_path / name, 500, **SMALL) for name in ("one", "other")]
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda one: score_survey(one, card, scheduler=cluster.address), campaigns))
    for campaign, report in zip(campaigns, reports, strict=True):
        assert report.scored == len(scores_in(campaign, card)) == 500


def test_a_worker_of_a_run_that_is_over_writes_nothing(campaign, tmp_path, monkeypatch):
    fill(campaign, [Cutout(name, planes((66, 66), 0.3)) for name in "abc"])
    card = added_model(tmp_path)
    job = Job(campaign.path, card, None, prepare(campaign, card))
    (partition,) = planned(campaign, card.version, workers=1).partitions
    prepare(campaign, card)
    with pytest.raises(ModelError, match="belongs to another run"):
        score_partition(job, partition)
    meanwhile = Job(campaign.path, card, None, prepare(campaign, card))

    def over_meanwhile(*given):
        prepare(campaign, card)
        return scored_or_why_not(*given)

    with monkeypatch.context() as patched:
        patched.setattr(survey_scoring, "scored_or_why_not", over_meanwhile)
        with pytest.raises(ModelError, match="belongs to another run"):
            score_partition(meanwhile, partition)
    assert not campaign.score_parts(card.version)
    assert score(campaign, card).scored == 3


def test_a_campaign_may_be_named_from_where_one_is(cluster, tmp_path, monkeypatch):
    campaign = repeated_campaign(tmp_path / "c", 70, **SMALL)
    monkeypatch.chdir(tmp_path)
    here = open_campaign(Path("c"))
    assert score_survey(here, added_model(tmp_path), scheduler=cluster.address).scored == 70
    assert campaign.score_parts(added_model(tmp_path).version)


def test_a_scheduler_without_workers_is_no_success():
    class Empty:
        def nthreads(self):
            return {}

    with pytest.raises(ModelError, match="has no worker any more"):
        list(finished(Empty(), print, {"piece": ()}))


@pytest.mark.parametrize("name", ["q1[ab]", "q1*", "q1?", "logit=1", "object_id=7", "cutout_row=3", "it's"])
def test_a_folder_may_have_any_name(tmp_path, name):
    card = added_model(tmp_path)
    repeated_campaign(tmp_path / "q1a", 30, **SMALL)
    campaign = repeated_campaign(tmp_path / name / "c", 64, **SMALL)
    plan = planned(campaign, card.version, workers=1)
    assert sum(partition.number for partition in plan.partitions) == 64
    score(campaign, card)
    assert planned(campaign, card.version, workers=1).already_there == 64
    (first, *_), logits = campaign.objects().ids, scores_in(campaign, card)["logit"].to_pylist()
    assert scores_of(campaign.score_parts(card.version), [first])[first]["logit"] in logits


def test_nothing_begins_that_cannot_end(cluster, campaign, tmp_path, monkeypatch):
    card = added_model(tmp_path)
    with pytest.raises(CampaignError, match="has no objects yet"):
        score_survey(campaign, card, scheduler=cluster.address)
    fill(campaign, [Cutout("two bands", planes((66, 66), 0.3, bands=("VIS", "H")))])
    with pytest.raises(ModelError, match=r"can see no object .* it has bands VIS, H"):
        score_survey(campaign, card, scheduler=cluster.address)
    fill(campaign, [Cutout("good", planes((66, 66), 0.3))])
    with monkeypatch.context() as patched:
        patched.setattr(survey_scoring.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
        with pytest.raises(ModelError, match=r"0.0 GB free and scores of 2 objects may take"):
            score_survey(campaign, card, scheduler=cluster.address)
    with (
        held_alone(campaign.scores_path(card.version) / ".lock", doing="scoring"),
        pytest.raises(CampaignError, match="already scoring"),
    ):
        score_survey(campaign, card, scheduler=cluster.address)
    shutil.copyfile(random_weights(tmp_path / "other", "ou-66", seed=1), card.weights_path)
    with pytest.raises(WeightsError, match="has changed since"):
        score_survey(campaign, card, scheduler=cluster.address)
    assert not campaign.score_parts(card.version)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1:1"])
def test_an_address_without_a_scheduler_is_refused(campaign, tmp_path, address, monkeypatch):
    monkeypatch.setattr("lensmodel.on_dask._PATIENCE_S", 0.5)
    fill(campaign, [Cutout("good", planes((66, 66), 0.3))])
    with pytest.raises(ModelError, match="no Dask scheduler answers at"):
        score_survey(campaign, added_model(tmp_path), scheduler=address)


def test_a_worker_that_sees_another_folder_says_so(campaign, tmp_path):
    card = added_model(tmp_path)
    fill(campaign, [Cutout("good", planes((66, 66), 0.3))])
    probe = tmp_path / "probe"
    assert "mount the campaign folder" in check_worker(Job(campaign.path, card, None, ""), str(probe))
    probe.touch()
    assert check_worker(Job(campaign.path, card, None, ""), str(probe)) is None
    elsewhere = Job(tmp_path / "not mounted", card, None, "")
    assert "is not a campaign" in check_worker(elsewhere, str(probe))


def test_partitions_of_different_ranges_or_objects_have_different_names(campaign):
    fill(campaign, [Cutout(name, planes((66, 66), 0.3)) for name in "abcd"])
    a, b, c, d = stored_objects(campaign.objects().table)
    of = [[[a], [b, d]], [[a, b, d]], [[a, c, d]], [[d]]]
    names = [Partition("66x66-a", 0, last, 1).part_of(steps) for last in (3, 4) for steps in of]
    assert names[0] == names[1]  # the same objects, whatever their steps
    assert len(set(names)) == 6
    assert all(name.startswith("part-") and name.endswith(".parquet") for name in names)


def test_a_group_of_a_strange_name_leads_nowhere_else():
    groups = ("../../evil", "a/b", "ä", "a b\n", "66x66-0a")
    names = [Partition(group, 0, 1, 1).part_of([]) for group in groups]
    assert len(set(names)) == len(names)
    assert all("/" not in name and name.isascii() and name.isprintable() for name in names)
    assert names[-1].startswith("part-66x66-0a-0000000000-0000000001-")


def test_an_empty_campaign_has_no_partitions(tmp_path):
    campaign = repeated_campaign(tmp_path / "c", 100, **SMALL)
    card = added_model(tmp_path)
    score(campaign, card)
    assert planned(campaign, card.version, workers=4).partitions == []
    assert create_campaign(tmp_path / "new", survey="euclid").score_parts(card.version) == []
