"""`lensvet models`: the networks at hand, and adding one."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "list the networks, or add one from its weight file"
EXAMPLES = """\
  lensvet models
  lensvet models add ou66_weights.pt      a published network, recognised by its layout
  lensvet models add mine.json            a card with its weights beside it
"""


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="add")
    adding = actions.add_parser(
        "add", help="keep a copy of a weight file and name it", description="Add a network."
    )
    adding.add_argument("file", type=Path, metavar="FILE", help="a weight file (.pt) or a card (.json)")


def run(arguments: Namespace) -> None:
    if arguments.action == "add":
        _add(arguments.file)
    else:
        _list()


def _add(file: Path) -> None:
    from lensmodel.models import add_model

    card = add_model(file)
    print(f"{card.title} is added as {card.name}; next: lensvet score CAMPAIGN --model {card.name}")


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    from lensmodel.explain import METHODS, methods_for
    from lensmodel.models import known_models

    table = Table("name", "weights", "bands", "pixels", "position", "prior", "maps", box=None)
    for column in table.columns[:2]:
        column.no_wrap = True
    for card in known_models().values():
        table.add_row(
            card.name,
            card.sha256[:8],
            ("any of " if card.bands_may_be_missing else "") + " ".join(card.bands),
            f"{card.field_px or 'any'} of {card.pixel_scale_arcsec:g}″",
            "yes" if card.predicts_position else "off a map",
            "none" if card.prior is None else f"{card.prior:.2g}",
            ", ".join(name for name in methods_for(card) if name in METHODS),
        )
    Console().print(table)
