"""What is selected on a page or by a script is kept, to be vetted or opened as a session."""

import numpy as np

from dashboard.state import ServerState
from data.filters import columns_of, parsed
from data.selections import LARGEST, Selection, keep_selection, sample_of
from data.survey_table import VOTE_COLUMNS

TITLE_LIMIT = 200


def keep(
    state: ServerState,
    text: str,
    *,
    model_version: str | None,
    by: str,
    number: int | None = None,
    seed: int | None = None,
    title: str = "",
) -> Selection:
    """Keep the objects that a filter lets through, the most lens-like first.

    number : of them at most, None for all. seed : draw that number at random.

    Raises
    ------
    FilterError
        If the filter is not understood, or it lets through nothing or too much.
    """
    table = state.table.now(model_version)
    condition = parsed(text)
    votes = state.table.votes() if columns_of(condition) & set(VOTE_COLUMNS) else None
    total = table.count(condition, votes)
    taken = total if number is None else min(number, total)
    limit = min(total, LARGEST + 1) if seed is not None else min(taken, LARGEST + 1)
    ids = table.page(condition, votes, limit=limit, columns=("object_id",))["object_id"].to_numpy()
    if seed is not None:
        ids = ids[sample_of(len(ids), taken, seed)]
    return keep_selection(
        state.campaign.selections_path,
        np.asarray(ids, object).tolist(),
        title=title[:TITLE_LIMIT] or text[:TITLE_LIMIT] or "everything",
        condition=text,
        drawn_from=total,
        seed=seed,
        model_version=model_version,
        by=by,
    )
