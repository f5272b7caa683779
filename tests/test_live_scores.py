"""Scores that arrive while the server runs."""

import os

import numpy as np
import pytest

from dashboard import live_scores
from dashboard.live_catalogue import LiveCatalogue
from dashboard.live_scores import LiveScores
from data.campaign import Campaign
from tests.fixtures.campaigns import MODEL, add_objects, add_scores, filled_campaign


@pytest.fixture
def live(tmp_path) -> tuple[Campaign, LiveCatalogue, LiveScores]:
    campaign = filled_campaign(tmp_path / "c", ["a", "b", "c"], size_px=4)
    return campaign, LiveCatalogue(campaign.catalogue_path), LiveScores(campaign)


def logits(live) -> list[float]:
    _, catalogue, scores = live
    return np.nan_to_num(scores.columns(MODEL, catalogue.now()).logit, nan=-99.0).tolist()


def test_scores_appear_part_by_part(live):
    assert logits(live) == [-99.0, -99.0, -99.0]
    add_scores(live[0], {"c": 1.0})
    assert logits(live) == [-99.0, -99.0, 1.0]
    add_scores(live[0], {"a": 2.0, "b": 3.0})
    assert logits(live) == [2.0, 3.0, 1.0]


def test_only_new_parts_are_read(live, monkeypatch):
    read = []
    monkeypatch.setattr(
        live_scores, "_read", lambda part, inner=live_scores._read: read.append(part) or inner(part)
    )
    first = add_scores(live[0], {"a": 1.0})
    logits(live)
    second = add_scores(live[0], {"b": 1.0})
    logits(live)
    logits(live)
    assert read == [first, second]


def test_a_part_that_lands_out_of_order_is_the_only_one_read(live, monkeypatch):
    read = []
    monkeypatch.setattr(
        live_scores, "_read", lambda part, inner=live_scores._read: read.append(part) or inner(part)
    )
    last = add_scores(live[0], {"c": 1.0})
    last = last.rename(last.with_name("part-66x66-0a1b-0000000064-0000000127.parquet"))
    assert logits(live) == [-99.0, -99.0, 1.0]
    first = add_scores(live[0], {"a": 2.0})
    assert logits(live) == [2.0, -99.0, 1.0]
    assert read == [last, first]
    assert sorted(read) == [first, last]
    assert live[2].row(MODEL, live[1].now(), "c")["logit"] == 1.0


def test_the_version_changes_with_each_part_and_with_the_catalogue(live):
    campaign, catalogue, scores = live
    seen = {scores.columns(MODEL, catalogue.now()).version}
    add_scores(campaign, {"a": 1.0})
    seen.add(scores.columns(MODEL, catalogue.now()).version)
    seen.add(scores.columns(MODEL, catalogue.now()).version)
    add_objects(campaign, ["d"], size_px=4)
    seen.add(scores.columns(MODEL, catalogue.now()).version)
    assert len(seen) == 3


def test_a_score_that_lands_before_its_object_is_not_lost(live):
    campaign, catalogue, _ = live
    catalogue.now()
    add_scores(campaign, {"d": 5.0, "a": 1.0})
    assert logits(live) == [1.0, -99.0, -99.0]
    add_objects(campaign, ["d"], size_px=4)
    assert logits(live) == [1.0, -99.0, -99.0, 5.0]
    assert live[2].row(MODEL, catalogue.now(), "d")["logit"] == 5.0


def test_what_was_given_out_stays_as_it_was(live):
    campaign, catalogue, scores = live
    add_scores(campaign, {"a": 1.0})
    before = scores.columns(MODEL, catalogue.now())
    add_scores(campaign, {"b": 2.0})
    scores.columns(MODEL, catalogue.now())
    assert np.isnan(before.logit[1])
    assert before.scored == 1


def test_a_refused_object_counts_as_scored_and_has_no_logit(live):
    campaign, catalogue, scores = live
    add_scores(campaign, {"a": None})
    assert scores.columns(MODEL, catalogue.now()).scored == 1
    assert scores.row(MODEL, catalogue.now(), "a")["reason"] == "too small"
    assert scores.row(MODEL, catalogue.now(), "b") is None


def test_scores_that_were_removed_and_made_anew_replace_the_old(live):
    campaign, _, _ = live
    old = add_scores(campaign, {"a": 1.0, "b": 1.0})
    assert logits(live) == [1.0, 1.0, -99.0]
    os.utime(old, (1, 1))
    old.unlink()
    assert add_scores(campaign, {"c": 7.0}) == old
    assert logits(live) == [-99.0, -99.0, 7.0]
    old.unlink()
    assert logits(live) == [-99.0, -99.0, -99.0]


def test_a_catalogue_in_another_order_moves_the_scores_with_it(live):
    campaign, catalogue, _ = live
    add_scores(campaign, {"a": 1.0, "b": 2.0, "c": 3.0})
    assert logits(live) == [1.0, 2.0, 3.0]
    table = campaign.objects()
    type(table)(table.table.take([2, 0, 1])).save(campaign.catalogue_path)
    assert catalogue.now().table.ids == ["c", "a", "b"]
    assert logits(live) == [3.0, 1.0, 2.0]
