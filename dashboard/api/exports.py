"""The vetted catalogue as a file, in every format that `lensvet export` writes."""

import re
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from dashboard.errors import BadRequestError
from dashboard.identity import CurrentSession
from dashboard.session import Session
from data.selections import selected_ids

router = APIRouter()


@router.get("/export.{format}", response_class=FileResponse)
def get_export(
    session: CurrentSession,
    format: str,
    preset: str | None = None,
    votes: bool = False,
    spreadsheet: bool = False,
    selection: Annotated[str, Query(max_length=40)] = "",
) -> FileResponse:
    """One row per object, or per vote; in a blind-first campaign, only objects that were revealed to you.

    selection : the id of one, whose objects alone are wanted.
    """
    # astropy takes half a second to import; the first page should not wait for it.
    from data.exports import FORMATS, export

    if f".{format}" not in FORMATS:
        raise BadRequestError(
            f"format is {format!r:.40}; expected one of {', '.join(f[1:] for f in FORMATS)}"
        )
    folder = tempfile.TemporaryDirectory(prefix="lensvet-export-")
    path = (
        Path(folder.name) / f"{_file_stem(session.state.campaign.title)}{'-votes' if votes else ''}.{format}"
    )
    try:
        export(
            session.state.campaign,
            session.state.labels,
            path,
            preset=preset,
            votes=votes,
            spreadsheet=spreadsheet,
            object_ids=_wanted(session, selection),
        )
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        path,
        filename=path.name,
        media_type="application/octet-stream",
        headers={"Cache-Control": "no-store"},
        background=BackgroundTask(folder.cleanup),
    )


def _wanted(session: Session, selection: str) -> set[str] | None:
    """The ids of what may be exported and is selected; None for all."""
    allowed = session.exportable_ids()
    if not selection:
        return None if allowed is None else set(allowed)
    _, selected = selected_ids(session.state.campaign.selections_path, selection)
    return set(selected) if allowed is None else set(selected) & set(allowed)


def _file_stem(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:60] or "campaign"
