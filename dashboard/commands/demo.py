"""`lensvet demo`: a campaign from the shipped cutouts, scored while you watch."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.serve import add_server_arguments, check_signing_in

if TYPE_CHECKING:
    from data.campaign import Campaign

HELP = "a campaign from the shipped cutouts, scored while you watch"
EXAMPLES = """\
  lensvet demo
  lensvet demo --path /tmp/demo --port 8000

  The folder is kept: your votes are there the next time. Remove it to begin anew.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--path",
        type=Path,
        default=Path("demo-campaign"),
        help="the campaign folder; made if it is not there (default: ./demo-campaign)",
    )
    add_server_arguments(parser)


def run(arguments: Namespace) -> None:
    from dashboard.children import start_child, stop_child
    from dashboard.commands.score import score_quietly
    from dashboard.commands.serve import serve_until_stopped
    from dashboard.serving import Listening

    # A port that is taken is known before anything is made.
    with Listening(arguments.host, arguments.port) as listening:
        campaign = demo_campaign(arguments.path)
        check_signing_in(campaign, arguments)
        scoring = start_child(score_quietly, campaign.path, None, name="lensvet-scoring")
        try:
            serve_until_stopped(
                campaign, listening, inspector=arguments.inspector, signs_in=arguments.sign_in
            )
        finally:
            stop_child(scoring)


def demo_campaign(path: Path) -> "Campaign":
    """The campaign in that folder, made and filled if it is not there."""
    from data.campaign import create_campaign, open_campaign
    from data.crossmatch import bring_up_to_date
    from data.samples import install_samples

    is_there = (path / "campaign.toml").exists()
    campaign = open_campaign(path) if is_there else create_campaign(path, survey="euclid", title="Demo")
    if not len(campaign.objects()):
        install_samples(campaign)
        bring_up_to_date(campaign)
    return campaign
