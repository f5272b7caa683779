"""The commands of `lensvet`, one module each. They import what they need when they run: help is instant."""

from argparse import ArgumentParser, Namespace
from typing import Protocol

from dashboard.commands import (
    backup,
    consensus,
    counterfactual,
    crossmatch,
    demo,
    doctor,
    evaluate,
    explain,
    export,
    ingest,
    models,
    new,
    people,
    restore,
    score,
    serve,
    simulate,
    train,
)


class Command(Protocol):
    """What a module here offers. EXAMPLES : lines that can be typed as they are."""

    HELP: str
    EXAMPLES: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe what may follow the command's name."""

    def run(self, arguments: Namespace) -> int | None:
        """Do it; the exit code, None is 0."""


COMMANDS: dict[str, Command] = {
    "demo": demo,
    "new": new,
    "ingest": ingest,
    "crossmatch": crossmatch,
    "score": score,
    "explain": explain,
    "serve": serve,
    "consensus": consensus,
    "export": export,
    "backup": backup,
    "restore": restore,
    "simulate": simulate,
    "train": train,
    "evaluate": evaluate,
    "counterfactual": counterfactual,
    "models": models,
    "people": people,
    "doctor": doctor,
}
