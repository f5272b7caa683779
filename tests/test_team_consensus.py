"""Agreement, Dawid-Skene and SWAP: against published examples, other ways to compute them, and hand-worked cases."""

import json
from itertools import permutations

import numpy as np
import pyarrow.csv as csv
import pytest

from dashboard.cli import main
from data.consensus import POINTS
from data.dawid_skene import IN_ADVANCE, dawid_skene
from data.label_store import LabelStore
from data.ratings import NONE, Ratings, ratings_of
from data.reliability import alpha_of, kappa_of_pairs, krippendorff_alpha, weighted_kappa
from data.swap import swap
from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.teams import simulated_team
from tests.fixtures.votes import a_vote

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section E: four observers, twelve units.
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def _counts(rows, categories):
    table = np.array(rows).T
    return np.stack([(table == category).sum(axis=1) for category in categories], axis=1)


def _ratings(points):
    points = np.array(points, np.int8)
    objects = tuple(f"object-{n}" for n in range(len(points)))
    return Ratings(objects, tuple(f"inspector {n}" for n in range(points.shape[1])), points)


def test_alpha_is_that_of_the_published_example():
    assert krippendorff_alpha(_counts(PUBLISHED, range(1, 6))) == pytest.approx(0.815, abs=5e-4)


def _alpha_by_pairs(points):
    """By its definition: every ordered pair of grades of one object against every pair of grades at all."""
    units = [[int(v) for v in row if v != NONE] for row in points]
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    number = np.bincount(values, minlength=4)

    def distance(one, other):
        low, high = sorted((one, other))
        return (number[low : high + 1].sum() - (number[low] + number[high]) / 2) ** 2

    observed = sum(sum(distance(*p) for p in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    expected = sum(distance(*pair) for pair in permutations(values, 2))
    return 1 - (observed / len(values)) / (expected / (len(values) * (len(values) - 1)))


def test_alpha_is_what_its_definition_says_with_grades_missing():
    ratings, _ = simulated_team(objects=60, inspectors=5, share=0.3, seen=0.6)
    assert krippendorff_alpha(ratings.counts) == pytest.approx(_alpha_by_pairs(ratings.points), abs=1e-12)


def test_alpha_says_nothing_where_all_grades_are_one():
    assert np.isnan(krippendorff_alpha([[3, 0, 0, 0], [2, 0, 0, 0]]))
    assert np.isnan(alpha_of(_ratings([[0, NONE]])).value)


def test_the_interval_of_alpha_narrows_with_objects_and_holds_its_value():
    few, many = (
        alpha_of(simulated_team(objects=n, inspectors=6, share=0.3)[0], resamples=200) for n in (40, 640)
    )
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_kappa_is_that_of_a_hand_worked_case():
    # Observed disagreement 1 / 4; expected from the margins (1/2, 1/2, 0, 0) and (1/4, 3/4, 0, 0): 1 / 2.
    assert weighted_kappa([0, 0, 1, 1], [0, 1, 1, 1]) == pytest.approx(0.5)
    assert weighted_kappa([0, 1, 2, 3], [3, 2, 1, 0]) == pytest.approx(-1)


def test_pairs_with_little_in_common_have_no_kappa():
    points = np.full((30, 3), NONE, np.int8)
    points[:, 0], points[:20, 1], points[25:, 2] = 2, 3, 1
    points[::2, 0] = 1
    assert [
        (one, other, number) for one, other, number, _ in kappa_of_pairs(_ratings(points), resamples=5)
    ] == [("inspector 0", "inspector 1", 20)]


def _dawid_skene_by_loops(points, iterations):
    """Equations 2.3 to 2.5 of Dawid & Skene 1979, one number at a time."""
    objects, inspectors = points.shape
    p = np.array([[list(row).count(k) for k in range(4)] for row in points], float)
    p /= p.sum(axis=1, keepdims=True)
    for _ in range(iterations):
        share = p.mean(axis=0)
        confusion = np.zeros((inspectors, 4, 4))
        for i in range(inspectors):
            for o in range(objects):
                if points[o, i] != NONE:
                    confusion[i, :, points[o, i]] += p[o]
            confusion[i] /= confusion[i].sum(axis=1, keepdims=True)
        for o in range(objects):
            for k in range(4):
                p[o, k] = share[k]
                for i in range(inspectors):
                    if points[o, i] != NONE:
                        p[o, k] *= confusion[i, k, points[o, i]]
            p[o] /= p[o].sum()
    return p


@pytest.mark.parametrize("iterations", [1, 2, 15])
def test_dawid_skene_is_what_its_equations_say(iterations):
    ratings, _ = simulated_team(objects=200, inspectors=5, share=0.3, seen=0.8)
    graded = ratings.points[ratings.is_given.any(axis=1)]
    found = dawid_skene(_ratings(graded), most=iterations, tolerance=-1e9)
    assert found.iterations == iterations
    np.testing.assert_allclose(found.p, _dawid_skene_by_loops(graded, iterations), atol=1e-6)


def test_dawid_skene_finds_who_is_careless():
    ratings, _ = simulated_team(objects=2000, inspectors=6, share=0.3)
    careless = np.random.default_rng(2).integers(0, 4, 2000).astype(np.int8)
    found = dawid_skene(_ratings(np.column_stack([ratings.points, careless])), smoothing=IN_ADVANCE)
    right = found.confusion[:, range(4), range(4)].mean(axis=1)
    assert right.argmin() == 6
    # What a careless one says does not depend on what the object is.
    assert np.ptp(found.confusion[6], axis=0).max() < 0.2
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1)


def test_of_who_graded_nothing_of_a_kind_small_errors_are_taken_for_likelier_than_large_ones():
    found = dawid_skene(_ratings(np.array([[0, 0], [0, 0], [0, 1]], np.int8)), smoothing=IN_ADVANCE)
    never_met = found.confusion[0, 3]
    assert (np.diff(never_met) > 0).all()
    assert never_met[3] == pytest.approx(8 / 15)


def test_uncertainty_shrinks_as_more_people_look():
    few, many = (
        dawid_skene(simulated_team(objects=800, inspectors=n, share=0.3, seed=4)[0], smoothing=IN_ADVANCE)
        for n in (2, 12)
    )
    assert many.sd.mean() < few.sd.mean()


def test_swap_is_that_of_a_hand_worked_case():
    # One inspector, right on 3 of 4 lenses and on 8 of 8 others: P(lens|lens) = 4/6, P(not|not) = 9/10.
    points = [[3], [2], [2], [0], *[[0]] * 8, [3], [1]]
    known = {f"object-{n}": n < 4 for n in range(12)}
    found = swap(_ratings(points), known, prior=0.2)
    skill = found.skills["inspector 0"]
    assert (skill.lens, skill.not_lens, skill.n_lenses, skill.n_non_lenses) == (
        4 / 6,
        pytest.approx(0.9),
        4,
        8,
    )
    # Odds 1/4 times (4/6)/(1/10) for yes, times (2/6)/(9/10) for no.
    yes, no = 0.25 * (4 / 6) / 0.1, 0.25 * (2 / 6) / 0.9
    np.testing.assert_allclose(found.p_lens[12:], [yes / (1 + yes), no / (1 + no)])


def test_swap_knows_nothing_of_whoever_met_no_known_object():
    found = swap(
        _ratings([[3, NONE], [0, NONE], [NONE, 3]]), {"object-0": True, "object-1": False}, prior=0.2
    )
    assert found.p_lens[2] == pytest.approx(0.2)


def test_swap_detects_and_rejects_once_enough_people_said_so():
    points = np.array([[3] * 12, [0] * 12] * 20 + [[3] * 12, [0] * 12], np.int8)
    known = {f"object-{n}": n % 2 == 0 for n in range(40)}
    assert list(swap(_ratings(points), known).verdict[-2:]) == ["detected", "rejected"]


def _found_among_the_first(score, is_lens):
    """Share of the lenses among as many objects as there are lenses; those of one score share a place."""
    order = np.lexsort((np.random.default_rng(0).random(len(score)), -score))
    return is_lens[order[: is_lens.sum()]].mean()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_team_finds_more_than_its_best_member(seed):
    ratings, is_lens = simulated_team(objects=4000, inspectors=12, share=0.05, seed=seed)
    best = max(_found_among_the_first(column, is_lens) for column in ratings.points.T.astype(float))
    mean = ratings.points.mean(axis=1)
    estimated = dawid_skene(ratings, smoothing=IN_ADVANCE)
    assert _found_among_the_first(mean, is_lens) > best
    assert _found_among_the_first(estimated.mean, is_lens) > best


def test_the_latest_grade_counts_and_phases_are_kept_apart():
    votes = [
        a_vote(grade="C"),
        a_vote(grade="A", phase="revealed"),
        a_vote(grade="X", inspector="Ben", object_id="object-2"),
        a_vote(grade=None, inspector="Ben"),
    ]
    everything, blind = ratings_of(votes), ratings_of(votes, phase="blind")
    assert everything.points.tolist() == [[POINTS["A"], NONE], [NONE, POINTS["X"]]]
    assert blind.points[0, 0] == POINTS["C"]


def _graded(folder, grades):
    campaign = filled_campaign(folder, ["one", "two", "three", "=four"])
    with LabelStore.open(campaign.database_url) as labels:
        for object_id, said in grades.items():
            for inspector, grade in zip(("Ana", "Ben", "Cy"), said, strict=True):
                labels.add(a_vote(object_id=object_id, inspector=inspector, grade=grade))
    return campaign


def test_the_command_writes_what_a_team_said(tmp_path, capsys):
    campaign = _graded(tmp_path / "c", {"one": "AAB", "two": "XXC", "three": "AXC", "=four": "BBB"})
    known = tmp_path / "known.csv"
    known.write_text("object_id,class\none,lens\ntwo,spiral\n")
    out = tmp_path / "out"
    words = ["consensus", str(campaign.path), "--out", str(out), "--known", str(known), "--resamples", "20"]
    assert main(words) == 0
    table = csv.read_csv(out / "consensus.csv").to_pydict()
    assert dict(zip(table["object_id"], table["grade"], strict=True)) == {
        "one": "A",
        "two": "X",
        "three": "C",
        "=four": "B",
    }
    assert table["swap_p_lens"][0] > table["swap_p_lens"][1]
    record = json.loads((out / "agreement.json").read_text())
    assert set(record["inspectors"]) == {"Ana", "Ben", "Cy"}
    assert record["krippendorff_alpha_ordinal"]["value"] == pytest.approx(
        krippendorff_alpha([[0, 0, 1, 2], [2, 1, 0, 0], [1, 1, 0, 1], [0, 0, 3, 0]])
    )
    assert "3 inspectors, 12 grades of 4 objects" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,class\none,lens\n", "has no column object_id"),
        ("object_id,class\none,lens\n", "of one kind only"),
    ],
)
def test_known_objects_that_teach_nothing_are_refused(tmp_path, capsys, text, reason):
    campaign = _graded(tmp_path / "c", {"one": "AAB"})
    known = tmp_path / "known.csv"
    known.write_text(text)
    assert main(["consensus", str(campaign.path), "--out", str(tmp_path / "o"), "--known", str(known)]) == 1
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_campaign_without_grades_says_so(tmp_path, capsys):
    campaign = filled_campaign(tmp_path / "c", ["one"])
    assert main(["consensus", str(campaign.path), "--out", str(tmp_path / "o")]) == 1
    assert "no grades yet" in capsys.readouterr().err
