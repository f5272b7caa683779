"""Whole numbers on the command line."""

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole_from(least: int, most: int | None = None) -> Callable[[str], int]:
    """What reads a whole number from `least` to `most`, as the `type` of an argument."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise ArgumentTypeError(f"{text} is below {least}; expected a whole number from {least}")
        if most is not None and value > most:
            raise ArgumentTypeError(f"{text} is above {most}; expected a whole number from {least}")
        return value

    return number
