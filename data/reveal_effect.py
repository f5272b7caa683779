"""What people change once scores, maps and others' votes are shown, and towards what. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from data.consensus import POINTS

SAYS_LENS_P = 0.5  # a p_lens above takes the object for a lens


@dataclass(frozen=True)
class RevealedPair:
    """A blind grade, and the second one after the reveal, None if there is none.

    p_lens : what was shown. is_lens : of a known object.
    """

    inspector: str
    blind: str
    revealed: str | None
    p_lens: float | None = None
    is_lens: bool | None = None


@dataclass(frozen=True)
class RevealEffect:
    """Numbers of grades. revised : with a second grade. up, down : changed to a better or a worse one.

    towards_model, from_model : changes towards and away from what the shown p_lens says.
    towards_truth, from_truth : the same of known objects.
    """

    blind: int
    revised: int
    changed: int
    up: int
    down: int
    towards_model: int
    from_model: int
    towards_truth: int
    from_truth: int


def reveal_effect(pairs: Iterable[RevealedPair]) -> RevealEffect:
    """Count the changes."""
    pairs = list(pairs)
    revised = [pair for pair in pairs if pair.revealed is not None]
    steps = [(pair, POINTS[str(pair.revealed)] - POINTS[pair.blind]) for pair in revised]
    by_model = [
        step if pair.p_lens > SAYS_LENS_P else -step for pair, step in steps if pair.p_lens is not None
    ]
    by_truth = [step if pair.is_lens else -step for pair, step in steps if pair.is_lens is not None]
    return RevealEffect(
        blind=len(pairs),
        revised=len(revised),
        changed=sum(step != 0 for _, step in steps),
        up=sum(step > 0 for _, step in steps),
        down=sum(step < 0 for _, step in steps),
        towards_model=sum(step > 0 for step in by_model),
        from_model=sum(step < 0 for step in by_model),
        towards_truth=sum(step > 0 for step in by_truth),
        from_truth=sum(step < 0 for step in by_truth),
    )
