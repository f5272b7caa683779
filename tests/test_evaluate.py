"""`lensvet evaluate`, from scores and truth to metrics.json and a report, without running a network."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dashboard import cli
from data.campaign import Campaign
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
