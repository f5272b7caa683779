"""`lensvet serve`: the dashboard of one campaign."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard.serving import Listening
    from data.campaign import Campaign

HELP = "vet a campaign in the browser"
EXAMPLES = """\
  lensvet serve q1
  lensvet serve q1 --port 8000 --inspector Ada

  From another machine, through SSH: ssh -L 5006:127.0.0.1:5006 HOST, then open http://127.0.0.1:5006 here.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    add_server_arguments(parser)


def add_server_arguments(parser: ArgumentParser) -> None:
    """Where to listen, and who votes; `demo` has them too."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=port_number, default=5006, help="0 takes a free one (default: 5006)")
    parser.add_argument(
        "--inspector", help="who votes until somebody says another name (default: your login name)"
    )
    parser.add_argument(
        "--sign-in",
        action="store_true",
        help="people sign in also on this machine, as always beyond it; for a server behind a proxy",
    )


def port_number(text: str) -> int:
    """A TCP port."""
    number = int(text)
    if not 0 <= number < 65536:
        raise ValueError
    return number


def run(arguments: Namespace) -> None:
    from dashboard.serving import Listening
    from data.campaign import open_campaign

    campaign = open_campaign(arguments.campaign)
    check_signing_in(campaign, arguments)
    with Listening(arguments.host, arguments.port) as listening:
        serve_until_stopped(campaign, listening, inspector=arguments.inspector, signs_in=arguments.sign_in)


def check_signing_in(campaign: "Campaign", arguments: Namespace) -> None:
    """Refuse addresses beyond this machine, and --sign-in, while nobody could sign in."""
    from dashboard.serving import check_people, is_loopback

    if arguments.sign_in or not is_loopback(arguments.host):
        check_people(campaign, arguments.host)


def serve_until_stopped(
    campaign: "Campaign", listening: "Listening", *, inspector: str | None, signs_in: bool = False
) -> None:
    """Serve, and say where once the server answers."""
    from dashboard.serving import login_name, serve

    serve(
        campaign,
        listening,
        inspector=inspector or login_name(),
        signs_in=signs_in,
        on_ready=lambda: print(f"LensVet is at {listening.url} (Ctrl-C stops it)", flush=True),
    )
