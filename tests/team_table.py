"""The README's table of a simulated team: what consensus recovers, beside its best inspector.

Printed by `python -m tests.team_table`.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from data.consensus import summarise
from data.dawid_skene import IN_ADVANCE, dawid_skene
from data.ratings import NONE, Ratings
from data.swap import swap
from tests.fixtures.teams import simulated_team

OBJECTS, INSPECTORS, LENS_SHARE = 1_000, 12, 0.01
KNOWN = 50  # of each kind, mixed in beside the objects
SEEDS = range(50)
Scores = NDArray[np.float64]
Rule = Callable[[Ratings, dict[str, bool]], Scores]


def average_precision(scores: Scores, is_lens: NDArray[np.bool_], seed: int = 0) -> float:
    """Mean purity at each lens as one goes down the list; ties are broken at random."""
    order = np.lexsort((np.random.default_rng(seed).random(len(scores)), -scores))
    hits = is_lens[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def recall_at(scores: Scores, is_lens: NDArray[np.bool_], number: int, seed: int = 0) -> float:
    """Share of the lenses among the first so many."""
    order = np.lexsort((np.random.default_rng(seed).random(len(scores)), -scores))
    return float(is_lens[order][:number].sum() / is_lens.sum())


def mean_grade(ratings: Ratings, known: dict[str, bool]) -> Scores:
    """By the mean of all grades."""
    return np.nan_to_num(summarise(ratings.counts[:, ::-1]).mean, nan=-1.0)


def by_dawid_skene(ratings: Ratings, known: dict[str, bool]) -> Scores:
    """By the expected grade of Dawid and Skene."""
    return dawid_skene(ratings, smoothing=IN_ADVANCE, tolerance=1e-7).mean


def by_swap(ratings: Ratings, known: dict[str, bool]) -> Scores:
    """By the probability of SWAP, with skills from the known objects."""
    return swap(ratings, known, prior=LENS_SHARE).p_lens


RULES: dict[str, Rule] = {"mean grade": mean_grade, "Dawid-Skene": by_dawid_skene, "SWAP": by_swap}


def one_session(seed: int, quorum: int | None) -> dict[str, tuple[float, float]]:
    """Average precision and recall at 10 by each rule, and of the best and the median inspector, who saw all."""
    lens_share = (LENS_SHARE * OBJECTS + KNOWN) / (OBJECTS + 2 * KNOWN)
    ratings, is_lens = simulated_team(
        objects=OBJECTS + 2 * KNOWN, inspectors=INSPECTORS, share=lens_share, seed=seed
    )
    rng = np.random.default_rng(seed)
    is_known = np.zeros(len(is_lens), bool)
    is_known[rng.permutation(np.flatnonzero(is_lens))[:KNOWN]] = True
    is_known[rng.permutation(np.flatnonzero(~is_lens))[:KNOWN]] = True
    known = {ratings.object_ids[n]: bool(is_lens[n]) for n in np.flatnonzero(is_known)}
    seen = ratings if quorum is None else _of_quorum(ratings, is_known, quorum, rng)
    truth = is_lens[~is_known]

    def figures(scores: Scores) -> tuple[float, float]:
        return average_precision(scores[~is_known], truth, seed), recall_at(
            scores[~is_known], truth, 10, seed
        )

    found = {name: figures(rule(seen, known)) for name, rule in RULES.items()}
    alone = sorted(figures(ratings.points[:, n].astype(float)) for n in range(INSPECTORS))
    return found | {"best inspector alone": alone[-1], "median inspector alone": alone[INSPECTORS // 2]}


def _of_quorum(
    ratings: Ratings, is_known: NDArray[np.bool_], quorum: int, rng: np.random.Generator
) -> Ratings:
    """As many random inspectors for each object; all for the known ones."""
    draws = rng.random(ratings.points.shape).argsort(axis=1).argsort(axis=1)
    points = np.where((draws < quorum) | is_known[:, np.newaxis], ratings.points, NONE).astype(np.int8)
    return Ratings(ratings.object_ids, ratings.inspectors, points)


def table_lines(seeds: range = SEEDS) -> Iterator[str]:
    """The table in Markdown: mean and standard deviation over sessions."""
    sessions = {quorum: [one_session(seed, quorum) for seed in seeds] for quorum in (None, 6)}
    yield "| | all 12, average precision | recall at 10 | 6 each, average precision | recall at 10 |"
    yield "|---|---|---|---|---|"
    for name in sessions[None][0]:
        cells = [
            f"{np.mean(values):.2f} ± {np.std(values):.2f}"
            for quorum in (None, 6)
            for values in np.transpose([session[name] for session in sessions[quorum]])
        ]
        yield f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    print(*table_lines(), sep="\n")
