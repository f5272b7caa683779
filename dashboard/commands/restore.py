"""`lensvet restore`: the campaign of a backup, in a new folder."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "make the campaign of a backup again, in a new folder"
EXAMPLES = """\
  lensvet restore q1-2026-11-27.tar q1-again
  lensvet restore q1.tar q1-again --database postgresql://vet@db.example.org/q1      votes into an empty database
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("backup", type=Path, metavar="BACKUP", help="a file that lensvet backup wrote")
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="a folder that is not there yet")
    parser.add_argument(
        "--database", metavar="URL", help="an empty PostgreSQL database for the votes (default: a file)"
    )


def run(arguments: Namespace) -> None:
    from data.backup import restore_backup
    from data.label_store import LabelStore

    campaign = restore_backup(arguments.backup, arguments.campaign, database=arguments.database)
    with LabelStore.open(campaign.database_url) as labels:
        print(f"{campaign.path}: {labels.number_of_votes():,} votes, {len(campaign.objects()):,} objects.")
    if not campaign.cutouts_path.exists():
        print(f"Its pixels were not in the backup: lensvet ingest {campaign.path} SOURCE")
