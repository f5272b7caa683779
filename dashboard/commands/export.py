"""`lensvet export`: the vetted catalogue as a file."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "write the vetted catalogue; the suffix is the format: .fits .vot .ecsv .csv .parquet .reg"
EXAMPLES = """\
  lensvet export q1 q1.fits
  lensvet export q1 q1.csv --spreadsheet         safe to open in a spreadsheet
  lensvet export q1 q1.csv --preset q1           column names of the Euclid Q1 catalogue
  lensvet export q1 votes.parquet --votes        one row per vote
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="the file to write; replaced at once when it is whole"
    )
    parser.add_argument("--preset", metavar="NAME", help="column names of a published catalogue, such as q1")
    parser.add_argument(
        "--votes", action="store_true", help="one row per vote, undone and superseded ones too"
    )
    parser.add_argument("--model", metavar="NAME", help="whose scores (default: the newest here)")
    parser.add_argument(
        "--spreadsheet", action="store_true", help="mark CSV cells that a spreadsheet would run"
    )


def run(arguments: Namespace) -> None:
    from data.campaign import open_campaign
    from data.exports import export
    from data.label_store import LabelStore
    from lensmodel.models import model_named

    campaign = open_campaign(arguments.campaign)
    with LabelStore.open(campaign.database_url) as labels:
        export(
            campaign,
            labels,
            arguments.out,
            preset=arguments.preset,
            votes=arguments.votes,
            model_version=model_named(arguments.model).version if arguments.model else None,
            spreadsheet=arguments.spreadsheet,
        )
    print(f"{arguments.out} is written")
