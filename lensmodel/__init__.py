"""What the machine thinks: networks, scores and explanations in torch. Draws nothing."""

from typing import NamedTuple


class Progress(NamedTuple):
    """How far long work is: objects done, of those it set out with."""

    done: int
    total: int
