"""The REST API under /api/v1: thin routes over `dashboard.session`. Ids in URLs, never paths."""

from fastapi import APIRouter

from dashboard.api import (
    campaign,
    cells,
    exports,
    maps,
    objects,
    people,
    planes,
    queue_pages,
    selections,
    sessions,
    signing_in,
    votes,
    what_if,
)

PREFIX = "/api/v1"


def api_router() -> APIRouter:
    """All routes. The longer paths come first: an object's id may hold anything, also `/planes`."""
    router = APIRouter(prefix=PREFIX)
    for module in (
        signing_in,
        campaign,
        people,
        sessions,
        selections,
        queue_pages,
        cells,
        votes,
        exports,
        what_if,
        planes,
        maps,
        objects,
    ):
        router.include_router(module.router)
    return router
