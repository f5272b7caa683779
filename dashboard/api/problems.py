"""Errors as JSON: `{"detail": "one sentence"}` with the status that fits, and no traceback."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dashboard.errors import (
    BadRequestError,
    ForbiddenError,
    MisdirectedError,
    ServeError,
    SignInError,
    TooManyError,
    UnknownMapError,
    UnknownObjectError,
    WithheldError,
)
from data.errors import (
    CampaignError,
    CatalogueError,
    ExportError,
    FilterError,
    InspectionError,
    LensVetError,
    PeopleError,
    StoreError,
    VoteConflictError,
    VoteError,
)
from lensmodel.errors import ExplanationError, ModelError

STATUS: dict[type[LensVetError], int] = {
    UnknownObjectError: 404,
    UnknownMapError: 404,
    WithheldError: 403,
    SignInError: 401,
    ForbiddenError: 403,
    TooManyError: 429,
    PeopleError: 422,
    InspectionError: 422,
    MisdirectedError: 421,
    VoteConflictError: 409,
    VoteError: 422,
    BadRequestError: 422,
    FilterError: 422,
    ExportError: 422,
    ModelError: 422,
    ExplanationError: 422,
    CatalogueError: 500,
    StoreError: 500,
    CampaignError: 500,
    ServeError: 503,
    LensVetError: 500,
}


def status_of(error: LensVetError) -> int:
    """The HTTP status of an error: that of its own class, else of the nearest base."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(status: int, detail: str) -> JSONResponse:
    """One sentence with its status."""
    return JSONResponse({"detail": " ".join(detail.split())}, status_code=status)


def answer_errors_as_json(app: FastAPI) -> None:
    """Let what a route refuses become one sentence; `dashboard.guard` does it for what nobody expected."""

    @app.exception_handler(LensVetError)
    def _ours(_: Request, error: LensVetError) -> JSONResponse:
        return problem(status_of(error), str(error))

    @app.exception_handler(RequestValidationError)
    def _malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "; ".join(_sentence(entry) for entry in error.errors()))

    @app.exception_handler(HTTPException)
    def _refused(_: Request, error: HTTPException) -> JSONResponse:
        # FastAPI's word for a body that is not UTF-8, or nested without end.
        if error.status_code == 400:
            return problem(422, "the body is not JSON that can be read")
        answer = problem(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer


def _sentence(entry: dict[str, object]) -> str:
    location = entry.get("loc", ())
    place = ".".join(str(part) for part in location) if isinstance(location, tuple | list) else ""
    return f"{place}: {entry.get('msg', 'malformed')}"
