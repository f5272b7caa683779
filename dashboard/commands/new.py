"""`lensvet new`: make a campaign folder."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "make a campaign folder"
EXAMPLES = """\
  lensvet new q1 --survey euclid
  lensvet new q1-group --survey euclid --title "Q1, group" --reveal after-grade
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the folder to make")
    parser.add_argument(
        "--survey", required=True, help="such as euclid, des, hsc, legacy; fixes the bands' names"
    )
    parser.add_argument("--title", help="as people will read it (default: the folder's name)")
    parser.add_argument(
        "--reveal",
        default="open",
        metavar="{open,after-grade}",
        help="open: scores and maps at any time (default); after-grade: after one's own blind grade",
    )


def run(arguments: Namespace) -> None:
    from data.campaign import create_campaign

    campaign = create_campaign(
        arguments.campaign, survey=arguments.survey, title=arguments.title, reveal=arguments.reveal
    )
    print(f"{campaign.settings_path} is made; next: lensvet ingest {campaign.path} SOURCE")
