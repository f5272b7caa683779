"""`lensvet counterfactual`: simulated lenses without their arcs, regions of somebody's own, real Euclid lenses."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dashboard import cli
from dashboard.reports.wording import prior_sentence
from data.campaign import Campaign, create_campaign, open_campaign
from data.ingest import ingest
from data.readers.ds9_regions import read_regions
from data.simulations.writing import write_simulations
from data.truth import TruthMasks
from lensmodel.counterfactuals.erasing import erased
from lensmodel.counterfactuals.judging import counterfactuals
from lensmodel.counterfactuals.subjects import subjects_from_regions, subjects_from_truth
from lensmodel.counterfactuals.summary import summary_of
from lensmodel.counterfactuals.verdicts import Counterfactual, Judged, Verdict, cut
from lensmodel.models import network_class
from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.networks import added_model, evidence_model

JUDGED = 5  # of the simulated lenses that have arcs
Q1_REGIONS = Path(__file__).parents[1] / "docs" / "euclid-q1-arcs.reg"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    campaign = create_campaign(tmp_path_factory.mktemp("mocks") / "mocks", survey="euclid")
    write_simulations(campaign, number=18, seed=4)
    return campaign.path


@pytest.fixture(scope="module")
def results(simulated: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("results")
    assert cli.main(words_for(simulated, out)) == 0
    return out


def words_for(campaign: Path, out: Path, *, model: str = "evidence-net") -> list[str]:
    words = ["counterfactual", str(campaign), "--model", model, "--out", str(out)]
    return [*words, "--number", str(JUDGED), "--resamples", "200"]


def record_in(folder: Path) -> dict:
    return json.loads((folder / "counterfactuals.json").read_text(encoding="utf-8"))


def test_arcs_of_simulated_lenses_carry_more_of_the_score_than_a_control(results: Path):
    summary = record_in(results)["summaries"]["evidence-net"]
    assert (summary["lenses"], summary["refused"]) == (JUDGED, 0)
    assert summary["arcs"]["median"] > max(0.5, summary["control"]["median"])
    low, high = summary["arcs"]["interval"]
    assert low <= summary["arcs"]["median"] <= high


def test_each_object_has_its_verdicts_positions_and_moved_windows(results: Path):
    objects = record_in(results)["objects"]
    assert len(objects) == JUDGED
    for one in objects:
        judged = one["models"]["evidence-net"]
        assert set(judged["whole"]) >= {"as_is", "arcs_erased"}
        before, after = judged["whole"]["as_is"], judged["whole"]["arcs_erased"]
        assert judged["fall"]["arcs_erased"] == pytest.approx(before["logit"] - after["logit"])
        distance = np.hypot(
            before["x_arcsec"] - one["lens_x_arcsec"], before["y_arcsec"] - one["lens_y_arcsec"]
        )
        assert before["distance_arcsec"] == pytest.approx(distance)
        spread = judged["windows"]["as_is"]
        assert 0 <= spread["lowest"] <= spread["median"] <= spread["highest"] <= 1
        assert len(judged["shifts"]) in (1, 25)


def test_the_report_shows_each_object_before_and_after(results: Path):
    page = (results / "counterfactuals.html").read_text(encoding="utf-8")
    for one in record_in(results)["objects"]:
        assert one["object_id"] in page
    assert page.count("data:image/webp;base64,") == 3 * JUDGED
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_same_command_gives_the_same_numbers_and_leaves_the_campaign_alone(simulated, results, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in simulated.rglob("*")}
    assert cli.main(words_for(simulated, tmp_path / "again")) == 0
    assert record_in(tmp_path / "again") == record_in(results)
    assert {path: path.stat().st_mtime_ns for path in simulated.rglob("*")} == before


def test_an_object_alone_is_judged_as_it_is_among_others(simulated, results, tmp_path):
    expected = record_in(results)["objects"][-1]
    words = words_for(simulated, tmp_path / "alone")
    assert cli.main([*words, "--object", expected["object_id"]]) == 0
    assert record_in(tmp_path / "alone")["objects"] == [expected]


def test_masks_are_read_when_their_turn_comes(simulated, monkeypatch):
    read = []
    of_masks = TruthMasks.read
    monkeypatch.setattr(TruthMasks, "read", lambda *given: (read.append(given), of_masks(*given))[1])
    found = subjects_from_truth(open_campaign(simulated))
    next(found)
    assert 1 <= len(read) < JUDGED
    assert len(list(found)) >= JUDGED
    assert len(read) > JUDGED


def test_an_object_without_arcs_or_that_is_not_there_is_one_line_of_error(simulated, tmp_path, capsys):
    objects = open_campaign(simulated).objects().table
    other = next(row["object_id"] for row in objects.to_pylist() if row["class"] == "nonlens")
    for object_id, message in ((other, "has no mask of lensed light"), ("nobody", "no object 'nobody'")):
        assert cli.main([*words_for(simulated, tmp_path / "out"), "--object", object_id]) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("reference", ["VIS", "one that no object has"])
def test_a_network_that_sees_no_reference_band_is_judged_with_the_mask_on_it(simulated, tmp_path, reference):
    campaign = open_campaign(simulated)
    card = replace(evidence_model(tmp_path), bands=("J",), bands_may_be_missing=False)
    network = network_class("evidence-net")(bands=1, pixel_scale_arcsec=0.1).eval()
    survey = replace(campaign.survey, composite=("J", "J", "J"), reference_band=reference)
    subject = next(subjects_from_truth(campaign))
    (one,) = counterfactuals(replace(campaign, survey=survey), {"net": (card, network)}, [subject], seed=1)
    assert set(one.planes["arcs_erased"]) == {"VIS", "J"}
    assert one.judged["net"].reason is None


def test_the_report_names_the_priors_at_which_p_lens_holds(results: Path):
    page = (results / "counterfactuals.html").read_text(encoding="utf-8")
    assert "for evidence-net. campaign.toml states no other." in page
    assert prior_sentence({"a": 0.5, "b": None, "c": 0.3}, 0.01) == (
        "p_lens here holds at the share of lenses that a model was calibrated for: 50 % for a and 30 % for c. "
        "The page and the catalogues state it at the campaign's prior, 1 %. "
        "Of b, which nobody calibrated, p_lens is no probability."
    )


def test_a_network_that_refuses_is_listed_with_its_reason(simulated, tmp_path):
    added_model(tmp_path)
    subject = next(subjects_from_truth(open_campaign(simulated))).stored.object_id
    words = ["counterfactual", str(simulated), "--model", "ou-66", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--object", subject]) == 0
    (one,) = record_in(tmp_path / "out")["objects"]
    assert "OU-66 looks at" in one["models"]["ou-66"]["reason"]
    assert record_in(tmp_path / "out")["summaries"]["ou-66"]["refused"] == 1
    assert one["models"]["ou-66"]["reason"].split('"')[0] in (
        tmp_path / "out" / "counterfactuals.html"
    ).read_text(encoding="utf-8")


def test_objects_without_regions_are_judged_as_they_are(tmp_path):
    campaign = filled_campaign(tmp_path / "campaign", ["a", "b"], size_px=64)
    regions = tmp_path / "some.reg"
    regions.write_text(
        "image\npoint(32,32) # text={b}\ncircle(44,32,4.2) # text={b}\n-circle(44,32,1.2) # text={b}\n"
    )
    words = ["counterfactual", str(campaign.path), "--model", "evidence-net", "--regions", str(regions)]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 0
    first, second = record_in(tmp_path / "out")["objects"]
    assert set(first["models"]["evidence-net"]["whole"]) == {"as_is"}
    assert "arcs_erased" in second["models"]["evidence-net"]["whole"]
    assert second["arcs_px"] == 57 - 5
    assert (second["lens_x_arcsec"], second["lens_y_arcsec"]) == pytest.approx((-0.05, -0.05))


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ("image\npoint(1,2) # text={nobody}\n", "line 2: .* has no object nobody"),
        ("image\npoint(8,8) # text={a}\ncircle(500,2,3) # text={a}\n", "no pixel of a is in its arcs"),
        ("image\npoint(900,8) # text={a}\ncircle(8,8,3) # text={a}\n", "the lens is outside the cutout of a"),
        (
            "image\npoint(1e308,8) # text={a}\ncircle(8,8,3) # text={a}\n",
            "the lens is outside the cutout of a",
        ),
        (
            "icrs\npoint(10,-98) # text={a}\ncircle(10,9,3) # text={a}\n",
            "'-98' is not a number that a point takes",
        ),
        ("image\npoint(8,8) # text={a}\ncircle(2) # text={a}\n", "line 3: a circle does not have 1 numbers"),
    ],
)
def test_regions_that_do_not_fit_are_one_line_of_error(tmp_path, capsys, regions, message):
    campaign = filled_campaign(tmp_path / "campaign", ["a"])
    (tmp_path / "some.reg").write_text(regions)
    words = ["counterfactual", str(campaign.path), "--model", "evidence-net", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--regions", str(tmp_path / "some.reg")]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(message, error)
    assert not (tmp_path / "out").exists()


def test_a_campaign_without_truth_needs_regions(tmp_path, capsys):
    campaign = filled_campaign(tmp_path / "campaign", ["a"])
    words = ["counterfactual", str(campaign.path), "--model", "evidence-net", "--out", str(tmp_path / "out")]
    assert cli.main(words) == 1
    assert "give --regions" in capsys.readouterr().err


def test_a_window_says_where_it_stands_and_does_not_leave_the_image(simulated):
    campaign = open_campaign(simulated)
    stored = campaign.objects().get(campaign.objects().ids[0])
    planes = campaign.cutouts().read(stored)
    side = planes["VIS"].flux.shape[0]
    window, place = cut(planes, (1.0, -0.5), 6.0)
    first_y, first_x = (side - 60) // 2 - 5, (side - 60) // 2 + 10
    assert np.array_equal(
        window["VIS"].flux, planes["VIS"].flux[first_y : first_y + 60, first_x : first_x + 60]
    )
    assert place == pytest.approx((1.0, -0.5))
    _, at_the_edge = cut(planes, (50.0, 0.0), 6.0)
    assert at_the_edge == pytest.approx(((side - 60) / 2 * 0.1, 0.0))


def test_the_summary_is_of_the_objects_that_have_arcs(simulated):
    stored = next(subjects_from_truth(open_campaign(simulated)))

    def judged(before: float, after: float | None) -> Judged:
        whole = {"as_is": Verdict(before, 0.5, None, None)}
        if after is not None:
            whole["arcs_erased"] = Verdict(after, 0.5, None, None)
        return Judged(None, whole, {name: [verdict] for name, verdict in whole.items()})

    several = [judged(5.0, 1.0), judged(3.0, 2.0), judged(9.0, 2.0), judged(9.0, None), Judged("too small")]
    found = [Counterfactual(stored, {}, {"net": one}, None, None) for one in several]
    summary = summary_of(found, "net", resamples=500, seed=1)
    assert (summary.lenses, summary.refused, summary.arcs.median) == (3, 1, 4.0)
    assert summary.arcs.interval == (1.0, 7.0)
    assert summary.control.median is None


@pytest.mark.real
def test_the_arcs_of_euclid_q1_are_where_they_were_drawn_and_vanish(tmp_path, shared_folder):
    real = shared_folder / "real"
    campaign = create_campaign(tmp_path / "q1", survey="euclid")
    ingest(campaign, [real / "euclid_q1"], catalogue=real / "MANIFEST.csv")
    subjects = _with_arcs(campaign)
    assert len(subjects) == 5
    for subject in subjects:
        vis = campaign.cutouts().read(subject.stored)["VIS"]
        x, y = subject.lens_arcsec
        column, row = (
            round(offset / vis.pixel_scale_arcsec + (length - 1) / 2)
            for offset, length in zip((x, y), reversed(vis.flux.shape), strict=True)
        )
        near = vis.flux[row - 3 : row + 4, column - 3 : column + 4]
        assert np.hypot(*(np.array(np.unravel_index(near.argmax(), near.shape)) - 3)) <= 1.5
        after = erased(
            {"VIS": vis},
            subject.arcs,
            mask_scale_arcsec=vis.pixel_scale_arcsec,
            galaxies_arcsec=subject.galaxies_arcsec,
            fwhm_arcsec={"VIS": 0.16},
            random=np.random.default_rng(1),
        )["VIS"].flux
        assert after[subject.arcs].mean() < 0.8 * vis.flux[subject.arcs].mean()
        assert np.array_equal(after[row - 1 : row + 2, column - 1 : column + 2], near[2:5, 2:5])


def _with_arcs(campaign: Campaign) -> list:
    found = subjects_from_regions(campaign, read_regions([Q1_REGIONS]))
    return [subject for subject in found if subject.arcs is not None]
