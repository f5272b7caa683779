"""Several models on the same objects: what each scored and refused, its figures, and those on what all scored."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from data.campaign import Campaign
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.figures import Judged, ModelFigures, evaluate
from lensmodel.evaluation.metrics import Claims, Numbers
from lensmodel.evaluation.thresholds import AtThreshold, at_threshold
from lensmodel.evaluation.truth import Truth
from lensmodel.models import ModelCard

_COLUMNS = ("logit", "p_lens", "x_arcsec", "y_arcsec", "position_sigma_arcsec", "where_why")

_NO_NUMBER = "the score is not a number"


@dataclass(frozen=True)
class Answers:
    """What a model said of all objects of a truth: (object,), NaN where it has no answer.

    reasons : why objects were refused, and how many for each; those without any row are not among them.
    """

    columns: dict[str, Numbers]
    reasons: Counter[str]

    @property
    def is_scored(self) -> Claims:
        """Which objects have a score: a logit and a probability that are numbers."""
        scored: Claims = np.isfinite(self.columns["logit"]) & np.isfinite(self.columns["p_lens"])
        return scored


@dataclass(frozen=True)
class ModelReport:
    """One model of a comparison, called as the user called it.

    own : on all that it scored. common : on what all models scored that scored anything.
    """

    name: str
    card: ModelCard
    reasons: Counter[str]
    own: ModelFigures
    common: ModelFigures

    @property
    def scored(self) -> int:
        return len(self.own.judged)


@dataclass(frozen=True)
class Comparison:
    """Models on the objects of one campaign.

    common : how many objects are in the common set. detectable_only : lenses of undetectable arcs are left out.
    at_thresholds : one for each threshold that was asked for and whose model scored anything.
    """

    title: str
    truth: Truth
    models: list[ModelReport]
    common: int
    resamples: int
    seed: int
    detectable_only: bool = False
    at_thresholds: tuple[AtThreshold, ...] = ()

    @property
    def compared(self) -> list[str]:
        """Names of the models that scored anything: the common set is theirs."""
        return [report.name for report in self.models if report.scored]


def compare(
    campaign: Campaign,
    truth: Truth,
    cards: Mapping[str, ModelCard],
    *,
    resamples: int = 1000,
    seed: int = 1,
    detectable_only: bool = False,
    thresholds: Sequence[tuple[str, float]] = (),
) -> Comparison:
    """Measure models on the scores that they have in this campaign; `cards` by the names to call them.

    thresholds : name of a model and its threshold in p_lens.

    Raises
    ------
    EvaluationError
        If a threshold is for a model that is not among them.
    """
    check_thresholds(thresholds, cards)
    answers = {name: answers_of(campaign, card.version, truth) for name, card in cards.items()}
    common = common_rows([found.is_scored for found in answers.values()])
    reports = []
    for name, found in answers.items():
        everything = _judged(truth, found, cards[name])
        own = evaluate(everything.take(found.is_scored), resamples=resamples, seed=seed)
        is_same = np.array_equal(common, found.is_scored)
        shared = common & found.is_scored
        on_common = own if is_same else evaluate(everything.take(shared), resamples=resamples, seed=seed)
        reports.append(ModelReport(name, cards[name], found.reasons, own, on_common))
    scored = {report.name: report for report in reports if report.scored}
    return Comparison(
        title=campaign.title,
        truth=truth,
        models=reports,
        common=int(common.sum()),
        resamples=resamples,
        seed=seed,
        detectable_only=detectable_only,
        at_thresholds=tuple(
            at_threshold(
                name,
                p_lens,
                scored[name].own.judged,
                {other: report.common.judged for other, report in scored.items()},
            )
            for name, p_lens in thresholds
            if name in scored
        ),
    )


def check_thresholds(thresholds: Sequence[tuple[str, float]], names: Iterable[str]) -> None:
    """Refuse a threshold for a model that is not compared.

    Raises
    ------
    EvaluationError
    """
    compared = list(names)
    for name, _ in thresholds:
        if name not in compared:
            raise EvaluationError(
                f"a threshold is given for {name}, which is not among the models compared ({', '.join(compared)}): "
                f"add --model {name}"
            )


def common_rows(scored: Sequence[Claims]) -> Claims:
    """Objects scored by every model that scored anything: several (object,) -> (object,)."""
    some = [rows for rows in scored if rows.any()]
    everywhere: Claims = np.logical_and.reduce(some) if some else np.zeros_like(scored[0])
    return everywhere


def answers_of(campaign: Campaign, model_version: str, truth: Truth) -> Answers:
    """The scores of a model version on the objects of the truth, as they are on disk."""
    row_of = {object_id: row for row, object_id in enumerate(truth.object_ids.tolist())}
    columns = {name: np.full(len(truth), np.nan) for name in _COLUMNS}
    reasons: Counter[str] = Counter()
    for part in campaign.score_parts(model_version):
        table = pq.read_table(part, columns=["object_id", "reason", *_COLUMNS], partitioning=None)
        rows = np.array([row_of.get(object_id, -1) for object_id in table["object_id"].to_pylist()], np.int64)
        here = rows >= 0
        for name, values in columns.items():
            values[rows[here]] = table[name].to_numpy().astype(float)[here]
        told = table["reason"].to_pylist()
        has_number = np.logical_and.reduce(
            [np.isfinite(table[name].to_numpy().astype(float)) for name in ("logit", "p_lens")]
        )
        reasons.update(told[index] or _NO_NUMBER for index in np.flatnonzero(here & ~has_number))
    return Answers(columns, reasons)


def _judged(truth: Truth, answers: Answers, card: ModelCard) -> Judged:
    found = answers.columns
    return Judged(
        truth=truth,
        logit=found["logit"],
        p_lens=found["p_lens"],
        x_arcsec=found["x_arcsec"],
        y_arcsec=found["y_arcsec"],
        sigma_arcsec=found["position_sigma_arcsec"],
        where_why=found["where_why"],
        prior=card.prior,
    )
