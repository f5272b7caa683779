"""`metrics.json`: a comparison as numbers for other programs. A figure without meaning is null."""

import math
from collections.abc import Iterable, Mapping

from data.shares import Interval, Share
from lensmodel.evaluation.agreement_figures import Separation, agreement_figures
from lensmodel.evaluation.breakdowns import CATEGORIES, QUANTITIES
from lensmodel.evaluation.comparison import Comparison, ModelReport
from lensmodel.evaluation.figures import ERROR_PERCENTS, GroupFigures, Judged, ModelFigures, Placement
from lensmodel.evaluation.metrics import expected_calibration_error
from lensmodel.evaluation.thresholds import AtThreshold, Passed

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
        "at_thresholds": [_threshold_record(found) for found in comparison.at_thresholds],
    }


def figures_record(measured: ModelFigures) -> Record:
    """Figures, their intervals, and the breakdowns."""
    lenses = [found for found in measured.by_subtype if found.group.is_lens]
    others = [found for found in measured.by_subtype if not found.group.is_lens]
    return {
        **_nested(measured.figures),
        "calibration": _calibration_record(measured.judged),
        "twins": {
            "pairs": measured.twins.of,
            "lens_above": measured.twins.number,
            "share": _number(measured.twins.value),
            "interval": _bounds(measured.twins.interval),
        },
        "placement": _placement_record(measured.placement),
        "where_why": _agreement_record(measured.judged),
        "intervals": {name: _bounds(interval) for name, interval in measured.intervals.items()},
        "recall_at_fpr_1pct_by_subtype": {found.group.name: _number(found.found.value) for found in lenses},
        "passing_at_fpr_1pct_by_subtype": {found.group.name: _number(found.found.value) for found in others},
        "by_subtype": {found.group.name: _group_record(found) for found in measured.by_subtype},
        "by_quantity": {
            name: {
                "title": QUANTITIES[name].title,
                "unit": QUANTITIES[name].unit,
                "bins": [
                    {
                        "low": found.group.low,
                        "high": found.group.high,
                        "median": found.group.middle,
                        **_group_record(found),
                    }
                    for found in bins
                ],
            }
            for name, bins in measured.against.items()
            if name in QUANTITIES
        },
        "by_category": {
            name: {found.group.name: _group_record(found) for found in kinds}
            for name, kinds in measured.against.items()
            if name in CATEGORIES
        },
    }


def _model_record(report: ModelReport) -> Record:
    return {
        "version": report.card.version,
        "prior": report.card.prior,
        "objects": {
            **_counts(report.own.judged.truth.is_lens),
            "refused": sum(report.reasons.values()),
            "reasons": dict(report.reasons.most_common()),
        },
        **figures_record(report.own),
    }


def _calibration_record(judged: Judged) -> Record:
    """At which share of lenses `ece` compares, and the error of p_lens as stated, at the model's prior."""
    as_stated = expected_calibration_error(judged.p_lens, judged.truth.is_lens)
    return {
        "prior": judged.prior,
        "share_of_lenses": _number(judged.share_of_lenses),
        "is_converted": judged.prior is not None,
        "ece_as_stated": _number(as_stated),
    }


def _placement_record(placement: Placement) -> Record:
    return {
        "right_galaxy": _share_record(placement.right_galaxy),
        "right_galaxy_of_found": _share_record(placement.right_galaxy_found),
        "right_or_as_bright": _share_record(placement.right_or_as_bright),
        "within_half_theta_E_of_found": _share_record(placement.within_half_theta_E),
    }


def _agreement_record(judged: Judged) -> Record:
    """How often a response to a lens at its place has a higher where_why than another response."""
    found = agreement_figures(judged)
    return {
        "right_above_elsewhere": _separation_record(found.elsewhere),
        "right_above_nonlens": _separation_record(found.nonlenses),
    }


def _separation_record(found: Separation) -> Record:
    return {
        "share": _number(found.share),
        "interval": _bounds(found.interval),
        "right": found.above,
        "others": found.below,
    }


def _threshold_record(found: AtThreshold) -> Record:
    """One model at its threshold, and all on the common set at its false-positive rate."""
    return {
        "model": found.model,
        "p_lens": found.p_lens,
        **_passed_record(found.own),
        "at_same_false_positive_rate": {
            name: _passed_record(passed) for name, passed in found.common.items()
        },
    }


def _passed_record(passed: Passed) -> Record:
    return {
        "recall": _share_record(passed.lenses),
        "false_positive_rate": _share_record(passed.nonlenses),
        "recall_by_subtype": _share_records(passed.lenses_by_subtype),
        "false_positive_rate_by_subtype": _share_records(passed.nonlenses_by_subtype),
    }


def _group_record(found: GroupFigures) -> Record:
    """Lenses of a group against all non-lenses, or the other way round."""
    share = "recall_at_fpr_1pct" if found.group.is_lens else "false_positive_rate_at_fpr_1pct"
    own = _nested(found.figures) if found.group.is_lens else {"auroc": _number(found.figures["auroc"])}
    errors = {
        "position_error_arcsec_intervals": {
            part: _bounds(interval) for part, interval in found.error_intervals.items()
        }
    }
    return {
        "class": "lens" if found.group.is_lens else "nonlens",
        "objects": found.group.objects,
        **own,
        **(errors if found.group.is_lens else {}),
        share: _number(found.found.value),
        f"{share}_interval": _bounds(found.found_interval),
        f"{share}_binomial_interval": _bounds(found.found.interval),
    }


def _nested(figures: dict[str, float]) -> Record:
    """Position errors in a record of their own; the rest as they are."""
    errors = {part: _number(figures[f"position_error_{part}_arcsec"]) for part in ERROR_PERCENTS}
    plain = {name: _number(value) for name, value in figures.items() if "position_error" not in name}
    return {**plain, "position_error_arcsec": errors}


def _share_records(shares: Mapping[str, Share]) -> Record:
    return {name: _share_record(share) for name, share in shares.items()}


def _share_record(share: Share) -> Record:
    return {
        "share": _number(share.value),
        "number": share.number,
        "of": share.of,
        "interval": _bounds(share.interval),
    }


def _bounds(interval: Interval) -> list[float | None]:
    return [_number(bound) for bound in interval]


def _counts(is_lens: Iterable[bool]) -> Record:
    lenses = [bool(lens) for lens in is_lens]
    return {"total": len(lenses), "lenses": sum(lenses), "nonlenses": len(lenses) - sum(lenses)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
