"""Figures of a model worked out by hand: which galaxy, which threshold, at which prior, and where there is nothing."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from data.shares import Share
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.breakdowns import categories_of
from lensmodel.evaluation.comparison import check_thresholds, common_rows
from lensmodel.evaluation.figures import FIGURES, Judged, evaluate, figures_of, placement_of
from lensmodel.evaluation.thresholds import at_threshold, passed
from lensmodel.evaluation.truth import Truth

NAN = float("nan")


def judged_of(
    is_lens: Sequence[bool], logit: Sequence[float], *, prior: float | None = None, **known: object
) -> Judged:
    """Objects with these scores; lenses at the origin, where they are predicted unless `known` says otherwise."""
    lens, score = np.array(is_lens, bool), np.array(logit, float)
    number = len(lens)
    at_origin = np.where(lens, 0.0, np.nan)
    nowhere = np.full((number, 3), np.nan)
    truth = Truth(
        object_ids=np.array([f"object {row}" for row in range(number)], np.str_),
        is_lens=lens,
        subtype=np.array(known.get("subtype", np.where(lens, "arc", "spiral")), np.str_),
        x_arcsec=at_origin,
        y_arcsec=at_origin,
        twin_ids=np.full(number, "", np.str_),
        member_x_arcsec=np.array(known.get("member_x_arcsec", nowhere), float),
        member_y_arcsec=np.where(np.isnan(known.get("member_x_arcsec", nowhere)), np.nan, 0.0),
        member_fainter_mag=np.array(known.get("member_fainter_mag", nowhere), float),
        is_detectable=np.array(known.get("is_detectable", np.ones(number)), bool),
        quantities={"theta_E_arcsec": np.where(lens, 1.0, np.nan)},
        categories={"source_colour": np.array(known.get("source_colour", [""] * number), np.str_)},
        colour="VIS - H",
    )
    x = np.array(known.get("x_arcsec", np.zeros(number)), float)
    p_lens = 1 / (1 + np.exp(-score))
    return Judged(
        truth, score, p_lens, x, np.zeros(number), np.full(number, 0.1), np.full(number, NAN), prior
    )


@pytest.mark.parametrize(("fainter_mag", "or_as_bright"), [(0.1, 3), (-0.1, 3), (0.9, 2), (NAN, 2)])
def test_the_right_galaxy_is_the_one_that_no_member_is_nearer_than(fainter_mag: float, or_as_bright: int):
    judged = judged_of(
        [True, True, True, True, True, False],
        [5, 5, -5, 5, 5, 0],
        x_arcsec=[0.4, 0.6, 0.1, 9.0, NAN, 0.0],
        # The second is nearer to its member at 1 arcsec; the fourth has none; the fifth has no position.
        member_x_arcsec=[
            [1.0, -2.0, NAN],
            [3.0, 1.0, NAN],
            [1.0, NAN, NAN],
            [NAN, NAN, NAN],
            [1.0, NAN, NAN],
            [0.0, NAN, NAN],
        ],
        member_fainter_mag=[[0.1, 0.1, NAN], [2.0, fainter_mag, NAN], *[[NAN] * 3] * 4],
    )
    placement = placement_of(judged)
    assert placement.right_galaxy == Share(2, 3)
    assert placement.right_or_as_bright == Share(or_as_bright, 3)
    assert placement.right_galaxy_found == Share(1, 2)  # the third scores below the non-lens
    assert placement.within_half_theta_E == Share(1, 3)  # 0.4 of 1 arcsec, not 0.6, not 9


def test_groups_that_nobody_could_see_do_not_count_for_the_right_galaxy():
    judged = judged_of(
        [True, True, False],
        [5, 5, 0],
        member_x_arcsec=[[1.0, NAN, NAN], [1.0, NAN, NAN], [NAN, NAN, NAN]],
        is_detectable=[True, False, True],
    )
    assert placement_of(judged).right_galaxy == Share(1, 1)


def test_without_group_members_there_is_no_right_galaxy():
    placement = placement_of(judged_of([True, False], [1, 0]))
    assert placement.right_galaxy == Share(0, 0)
    assert placement.within_half_theta_E == Share(1, 1)


def test_others_are_compared_where_no_more_non_lenses_pass():
    lens = [True] * 4 + [False] * 4
    subtype = ["arc", "arc", "ring", "ring", "spiral", "spiral", "ghost", "ghost"]
    first = judged_of(lens, [3, -1, 2, -2, 1, -1, -1, -1], subtype=subtype)
    second = judged_of(lens, [3, 2, 0.5, -9, 4, 1, 0, -1], subtype=subtype)
    found = at_threshold("first", 0.6, first, {"first": first, "second": second})
    assert found.own.lenses == Share(2, 4)
    assert found.own.nonlenses == Share(1, 4)
    assert found.own.nonlenses_by_subtype == {"ghost": Share(0, 2), "spiral": Share(1, 2)}
    assert found.common["first"] == found.own
    # The first lets one non-lens pass; so may the second, whose second non-lens has 1.
    assert found.common["second"].lenses == Share(2, 4)
    assert found.common["second"].nonlenses == Share(1, 4)
    assert found.common["second"].lenses_by_subtype == {"arc": Share(2, 2), "ring": Share(0, 2)}


def test_a_threshold_holds_what_has_just_that_probability():
    judged = judged_of([True, False], [0.0, -1.0])
    assert at_threshold("only", 0.5, judged, {"only": judged}).own.lenses == Share(1, 1)


def test_without_non_lenses_no_model_is_compared_at_a_rate_of_them():
    judged = judged_of([True, True], [3, -3])
    found = at_threshold("first", 0.5, judged, {"first": judged, "second": judged})
    assert found.common == {"first": passed(judged.truth, judged.p_lens >= 0.5)}
    assert found.own.nonlenses == Share(0, 0)


def test_a_threshold_of_a_model_that_is_not_compared_is_refused():
    check_thresholds([("a", 0.5)], ["a", "b"])
    with pytest.raises(EvaluationError, match="add --model c"):
        check_thresholds([("a", 0.5), ("c", 0.5)], ["a", "b"])


def test_p_lens_is_compared_at_the_share_of_lenses_of_the_sample():
    # At even odds 4 of 5 objects of logit ln 4 are lenses; with one lens for four non-lenses, 1 of 2.
    lens = [True] * 4 + [False] * 4 + [False] * 12
    logit = [math.log(4)] * 8 + [-30.0] * 12
    calibrated = judged_of(lens, logit, prior=0.5)
    assert calibrated.share_of_lenses == 0.2
    assert calibrated.p_lens[:8] == pytest.approx(np.full(8, 0.8))
    assert calibrated.p_lens_here[:8] == pytest.approx(np.full(8, 0.5))
    assert evaluate(calibrated, resamples=5).figures["ece"] == pytest.approx(0, abs=1e-9)
    as_stated = judged_of(lens, logit)
    assert evaluate(as_stated, resamples=5).figures["ece"] == pytest.approx(0.3 * 8 / 20)


def test_both_widths_of_the_pull_are_one_for_gaussian_errors_and_wings_set_them_apart():
    random = np.random.default_rng(11)
    gaussian = random.normal(0, 0.1, (2, 4000))
    winged = np.where(random.random(4000) < 0.3, 8 * gaussian, gaussian)
    judged = judged_of([True] * 4000, [0.0] * 4000)
    honest, wide = (figures_of(replace(judged, x_arcsec=x, y_arcsec=y)) for x, y in (gaussian, winged))
    assert honest["position_pull"] == pytest.approx(1, rel=0.04)
    assert honest["position_pull_robust"] == pytest.approx(1, rel=0.04)
    assert wide["position_pull"] > 1.1 * wide["position_pull_robust"] > 1.1


def test_lenses_are_grouped_by_the_colour_of_their_source():
    judged = judged_of(
        [True, True, True, True, False],
        [2, 1, -1, 3, 0],
        source_colour=["red", "blue", "red", "", "red"],
    )
    groups = {group.name: group.rows.tolist() for group in categories_of(judged.truth, "source_colour")}
    assert groups == {"blue": [False, True, False, False, False], "red": [True, False, True, False, False]}
    found = {one.group.name: one.found for one in evaluate(judged, resamples=5).against["source_colour"]}
    assert found == {"blue": Share(1, 1), "red": Share(1, 2)}


@pytest.mark.parametrize(
    ("lens", "found"),
    [([True, True], [Share(0, 0)]), ([False, False], [Share(0, 2)]), ([], [])],
)
def test_one_class_or_none_leaves_figures_without_a_value(lens: list[bool], found: list[Share]):
    measured = evaluate(judged_of(lens, [1.0, 2.0][: len(lens)], prior=0.5), resamples=5)
    for name in ("auroc", "tpr0", "tpr10", "recall_at_fpr_1pct", "recall_at_fpr_0p1pct", "ece"):
        assert math.isnan(measured.figures[name]), name
        assert np.isnan(measured.intervals[name]).all(), name
    assert set(measured.figures) == set(FIGURES)
    if not any(lens):
        assert math.isnan(measured.figures["f1"])
        assert math.isnan(measured.figures["position_error_median_arcsec"])
    assert [one.found for one in measured.by_subtype] == found


def test_intervals_hold_their_figures_and_are_no_narrower_than_the_binomial_of_a_group():
    random = np.random.default_rng(12)
    lens = np.arange(300) < 100
    measured = evaluate(judged_of(lens, random.normal(lens * 2.0, 1), prior=0.5), resamples=200)
    for name, value in measured.figures.items():
        low, high = measured.intervals[name]
        assert low <= value <= high, name
    spiral = next(one for one in measured.by_subtype if one.group.name == "spiral")
    assert spiral.found == Share(2, 200)
    low, high = spiral.found_interval
    assert low <= spiral.found.interval[0] <= 0.01 <= spiral.found.interval[1] <= high


def test_objects_in_common_are_those_that_all_models_scored_that_scored_any():
    rows = [np.array([True, True, False]), np.array([False, True, True]), np.zeros(3, bool)]
    assert common_rows(rows).tolist() == [False, True, False]
    assert common_rows(rows[2:]).tolist() == [False, False, False]
