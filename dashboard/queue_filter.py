"""Which candidates a filter or a selection lets through, and whether somebody may ask that before the grade."""

import numpy as np
from numpy.typing import NDArray

from dashboard import blindness
from dashboard.errors import WithheldError
from dashboard.live_catalogue import Catalogue
from dashboard.session import Session
from data.crossmatch import DUPLICATES, HINTS
from data.filters import Condition, checked, columns_of, parsed
from data.selections import selected_ids
from data.survey_table import OBJECT_COLUMNS, VOTE_COLUMNS, kinds_with_votes

_OF_VOTES = set(VOTE_COLUMNS)


def matching(
    session: Session, catalogue: Catalogue, model_version: str | None, text: str
) -> NDArray[np.bool_]:
    """For each catalogue row, whether it meets the filter.

    Raises
    ------
    FilterError
        If the filter is not understood.
    WithheldError
        If it would tell what is withheld.
    """
    state = session.state
    table = state.table.now(model_version)
    condition = checked(parsed(text), kinds_with_votes(table))
    check_withheld(session, condition)
    votes = state.table.votes() if columns_of(condition) & _OF_VOTES else None
    rows = table.rows(condition, votes)
    met = np.zeros(len(catalogue), bool)
    met[rows[rows < len(catalogue)]] = True
    return met


def selected(session: Session, catalogue: Catalogue, selection_id: str) -> NDArray[np.bool_]:
    """For each catalogue row, whether it is in the selection.

    Raises
    ------
    FilterError
        If there is no such selection.
    WithheldError
        If a selection would tell what is withheld.
    """
    if session.is_blind:
        raise WithheldError("a selection may have been made by score: it comes after your blind grades")
    _, object_ids = selected_ids(session.state.campaign.selections_path, selection_id)
    rows = catalogue.table.row_numbers(object_ids)
    met = np.zeros(len(catalogue), bool)
    met[rows[rows >= 0]] = True
    return met


def check_withheld(session: Session, condition: Condition, *, truth: bool = False) -> None:
    """Refuse a condition on what this inspector may not know before grading. truth : may be told.

    Raises
    ------
    WithheldError
    """
    # A setting that shows a column of the survey's own does not mean ours of that name.
    shown = set(session.state.campaign.shown_columns) - set(HINTS)
    allowed = (*OBJECT_COLUMNS, *DUPLICATES, *shown)
    for name in columns_of(condition):
        if blindness.is_truth(name) and not (truth and not session.is_blind):
            raise WithheldError(f"{name} tells what an object really is, which comes after your grade")
        if session.is_blind and name not in allowed and not blindness.is_measured(name):
            raise WithheldError(f"{name} comes after your blind grade: filter by what was measured")
