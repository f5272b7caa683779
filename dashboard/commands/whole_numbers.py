"""Whole numbers on the command line."""

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole_from(least: int) -> Callable[[str], int]:
    """What reads a whole number that is not below `least`, as the `type` of an argument."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise ArgumentTypeError(f"{text} is below {least}; expected a whole number from {least}")
        return value

    return number
