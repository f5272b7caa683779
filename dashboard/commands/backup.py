"""`lensvet backup`: a campaign in one file, while people go on voting."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "write a campaign with all its votes to one file, while people go on voting"
EXAMPLES = """\
  lensvet backup q1 q1-2026-11-27.tar
  lensvet backup q1 q1-whole.tar --with-cutouts      the pixels too; else they must be ingested again

  The command restore makes the campaign of it again.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write, such as q1.tar")
    parser.add_argument("--with-cutouts", action="store_true", help="with the pixels, which may be large")


def run(arguments: Namespace) -> None:
    from data.backup import write_backup
    from data.campaign import open_campaign

    summary = write_backup(
        open_campaign(arguments.campaign), arguments.out, with_cutouts=arguments.with_cutouts
    )
    pixels = "with" if summary.has_cutouts else "without"
    print(
        f"{arguments.out}: {summary.rows.get('votes', 0):,} votes, {summary.files:,} files, {pixels} pixels."
    )
    print("Maps are computed again when they are asked for; the server's secret and database are not in it.")
