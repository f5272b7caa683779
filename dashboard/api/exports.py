"""The vetted catalogue as a file, in every format that `lensvet export` writes."""

import re
import tempfile
from pathlib import Path

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from dashboard.errors import BadRequestError
from dashboard.identity import CurrentSession

router = APIRouter()


@router.get("/export.{format}", response_class=FileResponse)
def get_export(
    session: CurrentSession,
    format: str,
    preset: str | None = None,
    votes: bool = False,
    spreadsheet: bool = False,
) -> FileResponse:
    """One row per object, or per vote; in a blind-first campaign, only objects that were revealed to you."""
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
            object_ids=session.exportable_ids(),
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


def _file_stem(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:60] or "campaign"
