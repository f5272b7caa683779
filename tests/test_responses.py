"""What a model finds in parts of a campaign: operating points, bins, selections, differences of shares."""

import numpy as np
import pytest

from data.shares import Share
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.breakdowns import Group
from lensmodel.evaluation.responses import (
    OPERATING_POINTS,
    OperatingPoint,
    chosen_objects,
    difference_interval,
    partition_of,
    selected,
    share_of,
    shares_in,
    taken_at,
)

# Four lenses (two rings, two arcs, one of each red) and two contaminants.
LENS = np.array([True, True, True, True, False, False])
KIND = np.array(["ring", "ring", "arc", "arc", "spiral", "merger"])
COLOUR = np.array(["red", "blue", "red", "blue", "", ""])
TAKEN = np.array([True, False, True, True, True, False])


def partition(name: str, values, kinds, is_lens: bool):
    return partition_of(name, name.title(), [Group(kind, is_lens, values == kind) for kind in kinds])


SUBTYPE = partition("subtype", KIND, ["arc", "ring"], True)
SOURCE = partition("colour", COLOUR, ["blue", "red"], True)
CONTAMINANT = partition("contaminant", KIND, ["merger", "spiral"], False)
ALL = [SUBTYPE, SOURCE, CONTAMINANT]


def numbers(shares: list[Share]) -> list[tuple[int, int]]:
    return [(share.number, share.of) for share in shares]


def test_each_bin_counts_its_own_objects_and_those_taken():
    assert numbers(shares_in(SUBTYPE, TAKEN, np.ones(6, bool))) == [(2, 2), (1, 2)]
    assert numbers(shares_in(CONTAMINANT, TAKEN, np.ones(6, bool))) == [(0, 1), (1, 1)]


def test_a_selection_restricts_the_other_plots_and_not_its_own():
    selection = {"subtype": frozenset({1})}  # rings
    assert selected(ALL, selection, LENS).tolist() == [True, True, False, False, True, True]
    of_colours = selected(ALL, selection, LENS, apart_from="colour")
    assert numbers(shares_in(SOURCE, TAKEN, of_colours)) == [(0, 1), (1, 1)]
    of_subtypes = selected(ALL, selection, LENS, apart_from="subtype")
    assert numbers(shares_in(SUBTYPE, TAKEN, of_subtypes)) == [(2, 2), (1, 2)]


def test_selections_in_two_plots_hold_together_and_several_bins_are_any_of_them():
    both = {"subtype": frozenset({1}), "colour": frozenset({1})}
    assert np.flatnonzero(selected(ALL, both, LENS) & LENS).tolist() == [0]
    either = {"subtype": frozenset({0, 1})}
    assert selected(ALL, either, LENS).all()


def test_bins_of_lenses_leave_non_lenses_alone_in_plots_and_out_of_the_gallery():
    selection = {"subtype": frozenset({1})}
    assert selected(ALL, selection, LENS)[~LENS].all()
    assert np.flatnonzero(chosen_objects(ALL, selection, LENS)).tolist() == [0, 1]
    assert chosen_objects(ALL, {}, LENS).all()
    in_both = selection | {"contaminant": frozenset({0})}
    assert np.flatnonzero(chosen_objects(ALL, in_both, LENS)).tolist() == [0, 1, 5]


def test_at_a_rate_of_false_positives_no_more_non_lenses_pass():
    logit = np.array([3.0, 1.0, 2.0, 4.0, 2.5, 0.0])
    half = OperatingPoint("half", "50 %", false_positive_rate=0.5)
    assert taken_at(half, logit, logit, LENS).tolist() == [True, True, True, True, True, False]
    strict = OPERATING_POINTS["fpr_1pct"]
    assert taken_at(strict, logit, logit, LENS).tolist() == [True, False, False, True, False, False]


def test_what_has_no_score_is_not_taken_and_sets_no_threshold():
    logit = np.array([3.0, np.nan, -0.5, 4.0, np.nan, -1.0])
    p_lens = np.array([0.9, np.nan, 0.5, 0.51, np.nan, 0.1])
    strict = OPERATING_POINTS["fpr_1pct"]
    assert taken_at(strict, logit, p_lens, LENS).tolist() == [True, False, True, True, False, False]
    above = OPERATING_POINTS["p_half"]
    assert taken_at(above, logit, p_lens, LENS).tolist() == [True, False, False, True, False, False]


def test_a_rate_of_false_positives_needs_non_lenses():
    logit = np.array([1.0, 2.0])
    with pytest.raises(EvaluationError, match=r"choose p_lens above 0\.5"):
        taken_at(OPERATING_POINTS["fpr_1pct"], logit, logit, np.array([True, True]))


def test_no_groups_make_no_partition():
    assert partition_of("subtype", "Subtype", []) is None


def test_the_interval_of_a_difference_is_newcombes():
    # Newcombe 1998, Table II, method 10: 56/70 against 48/80, and 9/10 against 3/10.
    assert difference_interval(Share(56, 70), Share(48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference_interval(Share(9, 10), Share(3, 10)) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_the_difference_changes_sign_with_the_order():
    low, high = difference_interval(Share(3, 10), Share(9, 10))
    assert difference_interval(Share(9, 10), Share(3, 10)) == pytest.approx((-high, -low))


def test_a_share_of_rows_counts_those_rows_only():
    assert share_of(TAKEN, LENS) == Share(3, 4)
    assert np.isnan(share_of(TAKEN, np.zeros(6, bool)).value)
