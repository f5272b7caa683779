"""Opening a group session: which objects a lead's selection means, and which known ones are mixed in."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dashboard.errors import BadRequestError
from dashboard.queue_order import p_lens_of
from dashboard.session import Session
from data.inspection import mixed, settings_from
from data.inspection_store import Inspection
from data.selections import selected_ids

CLASSES = {"lens": True, "nonlens": False}


def open_inspection(session: Session, values: Mapping[str, Any]) -> Inspection:
    """Open a session of `settings`, a `selection`, and perhaps `known` objects and their `known_share`.

    selection : {"ids": [...]}, {"all": true}, {"selection": ID} of one that was kept, or
    {"model": NAME, "p_lens_from": 0.5, "p_lens_to": 1, "limit": 1000}.
    known : {object_id: "lens" or "nonlens"}, or "catalogue" for all of known class that are not in the selection.

    Raises
    ------
    InspectionError, BadRequestError
    """
    settings = settings_from(_mapping(values, "settings"))
    if session.state.signing_in is not None:
        accounts = {person.account: person.name for person in session.state.people.everybody()}
        strangers = [member for member in settings.members if member not in accounts]
        if strangers:
            raise BadRequestError(f"nobody here is called {strangers[0]!r:.80}: invite them on /admin first")
    targets = _targets(session, _mapping(values, "selection"))
    known = _known(session, values.get("known", {}), set(targets))
    share = values.get("known_share", 0)
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
        raise BadRequestError(f"known_share is {share!r:.40}; expected a share from 0 to 1")
    # What is shown as an example is graded already.
    shown = {object_id for _, object_id in settings.examples}
    targets = [object_id for object_id in targets if object_id not in shown]
    known = {object_id: kind for object_id, kind in known.items() if object_id not in shown}
    items = mixed(targets, known, known_share=share, seed=settings.seed)
    unknown = [object_id for _, object_id in settings.examples if not _is_there(session, object_id)]
    if unknown:
        raise BadRequestError(f"example {unknown[0]!r:.80} is no object of this campaign")
    opened = session.state.inspections.store.open(settings, items, by=session.inspector)
    session.state.inspections.changed()
    return opened


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name, {})
    if not isinstance(found, Mapping):
        raise BadRequestError(f"{name} is {found!r:.40}; expected an object")
    return found


def _targets(session: Session, selection: Mapping[str, Any]) -> list[str]:
    catalogue = session.state.catalogue.now()
    ids = catalogue.table.id_column
    if selection.get("all") is True:
        return list(ids.to_pylist())
    if "selection" in selection:
        _, kept = selected_ids(session.state.campaign.selections_path, str(selection["selection"])[:40])
        rows = catalogue.table.row_numbers(kept)
        return [object_id for object_id, row in zip(kept, rows, strict=True) if row >= 0]
    if "ids" in selection:
        given = selection["ids"]
        if not isinstance(given, list) or not all(isinstance(entry, str) for entry in given):
            raise BadRequestError("selection.ids is not a list of ids")
        missing = [entry for entry in given if not _is_there(session, entry)]
        if missing:
            raise BadRequestError(
                f"{len(missing)} of {len(given)} ids are not in this campaign, such as {missing[0]!r:.80}"
            )
        return list(given)
    return _by_score(session, selection)


def _by_score(session: Session, selection: Mapping[str, Any]) -> list[str]:
    state = session.state
    catalogue = state.catalogue.now()
    versions = state.scored_versions()
    wanted = selection.get("model")
    found = [one for one in versions if wanted in (None, one, state.name_of(one))]
    if not found:
        raise BadRequestError(
            f"selection.model is {wanted!r:.80}; scores here are by {', '.join(versions) or 'none'}"
        )
    p_lens = p_lens_of(state.scores.columns(found[0], catalogue))
    least, most, limit = (
        selection.get(n, d) for n, d in (("p_lens_from", 0), ("p_lens_to", 1), ("limit", 10**9))
    )
    if not all(isinstance(value, int | float) for value in (least, most, limit)):
        raise BadRequestError("selection has a p_lens_from, p_lens_to or limit that is no number")
    rows = np.flatnonzero((p_lens >= least) & (p_lens <= most))
    rows = rows[np.argsort(-p_lens[rows], kind="stable")][: int(limit)]
    return [object_id for object_id, _ in catalogue.listed(rows)]


def _known(session: Session, given: object, targets: set[str]) -> dict[str, bool]:
    if given == "catalogue":
        table = session.state.catalogue.now().table.table
        if "class" not in table.column_names:
            raise BadRequestError("the catalogue has no column class: give known objects by id")
        pairs = zip(table["object_id"].to_pylist(), table["class"].to_pylist(), strict=True)
        return {i: CLASSES[c] for i, c in pairs if c in CLASSES and i not in targets}
    if not isinstance(given, Mapping):
        raise BadRequestError("known is neither `catalogue` nor classes by object id")
    for object_id, kind in given.items():
        if kind not in CLASSES:
            raise BadRequestError(f"known has {kind!r:.40} for {object_id!r:.80}; expected lens or nonlens")
        if not _is_there(session, object_id):
            raise BadRequestError(f"known {object_id!r:.80} is no object of this campaign")
    return {object_id: CLASSES[kind] for object_id, kind in given.items()}


def _is_there(session: Session, object_id: str) -> bool:
    return session.state.catalogue.now().table.get(object_id) is not None
