"""Figures of explanation maps on cases worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from lensmodel.evaluation.explanation_figures import (
    ExplanationProof,
    Measures,
    ModelMaps,
    figures_of,
    record_of,
)
from lensmodel.evaluation.explanation_metrics import (
    area_share,
    area_under,
    disc,
    distance_to_mask_arcsec,
    map_position,
    peak_of,
    rank_correlation,
    ranks_from_the_top,
    weight_share,
)

SCALE = 0.1


def an_arc() -> np.ndarray:
    """100 of 2,500 pixels, right of and above the centre."""
    mask = np.zeros((50, 50), bool)
    mask[30:40, 35:45] = True
    return mask


def test_a_map_that_is_the_mask_has_all_its_weight_there():
    assert weight_share(an_arc().astype(np.float32), an_arc()) == 1
    assert weight_share(-an_arc().astype(np.float32), an_arc()) == 0


def test_a_uniform_map_has_the_masks_share_of_the_area():
    uniform = np.full((50, 50), 3.0)
    assert weight_share(uniform, an_arc()) == pytest.approx(0.04)
    assert area_share(uniform, an_arc()) == pytest.approx(0.04)


def test_what_a_map_leaves_out_counts_neither_as_weight_nor_as_area():
    map_ = np.ones((50, 50))
    map_[:, :40] = np.nan
    assert area_share(map_, an_arc()) == pytest.approx(50 / 500)
    assert weight_share(map_, an_arc()) == pytest.approx(50 / 500)
    assert np.isnan(area_share(np.full((3, 3), np.nan), np.ones((3, 3), bool)))


def test_a_map_without_weight_puts_none_on_the_arcs():
    assert weight_share(np.zeros((50, 50)), an_arc()) == 0
    assert peak_of(np.zeros((50, 50)), SCALE) is None
    assert peak_of(np.full((50, 50), np.nan), SCALE) is None
    assert peak_of(np.full((50, 50), 2.0), SCALE) is None
    assert peak_of(np.linspace(-2, -1, 2500).reshape(50, 50), SCALE) is None


def test_the_peak_is_the_middle_of_the_highest_plateau():
    map_ = np.zeros((50, 51))
    map_[30:34, 40:44] = 2.0
    map_[5, 5] = 1.9
    map_[0, 0] = np.nan
    x, y = peak_of(map_, SCALE)
    assert (x, y) == pytest.approx((1.65, 0.7))


def test_the_distance_to_the_arcs_is_to_their_nearest_pixel():
    mask = np.zeros((50, 50), bool)
    mask[24, 34] = True  # at x 0.95, y -0.05
    mask[0, 0] = True
    assert distance_to_mask_arcsec((0.95, -0.05), mask, SCALE) == pytest.approx(0, abs=1e-9)
    assert distance_to_mask_arcsec((0.95, 0.35), mask, SCALE) == pytest.approx(0.4)
    assert distance_to_mask_arcsec((0.0, 0.0), np.zeros((5, 5), bool), SCALE) == np.inf


def test_a_disc_is_round_its_centre():
    inside = disc((50, 60), SCALE, (1.0, -0.5), 1.0)
    rows, columns = np.nonzero(inside)
    assert inside.sum() == pytest.approx(np.pi * 100, rel=0.03)
    assert (columns.mean() - 29.5) * SCALE == pytest.approx(1.0, abs=0.01)
    assert (rows.mean() - 24.5) * SCALE == pytest.approx(-0.5, abs=0.01)


def test_a_position_is_where_a_map_speaks_for_a_lens_and_not_its_darkest_place():
    map_ = np.zeros((50, 50))
    map_[10, 12] = -9.0
    map_[20:23, 30:33] = 1.0
    x, y, sigma = map_position(map_, SCALE)
    assert (x, y) == pytest.approx((0.65, -0.35))
    assert 0 < sigma < 0.2
    assert map_position(np.full((4, 4), np.nan), SCALE) is None


def test_ranks_begin_at_the_top_and_end_with_what_is_left_out():
    map_ = np.array([[3.0, np.nan], [1.0, 7.0]])
    ranks = ranks_from_the_top(map_, np.random.default_rng(0))
    assert ranks.tolist() == [[1, 3], [2, 0]]


def test_ties_are_drawn_and_not_read_line_by_line():
    ranks = ranks_from_the_top(np.zeros((40, 40)), np.random.default_rng(0))
    assert sorted(ranks.ravel()) == list(range(1600))
    assert abs(np.corrcoef(ranks.ravel(), np.arange(1600))[0, 1]) < 0.1


def test_the_area_under_a_curve_is_that_of_its_straight_pieces():
    assert area_under(np.ones(21)) == pytest.approx(1)
    assert area_under(np.linspace(0, 1, 21)) == pytest.approx(0.5)
    assert area_under(np.array([1.0, 0.0, 0.0])) == pytest.approx(0.25)


def test_correlation_is_of_ranks_and_strengths():
    map_ = np.random.default_rng(0).normal(size=(30, 30))
    assert rank_correlation(map_, map_) == pytest.approx(1)
    assert rank_correlation(map_, -(map_**3)) == pytest.approx(1)
    assert rank_correlation(np.abs(map_), -np.abs(map_) + 100) == pytest.approx(-1)
    other = np.random.default_rng(1).normal(size=(30, 30))
    assert abs(rank_correlation(map_, other)) < 0.1


def test_a_constant_map_says_nothing_of_another_and_is_as_another_constant():
    map_ = np.random.default_rng(0).normal(size=(9, 9))
    assert rank_correlation(map_, np.zeros((9, 9))) == 0
    assert rank_correlation(np.zeros((9, 9)), np.ones((9, 9))) == 1
    assert np.isnan(rank_correlation(map_, np.full((9, 9), np.nan)))
    map_[:, :4] = np.nan
    assert rank_correlation(map_, np.where(np.isnan(map_), 5.0, map_)) == pytest.approx(1)


def figures(*measured: Measures, resamples: int = 200):
    return figures_of(measured, resamples=resamples, seed=1)


def test_figures_are_means_and_percentiles_over_lenses_with_intervals():
    found = figures(
        *(
            Measures(hits_arcs=float(n % 2), insertion=n / 10, deletion=0.1, error_arcsec=float(n), time_ms=5)
            for n in range(10)
        ),
        Measures(hits_arcs=0.0),
    )
    assert (found.lenses, found.points_nowhere) == (11, 1)
    assert found.values["hits_arcs"] == pytest.approx(5 / 11)
    assert found.values["insertion_less_deletion"] == pytest.approx(0.35)
    assert found.values["position_error_median_arcsec"] == 4.5
    assert found.values["time_ms"] == 5
    for name in ("hits_arcs", "insertion_less_deletion", "position_error_median_arcsec"):
        low, high = found.intervals[name]
        assert low < found.values[name] < high
    assert np.isnan(found.values["weight_on_arcs"])


def test_pull_is_of_both_axes():
    random = np.random.default_rng(0)
    found = figures(*(Measures(pull=tuple(random.normal(0, 2, size=2))) for _ in range(400)), resamples=20)
    assert found.values["position_pull"] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(("rho", "passes"), [(0.05, True), (-0.29, True), (0.31, False), (-0.9, False)])
def test_a_map_that_does_not_change_with_the_weights_fails(rho, passes):
    assert figures(*[Measures(rho=rho)] * 4).passes is passes


def test_a_map_that_nobody_made_again_neither_passes_nor_fails():
    assert figures(*[Measures(error_arcsec=1.0)] * 4).passes is None


GOOD = Measures(weight_on_arcs=0.5, area_of_arcs=0.1, beyond_light=0.2, beyond_random=0.6, rho=0.0)


def model_maps(**maps: Measures) -> ModelMaps:
    return ModelMaps(
        "a-1", lenses=4, maps={(name, ""): figures(*[one] * 4) for name, one in maps.items()}, references={}
    )


def test_the_map_to_believe_changes_with_the_weights_and_beats_light_and_chance():
    maps = model_maps(
        edges=replace(GOOD, weight_on_arcs=0.9, rho=0.95),
        small=replace(GOOD, weight_on_arcs=0.45),
        good=GOOD,
        wide=replace(GOOD, weight_on_arcs=0.95, area_of_arcs=0.8, beyond_light=-0.1),
        upside=replace(GOOD, weight_on_arcs=0.9, beyond_random=-0.6),
    )
    assert maps.believed == ("good", "")
    assert [name for name, _ in maps.ordered] == ["good", "small", "upside", "wide", "edges"]
    assert maps.doubts(("edges", "")) == ["redrawn"]
    assert maps.doubts(("wide", "")) == ["light"]
    assert maps.doubts(("upside", "")) == ["order"]


def test_what_is_better_by_chance_is_in_doubt():
    """Four lenses of which one is far above the light and three are just below."""
    lenses = [replace(GOOD, beyond_light=value) for value in (0.9, -0.05, -0.02, -0.05)]
    maps = ModelMaps("a-1", lenses=4, maps={("lucky", ""): figures(*lenses)}, references={})
    assert maps.maps["lucky", ""].values["arcs_beyond_light"] > 0
    assert maps.doubts(("lucky", "")) == ["light"]


def test_where_every_map_is_in_doubt_none_is_believed():
    maps = model_maps(edges=replace(GOOD, beyond_light=-0.1, beyond_random=0.0, rho=0.9))
    assert maps.believed is None
    assert maps.doubts(("edges", "")) == ["redrawn", "light", "order"]
    assert model_maps().believed is None


def test_the_record_has_models_methods_and_layers_and_null_for_what_has_no_meaning():
    record = record_of(ExplanationProof({"a": model_maps(good=GOOD)}, resamples=200, seed=1))
    found = record["models"]["a"]["good"][""]
    assert found["weight_on_arcs"] == pytest.approx(0.5)
    assert found["position_error_median_arcsec"] is None
    assert found["intervals"]["position_error_median_arcsec"] == [None, None]
    assert (found["passes"], found["doubts"]) == (True, [])
    assert record["believed"] == {"a": {"method": "good", "layer": ""}}
