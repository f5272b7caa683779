"""`lensvet models`: the networks at hand, adding one, and what their agreement of where and why is weighed by."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "list the networks, add one from its weight file, or weigh anew how where and why agree"
EXAMPLES = """\
  lensvet models
  lensvet models add ou66_weights.pt      a published network, recognised by its layout
  lensvet models add mine.json            a card with its weights beside it
  lensvet models calibrate mine mocks     fit what where_why is made of, on simulations it did not learn from
"""


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="add|calibrate")
    adding = actions.add_parser(
        "add", help="keep a copy of a weight file and name it", description="Add a network."
    )
    adding.add_argument("file", type=Path, metavar="FILE", help="a weight file (.pt) or a card (.json)")

    calibrating = actions.add_parser(
        "calibrate",
        help="fit the agreement of where and why",
        description="Fit what where_why is made of, and write it on the model's card. Scores that there are stay.",
    )
    calibrating.add_argument("model", metavar="NAME", help="of lensvet models")
    calibrating.add_argument(
        "campaign", type=Path, metavar="CAMPAIGN", help="simulations that the model did not learn from"
    )


def run(arguments: Namespace) -> None:
    if arguments.action == "add":
        _add(arguments.file)
    elif arguments.action == "calibrate":
        _calibrate(arguments.model, arguments.campaign)
    else:
        _list()


def _add(file: Path) -> None:
    from lensmodel.models import add_model

    card = add_model(file)
    print(f"{card.title} is added as {card.name}; next: lensvet score CAMPAIGN --model {card.name}")


def _calibrate(name: str, path: Path) -> None:
    from data.campaign import open_campaign
    from lensmodel.models import model_named, write_card
    from lensmodel.training.validation import with_agreement

    card = with_agreement(model_named(name), open_campaign(path))
    write_card(card, card.weights_path.with_suffix(".json"))
    of_map, of_light, constant = card.agreement
    print(f"where_why of {card.name}: log odds {of_map:.3f} map {of_light:+.3f} light {constant:+.3f}")


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
