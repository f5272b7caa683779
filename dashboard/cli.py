"""The command `lensvet`: reads the command line, runs one of `dashboard.commands`, makes errors one line."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from types import FrameType
from typing import NoReturn

from dashboard.commands import COMMANDS
from data.errors import LensVetError

DONE, FAILED, WRONG_USAGE = 0, 1, 2


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 wrong usage."""
    arguments = make_parser().parse_args(words)
    try:
        with _ending_in_good_order():
            return COMMANDS[arguments.command].run(arguments) or DONE
    except (LensVetError, OSError) as error:
        if arguments.debug:
            raise
        return _fail(_one_line(error))
    except KeyboardInterrupt:
        return _fail("stopped; the same command " + _what_comes_after(arguments.command))


def _what_comes_after(command: str) -> str:
    return (
        "begins again"
        if command in ("crossmatch", "evaluate", "counterfactual", "export")
        else "goes on from here"
    )


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="lensvet",
        description="Vet strong gravitational lens candidates: where a network saw a lens, and why.",
        epilog="lensvet COMMAND --help explains a command by examples. To begin: lensvet demo",
    )
    parser.add_argument("--version", action="version", version=f"lensvet {version('lensvet')}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, command in COMMANDS.items():
        sub = subparsers.add_parser(
            name,
            help=command.HELP,
            description=f"{command.HELP[0].upper()}{command.HELP[1:]}.",
            epilog=f"examples:\n{command.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


@contextlib.contextmanager
def _ending_in_good_order() -> Iterator[None]:
    """End on SIGTERM and on Ctrl-C alike: files are finished or left as they were, children are stopped."""

    def stop(signal_number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    # SIGINT too: a process that a script put in the background starts with it ignored.
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fail(reason: str) -> int:
    print(f"lensvet: {reason}", file=sys.stderr)
    return FAILED


def _one_line(error: Exception) -> str:
    """The message without line breaks; the system's own errors name the file they are about."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
