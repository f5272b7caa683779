"""`metrics.json`: a comparison as numbers for other programs. A figure without meaning is null."""

import math
from collections.abc import Iterable

from lensmodel.evaluation.breakdowns import QUANTITIES
from lensmodel.evaluation.comparison import Comparison, ModelReport
from lensmodel.evaluation.figures import GroupFigures, ModelFigures

Record = dict[str, object]


def record_of(comparison: Comparison) -> Record:
    """The whole of `metrics.json`; figures of each model on what it scored, under `common_set` on what all scored."""
    truth = comparison.truth
    return {
        "campaign": comparison.title,
        "objects": _counts(truth.is_lens),
        "detectable_lenses_only": comparison.detectable_only,
        "intervals": {"level": 0.95, "resamples": comparison.resamples, "seed": comparison.seed},
        "models": {report.name: _model_record(report) for report in comparison.models},
        "common_set": {
            "models_in_common": comparison.compared,
            "objects": comparison.common,
            "models": {report.name: figures_record(report.common) for report in comparison.models},
        },
    }


def figures_record(measured: ModelFigures) -> Record:
    """Figures, their intervals, and the breakdowns."""
    lenses = [found for found in measured.by_subtype if found.group.is_lens]
    twins = measured.twins
    return {
        **_nested(measured.figures),
        "twins": {
            "pairs": twins.pairs,
            "lens_above": twins.above,
            "share": _number(twins.share),
            "interval": [_number(bound) for bound in twins.interval],
        },
        "intervals": {
            name: [_number(low), _number(high)] for name, (low, high) in measured.intervals.items()
        },
        "recall_at_fpr_1pct_by_subtype": {found.group.name: _number(found.share_found) for found in lenses},
        "by_subtype": {found.group.name: _group_record(found) for found in measured.by_subtype},
        "by_quantity": {
            name: {
                "title": QUANTITIES[name].title,
                "unit": QUANTITIES[name].unit,
                "bins": [
                    {"low": found.group.low, "high": found.group.high, **_group_record(found)}
                    for found in bins
                ],
            }
            for name, bins in measured.against.items()
        },
    }


def _model_record(report: ModelReport) -> Record:
    return {
        "version": report.card.version,
        "objects": {
            **_counts(report.own.judged.truth.is_lens),
            "refused": sum(report.reasons.values()),
            "reasons": dict(report.reasons.most_common()),
        },
        **figures_record(report.own),
    }


def _group_record(found: GroupFigures) -> Record:
    """Lenses of a group against all non-lenses, or the other way round."""
    share = "recall_at_fpr_1pct" if found.group.is_lens else "false_positive_rate_at_fpr_1pct"
    own = _nested(found.figures) if found.group.is_lens else {"auroc": _number(found.figures["auroc"])}
    return {
        "class": "lens" if found.group.is_lens else "nonlens",
        "objects": found.objects,
        **own,
        share: _number(found.share_found),
        f"{share}_interval": [_number(bound) for bound in found.share_found_interval],
    }


def _nested(figures: dict[str, float]) -> Record:
    """Position errors in a record of their own; the rest as they are."""
    errors = {part: _number(figures[f"position_error_{part}_arcsec"]) for part in ("median", "p68", "p95")}
    plain = {name: _number(value) for name, value in figures.items() if "position_error" not in name}
    return {**plain, "position_error_arcsec": errors}


def _counts(is_lens: Iterable[bool]) -> Record:
    lenses = [bool(lens) for lens in is_lens]
    return {"total": len(lenses), "lenses": sum(lenses), "nonlenses": len(lenses) - sum(lenses)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
