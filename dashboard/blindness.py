"""What an inspector may know before grading. Pure; `dashboard.session` asks here for every route.

Truth (of simulated or known objects) comes after the inspector's own grade, whatever the campaign's policy.
Verdicts, of a network or of people, wait for the blind grade in campaigns with `reveal = "after-grade"`, also
where a catalogue carries them as a column.
"""

import re
from collections.abc import Mapping

TRUTH_COLUMNS = ("class", "subtype", "theta_E_arcsec", "lens_x_arcsec", "lens_y_arcsec")
TRUTH_PREFIX = "sim_"
# Names of files are among them: folders are called `lenses` and `contaminants`.
_VERDICT_WORDS = re.compile(
    r"(?:^|_)(?:grade|score|scores|votes?|rank|verdict|label|is_lens|lens|p_lens|prob|probability|logit|"
    r"notes?|comments?|prediction|expert|cnn|classification|"
    r"file|filename|path|folder)(?:_|\d|$)",
    re.IGNORECASE,
)


def is_truth(column: str) -> bool:
    """Whether a catalogue column tells what the object really is."""
    return column in TRUTH_COLUMNS or column.startswith(TRUTH_PREFIX)


def is_verdict(column: str) -> bool:
    """Whether a catalogue column, by its name, may tell what a network or a person concluded.

    >>> is_verdict("expert_score"), is_verdict("mag_vis")
    (True, False)
    """
    return _VERDICT_WORDS.search(column) is not None


def truth_of(columns: Mapping[str, object]) -> dict[str, object]:
    """The truth columns that have a value."""
    return {name: value for name, value in columns.items() if is_truth(name) and value is not None}


def shown_columns(columns: Mapping[str, object], *, withheld: bool) -> dict[str, object]:
    """The catalogue columns that may be shown: never truth, and no verdict while verdicts are withheld."""
    return {
        name: value
        for name, value in columns.items()
        if value is not None and not is_truth(name) and not (withheld and is_verdict(name))
    }
