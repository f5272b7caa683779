"""`lensvet evaluate`, from scores and truth to metrics.json and a report, without running a network."""

import json
import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dashboard import cli
from data.campaign import Campaign
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.truth import truth_of
from lensmodel.models import model_named
from tests.fixtures.campaigns import add_objects, add_scores, filled_campaign

TAG = "<b>ring</b></script>"


def measured_campaign(path: Path) -> Campaign:
    """20 lenses of two subtypes, 20 non-lenses; the shipped network has scored all but two."""
    campaign = filled_campaign(path, [])
    random = np.random.default_rng(1)
    logits: dict[str, float | None] = {}
    for number in range(40):
        is_lens, kind = number % 2 == 0, number % 4 < 2
        truth = {
            "class": "lens" if is_lens else "nonlens",
            "subtype": ("arc" if kind else TAG) if is_lens else "spiral",
            "theta_E_arcsec": 1.0 + number / 40 if is_lens else None,
            "lens_x_arcsec": 0.1 if is_lens else None,
            "lens_y_arcsec": 0.0 if is_lens else None,
            "sim_arc_snr": 30.0 if is_lens else None,
        }
        name = f"{'lens' if is_lens else 'spiral'} {number}"
        add_objects(campaign, [name], columns=truth)
        logits[name] = None if number < 2 else float(random.normal(2.0 if is_lens else -2.0))
    add_scores(campaign, logits, model=model_named("evidence-net").version)
    return campaign


def evaluate(campaign: Path, out: Path) -> int:
    words = ["evaluate", str(campaign), "--model", "evidence-net", "--out", str(out), "--resamples", "20"]
    return cli.main(words)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    campaign = measured_campaign(folder / "campaign")
    assert evaluate(campaign.path, folder / "out") == 0
    return folder / "out"


def test_metrics_have_the_names_that_other_programs_read(results: Path):
    found = json.loads((results / "metrics.json").read_text(encoding="utf-8"))["models"]["evidence-net"]
    for name in ("auroc", "tpr0", "tpr10", "recall_at_fpr_1pct", "recall_at_fpr_0p1pct", "f1", "ece"):
        assert 0 <= found[name] <= 1, name
        low, high = found["intervals"][name]
        assert low <= found[name] <= high
    assert set(found["position_error_arcsec"]) == {"median", "p68", "p95"}
    assert set(found["recall_at_fpr_1pct_by_subtype"]) == {"arc", TAG}
    assert set(found["by_quantity"]) >= {"theta_E_arcsec", "arc_snr", "distance_arcsec"}


def test_what_a_model_refused_is_counted_with_its_reason(results: Path):
    record = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    objects = record["models"]["evidence-net"]["objects"]
    assert objects == {
        "total": 38,
        "lenses": 19,
        "nonlenses": 19,
        "refused": 2,
        "reasons": {"too small": 2},
    }
    assert record["objects"]["total"] == 40
    assert record["common_set"]["objects"] == 38


def test_the_report_opens_without_a_network_and_escapes_what_it_shows(results: Path):
    page = (results / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"'](?!data:)", page)
    assert TAG not in page
    assert "In short" in page
    assert "too small" in page


def test_a_campaign_without_truth_is_refused_with_what_is_missing(tmp_path: Path, capsys):
    campaign = filled_campaign(tmp_path / "campaign", ["a"])
    assert evaluate(campaign.path, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "column class" in error
    assert "lensvet simulate" in error
    assert not (tmp_path / "out").exists()


def test_a_class_that_is_neither_is_named(tmp_path: Path, capsys):
    campaign = filled_campaign(tmp_path / "campaign", ["a"], columns={"class": "galaxy"})
    assert evaluate(campaign.path, tmp_path / "out") == 1
    assert "'galaxy'" in capsys.readouterr().err


def test_a_model_that_refuses_everything_still_gets_a_report(tmp_path: Path, capsys):
    campaign = filled_campaign(tmp_path / "campaign", ["a"], columns={"class": "lens"})
    add_scores(campaign, {"a": None}, model=model_named("evidence-net").version)
    assert evaluate(campaign.path, tmp_path / "out") == 0
    assert "scored none of the 1 objects" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert record["models"]["evidence-net"]["auroc"] is None
    assert (tmp_path / "out" / "report.html").is_file()


def campaign_of_pairs(path: Path) -> Campaign:
    """Four lenses with twins, in three of which the lens scores higher; one more is refused, one undetectable."""
    campaign = filled_campaign(path, [])
    logits: dict[str, float | None] = {}
    pairs = [(2.0, 1.0), (0.5, 0.0), (1.0, 1.0), (3.0, -1.0), (None, 0.0), (-4.0, -3.0)]
    for number, (logit, twins_logit) in enumerate(pairs):
        lens, twin = f"lens {number}", f"twin {number}"
        truth = {"subtype": "arc", "theta_E_arcsec": 1.0, "sim_arc_is_detectable": float(number < 5)}
        add_objects(campaign, [lens], columns={"class": "lens", "sim_twin": twin} | truth)
        add_objects(campaign, [twin], columns={"class": "nonlens", "subtype": "twin", "sim_twin": lens})
        logits |= {lens: logit, twin: twins_logit}
    add_scores(campaign, logits, model=model_named("evidence-net").version)
    return campaign


def test_lenses_are_compared_with_their_twins_where_both_were_scored(tmp_path: Path, capsys):
    campaign = campaign_of_pairs(tmp_path / "campaign")
    assert evaluate(campaign.path, tmp_path / "out") == 0
    assert "3 of 5 lenses above the same object without its source: 60.0 %" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    twins = record["models"]["evidence-net"]["twins"]
    assert (twins["pairs"], twins["lens_above"], twins["share"]) == (5, 3, 0.6)
    assert 0 < twins["interval"][0] < 0.6 < twins["interval"][1] < 1


def test_undetectable_lenses_can_be_left_out_and_their_twins_stay(tmp_path: Path, capsys):
    campaign = campaign_of_pairs(tmp_path / "campaign")
    out = tmp_path / "out"
    words = ["evaluate", str(campaign.path), "--model", "evidence-net", "--out", str(out), "--detectable"]
    assert cli.main([*words, "--resamples", "20"]) == 0
    assert "3 of 4 lenses above" in capsys.readouterr().out
    record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert record["detectable_lenses_only"]
    assert record["objects"] == {"total": 11, "lenses": 5, "nonlenses": 6}
    assert "arcs nobody could see are left out" in (out / "report.html").read_text(encoding="utf-8")


def test_a_campaign_that_does_not_say_what_is_detectable_is_refused(tmp_path: Path, capsys):
    campaign = filled_campaign(tmp_path / "campaign", ["a"], columns={"class": "lens"})
    words = ["evaluate", str(campaign.path), "--model", "evidence-net", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--detectable"]) == 1
    assert "sim_arc_is_detectable" in capsys.readouterr().err


def scored_campaign(path: Path, rows: dict[str, tuple[dict[str, object], float]]) -> Campaign:
    """Objects by id: truth columns and the logit of the shipped network."""
    campaign = filled_campaign(path, [])
    columns = sorted({name for truth, _ in rows.values() for name in truth})
    for object_id, (truth, _) in rows.items():
        add_objects(campaign, [object_id], columns={name: truth.get(name) for name in columns})
    logits = {object_id: logit for object_id, (_, logit) in rows.items()}
    add_scores(campaign, logits, model=model_named("evidence-net").version)
    return campaign


def record_in(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_a_threshold_is_reported_by_subtype(tmp_path: Path, capsys):
    campaign = measured_campaign(tmp_path / "campaign")
    settings = campaign.settings_path.read_text(encoding="utf-8")
    campaign.settings_path.write_text(f"prior = 0.01\n{settings}", encoding="utf-8")
    words = ["evaluate", str(campaign.path), "--model", "evidence-net", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--resamples", "5", "--threshold", "evidence-net=0.75"]) == 0
    (found,) = record_in(tmp_path / "out")["at_thresholds"]
    logits = {
        row["object_id"]: row["logit"]
        for part in campaign.score_parts(model_named("evidence-net").version)
        for row in pq.read_table(part, partitioning=None).to_pylist()
        if row["logit"] is not None
    }
    above = [name for name, logit in logits.items() if logit >= math.log(3)]
    number = sum(name.startswith("lens") for name in above)
    assert (found["model"], found["p_lens"]) == ("evidence-net", 0.75)
    assert (found["recall"]["number"], found["recall"]["of"]) == (number, 19)
    assert found["false_positive_rate"]["number"] == len(above) - number
    assert set(found["recall_by_subtype"]) == {"arc", TAG}
    assert found["at_same_false_positive_rate"]["evidence-net"]["recall"] == found["recall"]
    prior = f"{100 * model_named('evidence-net').prior:.3g} %"
    assert f"with p_lens from 0.75 up (at its own prior, {prior})" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "At a given threshold" in page
    stated = (
        f"calibrated for: {prior} for evidence-net. "
        "The page and the catalogues state it at the campaign's prior, 1 %."
    )
    assert stated.replace(" %", "\u00a0%") in unescape(page)


@pytest.mark.parametrize(
    "text", ["evidence-net", "0.5", "=0.5", "evidence-net=high", "evidence-net=1.5", "a=nan"]
)
def test_a_threshold_that_is_none_is_wrong_usage(tmp_path: Path, capsys, text: str):
    words = ["evaluate", str(tmp_path), "--model", "evidence-net", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--threshold", text])
    assert ended.value.code == 2
    assert "ou-66=0.9" in capsys.readouterr().err


def test_a_threshold_of_a_model_that_is_not_named_is_refused_before_anything_is_made(tmp_path: Path, capsys):
    campaign = measured_campaign(tmp_path / "campaign")
    words = ["evaluate", str(campaign.path), "--model", "evidence-net", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--threshold", "ou-66=0.9"]) == 1
    assert "add --model ou-66" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_record_and_the_report_say_at_which_prior_p_lens_is_compared(results: Path):
    calibration = record_in(results)["models"]["evidence-net"]["calibration"]
    prior = model_named("evidence-net").prior
    assert calibration["prior"] == prior
    assert calibration["share_of_lenses"] == 0.5
    assert calibration["is_converted"]
    assert "is drawn converted to the 50" in (results / "report.html").read_text(encoding="utf-8")


def test_scores_that_are_no_numbers_are_counted_as_refused(tmp_path: Path):
    rows = {
        "a": ({"class": "lens"}, 1.0),
        "b": ({"class": "nonlens"}, 0.0),
        "c": ({"class": "lens"}, float("nan")),
        "d": ({"class": "nonlens"}, float("inf")),
    }
    campaign = scored_campaign(tmp_path / "campaign", rows)
    assert evaluate(campaign.path, tmp_path / "out") == 0
    found = record_in(tmp_path / "out")["models"]["evidence-net"]
    assert found["auroc"] == 1
    assert found["objects"]["total"] == 2
    assert found["objects"]["reasons"] == {"the score is not a number": 2}


def test_members_colours_and_detectability_come_from_the_catalogue(tmp_path: Path):
    lens = {"class": "lens", "subtype": "group", "mag_vis": 20.0, "lens_x_arcsec": 0.0, "lens_y_arcsec": 0.0}
    colour = {f"sim_arc_snr_{band}": 9.0 for band in ("vis", "h")} | {"sim_arc_mag_vis": 24.0}
    member = {"sim_member_1_x_arcsec": 2.0, "sim_member_1_y_arcsec": -1.0, "sim_member_1_mag_vis": 21.5}
    rows = {
        "a": ({**lens, **colour, **member, "sim_arc_mag_h": 22.5, "sim_source_is_red": 1.0}, 1.0),
        "b": ({**lens, **colour, "sim_arc_snr_h": 0.0, "sim_arc_mag_h": 54.0, "sim_source_is_red": 0.0}, 1.0),
        "c": ({"class": "nonlens", "subtype": "spiral"}, 0.0),
    }
    truth = truth_of(scored_campaign(tmp_path / "campaign", rows))
    assert truth.member_x_arcsec[0].tolist()[:1] == [2.0]
    assert truth.member_y_arcsec[0].tolist()[:1] == [-1.0]
    assert truth.member_fainter_mag[0].tolist()[:1] == [1.5]
    assert np.isnan(truth.member_x_arcsec[0, 1:]).all()
    assert np.isnan(truth.member_x_arcsec[1:]).all()
    assert truth.is_detectable.all()
    assert truth.quantities["arc_colour_mag"][0] == 1.5
    assert np.isnan(truth.quantities["arc_colour_mag"][1:]).all()  # no light in H has no colour
    assert truth.categories["source_colour"].tolist() == ["red", "blue", ""]


def test_a_number_that_is_text_is_an_error_and_no_gap(tmp_path: Path):
    rows = {"a": ({"class": "lens", "lens_x_arcsec": "abc", "lens_y_arcsec": 0.0}, 1.0)}
    with pytest.raises(EvaluationError, match="column lens_x_arcsec is not of numbers"):
        truth_of(scored_campaign(tmp_path / "campaign", rows), with_quantities=False)


def test_the_fourth_member_of_a_rich_group_counts_too(tmp_path: Path):
    rows = {
        "a": ({"class": "lens", "sim_member_4_x_arcsec": 2.0, "sim_member_4_y_arcsec": -1.0}, 1.0),
        "b": ({"class": "lens", "sim_member_1_x_arcsec": 1.0, "sim_member_1_y_arcsec": 0.5}, 1.0),
        "c": ({"class": "nonlens", "sim_member_10_x_arcsec": 3.0}, 0.0),
    }
    truth = truth_of(scored_campaign(tmp_path / "campaign", rows), with_quantities=False)
    nan = np.nan
    assert np.array_equal(
        truth.member_x_arcsec, [[nan, 2, nan], [1, nan, nan], [nan, nan, 3]], equal_nan=True
    )
    assert np.array_equal(
        truth.member_y_arcsec, [[nan, -1, nan], [0.5, nan, nan], [nan, nan, nan]], equal_nan=True
    )


def test_the_letter_of_metrics_json_is_kept(results: Path):
    found = record_in(results)["models"]["evidence-net"]
    for name in ("auroc", "recall_at_fpr_1pct", "recall_at_fpr_0p1pct", "f1", "ece"):
        assert isinstance(found[name], float), name
    bins = found["by_quantity"]["theta_E_arcsec"]["bins"]
    assert sum(one["objects"] for one in bins) == 19
    for one in bins:
        assert one["low"] <= one["median"] <= one["high"]
        low, high = one["recall_at_fpr_1pct_binomial_interval"]
        assert low <= one["recall_at_fpr_1pct"] <= high
    assert set(found["passing_at_fpr_1pct_by_subtype"]) == {"spiral"}
    assert set(found["placement"]) == {
        "right_galaxy",
        "right_galaxy_of_found",
        "right_or_as_bright",
        "within_half_theta_E_of_found",
    }
