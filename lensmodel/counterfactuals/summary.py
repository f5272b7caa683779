"""Counterfactuals as figures: by how much the logit falls in the median, and all of it as a record for JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lensmodel.counterfactuals.subjects import Subject
from lensmodel.counterfactuals.verdicts import (
    ARCS_ERASED,
    CONTROL_ERASED,
    VARIANTS,
    Counterfactual,
    Judged,
    Verdict,
)


@dataclass(frozen=True)
class MedianFall:
    """By how much the logit falls in the median over objects; None where nothing was measured. interval : 95 %."""

    objects: int
    median: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Summary:
    """What one network makes of the arcs. *_windows : of each object the median over its windows.

    lenses : objects with arcs that it judged. refused : objects that it did not judge, with arcs or without.
    """

    lenses: int
    refused: int
    arcs: MedianFall
    control: MedianFall
    arcs_windows: MedianFall
    control_windows: MedianFall


def summary_of(found: Sequence[Counterfactual], name: str, *, resamples: int, seed: int) -> Summary:
    """The summary of one network, by its name in `Counterfactual.judged`."""
    judged = [one.judged[name] for one in found]

    def median_of(fall: Callable[[Judged], float | None]) -> MedianFall:
        falls = np.array([value for one in judged if (value := fall(one)) is not None])
        if not len(falls):
            return MedianFall(0, None, None)
        return MedianFall(len(falls), float(np.median(falls)), _interval(falls, resamples, seed))

    return Summary(
        lenses=sum(ARCS_ERASED in one.whole for one in judged),
        refused=sum(one.reason is not None for one in judged),
        arcs=median_of(lambda one: one.fall(ARCS_ERASED)),
        control=median_of(lambda one: one.fall(CONTROL_ERASED)),
        arcs_windows=median_of(lambda one: one.window_fall(ARCS_ERASED)),
        control_windows=median_of(lambda one: one.window_fall(CONTROL_ERASED)),
    )


def _interval(falls: NDArray[np.float64], resamples: int, seed: int) -> tuple[float, float] | None:
    """Of the median: percentiles of bootstrap resamples (Efron & Tibshirani 1993, Sect. 13.3)."""
    if not resamples:
        return None
    rows = np.random.default_rng(seed).integers(0, len(falls), (resamples, len(falls)))
    low, high = np.percentile(np.median(falls[rows], axis=1), [2.5, 97.5])
    return float(low), float(high)


def spread_of(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Lowest, median and highest p_lens and the median logit of some windows."""
    p_lens = [verdict.p_lens for verdict in verdicts]
    return {
        "lowest": min(p_lens),
        "median": float(np.median(p_lens)),
        "highest": max(p_lens),
        "median_logit": float(np.median([verdict.logit for verdict in verdicts])),
    }


def distance_arcsec(subject: Subject, verdict: Verdict) -> float | None:
    """From the lens to the predicted position, None if one of them is not known."""
    if subject.lens_arcsec is None or verdict.x_arcsec is None or verdict.y_arcsec is None:
        return None
    x, y = subject.lens_arcsec
    return float(np.hypot(verdict.x_arcsec - x, verdict.y_arcsec - y))


def record_of(
    found: Sequence[Counterfactual], summaries: Mapping[str, Summary], versions: Mapping[str, str]
) -> dict[str, object]:
    """All of it as plain values. versions : model version by name."""
    return {
        "summaries": {name: {"version": versions[name], **asdict(one)} for name, one in summaries.items()},
        "objects": [_object_record(one) for one in found],
    }


def _object_record(one: Counterfactual) -> dict[str, object]:
    subject = one.subject
    return {
        "object_id": subject.stored.object_id,
        "lens_x_arcsec": None if subject.lens_arcsec is None else subject.lens_arcsec[0],
        "lens_y_arcsec": None if subject.lens_arcsec is None else subject.lens_arcsec[1],
        "arcs_px": None if subject.arcs is None else int(subject.arcs.sum()),
        "control_share": one.control_share,
        "control_turn_deg": one.control_turn_deg,
        "models": {name: _judged_record(subject, judged) for name, judged in one.judged.items()},
    }


def _judged_record(subject: Subject, judged: Judged) -> dict[str, object]:
    if judged.reason is not None:
        return {"reason": judged.reason}
    return {
        "whole": {name: _verdict_record(subject, verdict) for name, verdict in judged.whole.items()},
        "fall": {name: judged.fall(name) for name in VARIANTS[1:]},
        "window_arcsec": judged.window_arcsec,
        "windows": {name: spread_of(verdicts) for name, verdicts in judged.windows.items()},
        "window_fall": {name: judged.window_fall(name) for name in VARIANTS[1:]},
        "shifts": [
            {
                "x_arcsec": x,
                "y_arcsec": y,
                **{name: _verdict_record(subject, verdicts[at]) for name, verdicts in judged.windows.items()},
            }
            for at, (x, y) in enumerate(judged.shifts_arcsec)
        ],
    }


def _verdict_record(subject: Subject, verdict: Verdict) -> dict[str, float | None]:
    return {**asdict(verdict), "distance_arcsec": distance_arcsec(subject, verdict)}
