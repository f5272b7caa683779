"""Which role opens what, where people sign in. What is not listed is for admins: a route that is forgotten is shut."""

from collections.abc import Iterator
from dataclasses import dataclass

from data.people import Person

EVERYBODY = None  # also those who have not signed in


@dataclass(frozen=True)
class Rule:
    """What a path and all below it needs. methods : none is all of them. blind : also for those in an open session."""

    path: str
    role: str | None
    methods: tuple[str, ...] = ()
    blind: bool = True

    def covers(self, method: str, path: str) -> bool:
        if self.methods and method not in self.methods:
            return False
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")


_READ = ("GET", "HEAD")
_API = "/api/v1"

# The first that covers a request decides. A web socket has the method GET.
RULES = (
    Rule("/sign-in", EVERYBODY),
    Rule("/join", EVERYBODY),
    Rule(f"{_API}/sign-in", EVERYBODY),
    Rule(f"{_API}/join", EVERYBODY),
    Rule("/assets", EVERYBODY, _READ),
    Rule("/favicon.ico", EVERYBODY, _READ),
    Rule(f"{_API}/people", "admin"),
    Rule(f"{_API}/audit", "admin"),
    Rule("/admin", "admin"),
    Rule("/why", "lead", blind=False),
    Rule("/explore", "lead", blind=False),
    Rule(f"{_API}/selections", "lead", blind=False),
    *(
        Rule(f"{_API}/export.{suffix}", "lead", blind=False)
        for suffix in ("fits", "vot", "ecsv", "csv", "parquet", "reg")
    ),
    # Inside, each route asks for a member or a lead.
    Rule(f"{_API}/sessions", "inspector"),
    *(
        Rule(f"{_API}/{name}", "inspector")
        for name in (
            "health",
            "campaign",
            "me",
            "sign-out",
            "queue",
            "votes",
            "objects",
            "maps",
            "what-if",
            "cells",
        )
    ),
    Rule(f"{_API}/openapi.json", "inspector", _READ),
    Rule("/vet", "inspector"),
    Rule("/mosaic", "inspector"),
    Rule("/group", "inspector"),
    Rule("/static", "inspector", _READ),
)


def rule_for(method: str, path: str) -> Rule:
    """The rule of a request."""
    if path == "/":
        return Rule("/", "inspector", _READ)
    return next((rule for rule in RULES if rule.covers(method, path)), Rule(path, "admin"))


def refusal(rule: Rule, person: Person | None, *, is_blind: bool) -> tuple[int, str] | None:
    """Status and reason where the rule shuts that person out, None where it lets them in."""
    if rule.role is EVERYBODY:
        return None
    if person is None:
        return 401, "sign in first"
    if not person.may(rule.role):
        return 403, f"this needs the role {rule.role}; {person.name} is {person.role}"
    if is_blind and not rule.blind:
        return 403, "you are in a session that is open: this would tell what comes after your blind grade"
    return None


def described() -> Iterator[tuple[str, str]]:
    """Path and role in words, for people to read."""
    for rule in RULES:
        yield f"{' '.join(rule.methods)} {rule.path}".strip(), rule.role or "everybody"
