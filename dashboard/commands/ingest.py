"""`lensvet ingest`: read, check and pack cutouts."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from dashboard.commands.whole_numbers import whole_from

HELP = "read, check and pack cutouts; what cannot be read goes to rejected.csv with its reason"
EXAMPLES = """\
  lensvet ingest q1 cutouts/ --catalogue candidates.csv
  lensvet ingest q1 tile.fits --catalogue positions.fits     a mosaic is cut at the positions
  lensvet ingest q1 cutouts/                                 once more: reads only what is new
  lensvet ingest q1 hubble/ --band F814W=VIS                 a filter of another instrument, as a band
  lensvet ingest q1 bare.fits --pixel-scale 0.05             where the file states no pixel scale
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument(
        "sources", type=Path, nargs="+", metavar="SOURCE", help="files and folders with images"
    )
    parser.add_argument(
        "--catalogue", type=Path, metavar="FILE", help="ids, positions, columns: CSV, FITS, VOTable, …"
    )
    parser.add_argument(
        "--band",
        type=_filter_and_band,
        action="append",
        default=[],
        metavar="FILTER=BAND",
        help="take a filter of another instrument for a band of the survey, in this campaign from now on",
    )
    parser.add_argument(
        "--pixel-scale",
        type=float,
        metavar="ARCSEC",
        help="of images for which neither their file nor the catalogue states one, also of those that these sources "
        "get later",
    )
    parser.add_argument(
        "--workers",
        type=whole_from(0, 64),
        metavar="N",
        help="processes that read (default: as fits the machine)",
    )


def run(arguments: Namespace) -> None:
    from dashboard.commands.progress import progress_bar
    from data.campaign import open_campaign
    from data.crossmatch import bring_up_to_date
    from data.errors import UnreadableCutoutError
    from data.ingest import ingest

    campaign = open_campaign(arguments.campaign)
    with progress_bar("reading", "objects") as show:
        report = ingest(
            campaign,
            arguments.sources,
            catalogue=arguments.catalogue,
            filters=arguments.band,
            pixel_scale_arcsec=arguments.pixel_scale,
            workers=arguments.workers,
            on_progress=lambda progress: show(progress.units_done, progress.units_total),
        )
    for warning, count in report.warnings.most_common():
        print(f"warning: {warning}" + (f" ({count:,} times)" if count > 1 else ""))
    if report.warnings:
        print(
            "(the page shows the warnings of each object; catalogue.parquet has them in its column warnings)"
        )
    print(f"{report.added:,} objects added, {report.already_there:,} were there")
    if report.rejected:
        print(f"{len(report.rejected):,} files rejected: {campaign.rejected_path} says why")
    if not (report.added or report.already_there or report.rejected):
        raise UnreadableCutoutError(
            f"{', '.join(map(str, arguments.sources))} holds no file that could be a cutout; "
            "expected FITS, HDF5, NPZ, NPY, PNG or JPEG files, or a folder of them"
        )
    print(bring_up_to_date(campaign).in_words())


def _filter_and_band(text: str) -> tuple[str, str]:
    name, equals, band = (part.strip() for part in text.partition("="))
    if not (name and equals and band):
        raise ArgumentTypeError(f"{text!r} names no filter and band; expected FILTER=BAND, such as F814W=VIS")
    return name, band
