"""What is told of a group session in numbers: hand-worked cases, laws, and estimates that cover the truth."""

import numpy as np
import pytest

from data.consensus import summarise
from data.inspector_report import Look, inspector_reports
from data.retirement import RetirementRule, is_decided
from data.reveal_effect import RevealedPair, reveal_effect
from data.shares import Share
from data.thresholds import thresholds_of
from tests.fixtures.teams import simulated_team
from tests.team_table import RULES, one_session


def test_a_report_worked_by_hand():
    looks = [
        Look("Ivo", "lens-1", "A", elapsed_ms=2_000),
        Look("Ivo", "lens-2", "C", elapsed_ms=4_000),
        Look("Ivo", "ring", "X", elapsed_ms=6_000),
        Look("Ivo", "a", "B", elapsed_ms=700_000),
        Look("Ivo", "a", "A", is_repeat=True, elapsed_ms=8_000),
        Look("Ivo", "lens-1", "A", is_repeat=True),
        Look("Ines", "a", "X"),
        Look("Ines", "ring", "X"),
    ]
    report = inspector_reports(looks, {"lens-1": True, "lens-2": True, "ring": False})["Ivo"]
    assert report.grades == 4
    assert report.grades_of_lenses == {"A": 1, "B": 0, "C": 1, "X": 0}
    assert report.lenses_found == Share(1, 2)
    assert report.non_lenses_told == Share(1, 1)
    assert (report.bias.value, report.bias.objects) == (1.0, 2)  # +2 on `a`, 0 on `ring`
    assert report.bias.standard_error == pytest.approx(1.0)
    assert (report.same_on_repeats, report.near_on_repeats) == (Share(1, 2), Share(2, 2))
    assert (report.seconds.median, report.seconds.breaks) == (5.0, 1)


def test_biases_of_two_who_saw_the_same_cancel():
    rng = np.random.default_rng(3)
    looks = [Look(name, str(n), "ABCX"[rng.integers(4)]) for n in range(40) for name in ("Ivo", "Ines")]
    reports = inspector_reports(looks, {})
    assert reports["Ivo"].bias.value == pytest.approx(-reports["Ines"].bias.value)


def test_somebody_without_known_objects_or_repeats_is_told_so():
    report = inspector_reports([Look("Ivo", "a", "A")], {})["Ivo"]
    assert report.lenses_found.of == report.same_on_repeats.of == report.bias.objects == 0
    assert np.isnan([report.lenses_found.value, report.bias.value, report.seconds.median, report.kappa]).all()


def test_an_object_is_done_at_its_quorum_and_clear_ones_before_if_so_agreed():
    counts = [[0, 0, 0, 3], [0, 0, 1, 2], [3, 0, 0, 0], [0, 0, 0, 2], [6, 0, 0, 0], [1, 0, 0, 2]]
    assert list(is_decided(counts, RetirementRule(6))) == [False] * 4 + [True, False]
    assert list(is_decided(counts, RetirementRule(6, early=True))) == [True, False, False, False, True, False]
    p_lens = [0.5, 1e-9, 0.99, 1e-9, 0.5, 1e-9]
    early = is_decided(counts, RetirementRule(6, early=True), p_lens)
    assert list(early) == [True, True, True, False, True, False]  # the last is disputed


def test_more_grades_undo_no_decision_by_quorum():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 3, (200, 4))
    before = is_decided(counts, RetirementRule(5))
    counts[np.arange(200), rng.integers(0, 4, 200)] += 1
    assert is_decided(counts, RetirementRule(5))[before].all()


def test_what_the_reveal_changed_worked_by_hand():
    pairs = [
        RevealedPair("Ivo", "C", "A", 0.9, True),  # up, towards the model, towards truth
        RevealedPair("Ivo", "B", "X", 0.9, True),  # down, away from both
        RevealedPair("Ivo", "A", "B", 0.1, False),  # down, towards both
        RevealedPair("Ines", "A", "A", 0.9, None),
        RevealedPair("Ines", "A", None),
    ]
    effect = reveal_effect(pairs)
    assert (effect.blind, effect.revised, effect.changed, effect.up, effect.down) == (5, 4, 3, 1, 2)
    assert (effect.towards_model, effect.from_model, effect.towards_truth, effect.from_truth) == (2, 1, 2, 1)


def test_thresholds_need_objects_and_known_ones_of_both_kinds():
    assert thresholds_of([1.0], [], [0.0]) is None
    assert thresholds_of([], [3.0], [0.0]) is None


def test_completeness_falls_and_purity_is_a_share():
    rng = np.random.default_rng(5)
    found = thresholds_of(rng.uniform(0, 3, 300), rng.uniform(1, 3, 60), rng.uniform(0, 2, 60), resamples=50)
    kept = [row.completeness.value for row in found.rows]
    assert kept == sorted(kept, reverse=True)
    assert all(0 <= row.purity.value <= 1 for row in found.rows)


def test_weights_count_as_that_many_objects():
    rng = np.random.default_rng(6)
    targets, lenses, others = rng.uniform(0, 3, 40), rng.uniform(1, 3, 30), rng.uniform(0, 2, 30)
    twice = thresholds_of(np.repeat(targets, 2), lenses, others, resamples=0)
    weighted = thresholds_of(targets, lenses, others, weights=np.full(40, 2.0), resamples=0)
    assert [row.purity.value for row in weighted.rows] == pytest.approx(
        [row.purity.value for row in twice.rows]
    )
    assert weighted.lenses.value == pytest.approx(twice.lenses.value)


def test_a_probable_non_lens_is_not_told_and_repeats_are_compared_with_the_first_look():
    looks = [
        *(Look("Ivo", f"object-{n}", grade) for n, grade in enumerate("AABX")),
        *(Look("Ivo", f"object-{n}", grade, is_repeat=True) for n, grade in enumerate("ABXX")),
        Look("Ivo", "ring", "B"),
        Look("Ivo", "spiral", "C"),
    ]
    report = inspector_reports(looks, {"ring": False, "spiral": False})["Ivo"]
    assert report.grades_of_non_lenses == {"A": 0, "B": 1, "C": 1, "X": 0}
    assert report.non_lenses_told == Share(1, 2)
    assert report.same_on_repeats == Share(2, 4)
    assert report.near_on_repeats == Share(3, 4)  # B to X is two apart
    # Squared steps seen: 0 + 1 + 4 + 0. By chance: each first with each second look, 60 in 16 pairs, over 4 objects.
    assert report.kappa == pytest.approx(1 - 5 / 15)


def test_one_in_ten_decisions_is_faster_and_one_slower_than_the_range():
    looks = [Look("Ivo", str(n), "X", elapsed_ms=1_000 * n) for n in range(101)]
    seconds = inspector_reports(looks, {})["Ivo"].seconds
    assert (seconds.low, seconds.median, seconds.high) == (10.0, 50.0, 90.0)


def test_lenses_are_counted_where_known_objects_are_told_apart_best():
    # Only at 1.5 do they differ clearly: 9 of 10 lenses, 1 of 10 others. Of 100 objects 26 pass, (26 - 10) / 0.8 = 20.
    lenses, others = [2.0] * 9 + [1.0], [2.0] + [1.0] * 9
    found = thresholds_of([2.0] * 26 + [1.0] * 74, lenses, others, resamples=0)
    assert found.lenses.value == pytest.approx(20)
    assert next(row for row in found.rows if row.threshold == 1.5).purity.value == pytest.approx(
        0.9 * 20 / 26
    )


def test_there_are_never_fewer_lenses_than_none_nor_more_than_objects_and_purity_stays_a_share():
    lenses, others = [2.0] * 8 + [1.0] * 2, [2.0] * 2 + [1.0] * 8
    assert thresholds_of([1.0] * 50, lenses, others, resamples=0).lenses.value == 0
    everything = thresholds_of([2.0] * 50, lenses, others, resamples=0)
    assert everything.lenses.value == 50
    # At 2.5 all lenses pass and one object of 50 does, which 50 x 0.8 lenses cannot be.
    few = thresholds_of([2.0] * 49 + [3.0], [3.0] * 8 + [2.0] * 2, [2.0] * 2 + [1.0] * 8, resamples=0)
    assert max(row.purity.value for row in few.rows if row.selected) <= 1


def test_known_objects_that_nobody_tells_apart_say_nothing_of_others():
    found = thresholds_of([2.0] * 30, [2.0, 1.0], [2.0, 1.0], resamples=20)
    assert np.isnan([found.lenses.value, found.rows[0].purity.value]).all()


def test_the_interval_of_completeness_holds_that_of_all_lenses_like_the_known_ones():
    """Not that of the few lenses that happen to be among the objects, which scatters more."""
    held = []
    for seed in range(60):
        ratings, is_lens = simulated_team(objects=8000, inspectors=8, share=0.3, seed=seed)
        means = summarise(ratings.counts[:, ::-1]).mean
        lenses, others = means[is_lens], means[~is_lens]
        found = thresholds_of(others[50:], lenses[:50], others[:50], resamples=0)
        for row in found.rows:
            held.append(row.completeness.low <= (lenses >= row.threshold).mean() <= row.completeness.high)
    assert 0.90 <= np.mean(held) <= 0.99


def test_estimated_completeness_and_purity_cover_the_truth():
    """In a session whose truth is known, the 95 % intervals hold it in at least nine sessions of ten."""
    covered = {"completeness": [], "purity": [], "lenses": []}
    for seed in range(60):
        ratings, is_lens = simulated_team(objects=900, inspectors=8, share=0.3, seen=0.8, seed=seed)
        means = summarise(ratings.counts[:, ::-1]).mean
        known = np.random.default_rng(seed).random(900) < 0.3
        targets, truth = means[~known], is_lens[~known]
        found = thresholds_of(
            targets, means[known & is_lens], means[known & ~is_lens], resamples=200, seed=seed
        )
        row = next(row for row in found.rows if row.threshold == 1.5)
        selected = targets >= 1.5
        for name, estimate, value in (
            ("completeness", row.completeness, selected[truth].mean()),
            ("purity", row.purity, truth[selected].mean()),
            ("lenses", found.lenses, truth.sum()),
        ):
            covered[name].append(estimate.low <= value <= estimate.high)
    shares = {name: np.mean(hits) for name, hits in covered.items()}
    assert min(shares.values()) >= 0.85, shares


@pytest.mark.parametrize("quorum", [None, 6])
def test_a_team_recovers_truth_better_than_its_best_inspector(quorum):
    """Twelve of known skill, 1,000 objects, 1 % lenses; who is best is chosen with the truth in hand."""
    sessions = [one_session(seed, quorum) for seed in range(6)]
    precision = {name: np.mean([session[name][0] for session in sessions]) for name in sessions[0]}
    for rule in RULES:
        assert precision[rule] > precision["best inspector alone"], precision
