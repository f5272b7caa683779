"""`lensvet crossmatch`: which objects are known lenses, and which come twice."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "say which objects are known lenses (lenscat), and which come twice"
EXAMPLES = """\
  lensvet crossmatch q1                                  within 2 arcsec of lenscat, 1 arcsec of each other
  lensvet crossmatch q1 --known ours.fits                other known lenses: CSV, FITS, VOTable, ECSV, Parquet
  lensvet crossmatch q1 --known-radius 5 --duplicate-radius 0.5

  What is ingested later is compared in the same way by itself.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument(
        "--known",
        type=Path,
        metavar="FILE",
        help="known lenses in place of lenscat: positions in degrees, and name, grading, reference if there are any",
    )
    parser.add_argument(
        "--known-radius",
        type=float,
        metavar="ARCSEC",
        help="within which an object is a known lens (default: 2)",
    )
    parser.add_argument(
        "--duplicate-radius",
        type=float,
        metavar="ARCSEC",
        help="within which two objects are one (default: 1)",
    )


def run(arguments: Namespace) -> None:
    from data.campaign import open_campaign
    from data.crossmatch import DUPLICATE_RADIUS_ARCSEC, KNOWN_RADIUS_ARCSEC, Radii, crossmatch
    from data.known_lenses import read_known_lenses

    campaign = open_campaign(arguments.campaign)
    known = None if arguments.known is None else read_known_lenses(arguments.known)
    chosen = (
        (arguments.known_radius, KNOWN_RADIUS_ARCSEC),
        (arguments.duplicate_radius, DUPLICATE_RADIUS_ARCSEC),
    )
    radii = Radii(*(default if given is None else given for given, default in chosen))
    matched = crossmatch(campaign, known=known, radii=radii)
    print(matched.in_words())
    print(campaign.crossmatch_path)
