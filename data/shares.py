"""A share of a number of objects, and how sure it is. Pure."""

import math
from dataclasses import dataclass

Interval = tuple[float, float]

LEVEL = 0.95
Z = 1.959963984540054  # of a Gaussian, for LEVEL


@dataclass(frozen=True)
class Share:
    """Some of a number of objects."""

    number: int
    of: int

    @property
    def value(self) -> float:
        """NaN of none."""
        return self.number / self.of if self.of else float("nan")

    @property
    def interval(self) -> Interval:
        """95 %, Wilson's."""
        return wilson(self.number, self.of)


def wilson(successes: int, trials: int) -> Interval:
    """95 % interval of a share; not of zero width where all or none succeed (Wilson 1927, JASA 22, 209).

    >>> [round(bound, 3) for bound in wilson(5, 5)]
    [0.566, 1.0]
    """
    if not trials:
        return float("nan"), float("nan")
    share, z2 = successes / trials, Z**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)
