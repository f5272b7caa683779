"""What passes a threshold in p_lens, and what other models find where as many non-lenses pass."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data.shares import Share
from lensmodel.evaluation.figures import Judged
from lensmodel.evaluation.metrics import Claims, threshold_at
from lensmodel.evaluation.truth import Truth


@dataclass(frozen=True)
class Passed:
    """How many objects pass, of lenses (recall) and of non-lenses (false-positive rate), in all and by subtype."""

    lenses: Share
    nonlenses: Share
    lenses_by_subtype: dict[str, Share]
    nonlenses_by_subtype: dict[str, Share]


@dataclass(frozen=True)
class AtThreshold:
    """One model at a threshold, and all others where no more non-lenses pass than it lets pass.

    own : on all that the model scored. common : it and the others by name, on what all models scored.
    """

    model: str
    p_lens: float
    own: Passed
    common: dict[str, Passed]


def at_threshold(model: str, p_lens: float, own: Judged, common: Mapping[str, Judged]) -> AtThreshold:
    """What has p_lens from the threshold up. own : what the model scored; common : the same objects for all.

    Without non-lenses there is no rate to compare the others at, and they are left out.
    """
    reference = passed(common[model].truth, common[model].p_lens >= p_lens)
    others = {
        name: at_false_positives(judged, reference.nonlenses.number)
        for name, judged in common.items()
        if name != model and reference.nonlenses.of
    }
    return AtThreshold(model, p_lens, passed(own.truth, own.p_lens >= p_lens), {model: reference, **others})


def at_false_positives(judged: Judged, false_positives: int) -> Passed:
    """What scores above the lowest threshold that at most this many non-lenses exceed."""
    lowest = threshold_at(judged.logit, judged.truth.is_lens, false_positives=false_positives)
    return passed(judged.truth, judged.logit > lowest)


def passed(truth: Truth, taken: Claims) -> Passed:
    """Count what was taken: (object,)."""
    lens = truth.is_lens
    return Passed(
        _share(taken, lens),
        _share(taken, ~lens),
        *(
            {
                str(name): _share(taken, of_class & (truth.subtype == name))
                for name in np.unique(truth.subtype[of_class])
            }
            for of_class in (lens, ~lens)
        ),
    )


def _share(taken: Claims, members: Claims) -> Share:
    return Share(int((taken & members).sum()), int(members.sum()))
