"""`lensvet score`: let a network judge every object, part by part."""

import contextlib
import time
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.whole_numbers import whole_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.campaign import Campaign
    from lensmodel.models import ModelCard
    from lensmodel.scoring import ScoringReport

HELP = "score the objects that have no score yet"
EXAMPLES = """\
  lensvet score q1                       with our own network
  lensvet score q1 --model ou-66
  lensvet score q1 --workers 8           on eight processes of this machine
  lensvet score q1 --scheduler tcp://head:8786   on the workers of a Dask cluster
  lensvet score q1 --mosaics TILES --catalogue mer.fits --keep 300000   packs the best positions only
  lensvet score q1 --follow              then wait for new files in what was ingested, until Ctrl-C
"""
POLL_S = 1.0
REASONS_SHOWN = 3
KEEP = 10_000


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="see lensvet models (default: the first that campaign.toml names, else ours)",
    )
    parser.add_argument("--follow", action="store_true", help="go on with files that arrive later")
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="with --follow or --mosaics: ids, positions and columns of the objects",
    )
    parser.add_argument(
        "--mosaics",
        type=Path,
        nargs="+",
        metavar="TILE",
        help="survey tiles, or folders of them: score the catalogue's positions in them, then pack the best",
    )
    parser.add_argument(
        "--field",
        type=float,
        metavar="ARCSEC",
        help="with --mosaics: side of what is scored at each position (default: what ingest cuts, 20; half takes a "
        "quarter of the time with a network that takes any size)",
    )
    parser.add_argument(
        "--keep",
        type=whole_from(1, 10_000_000),
        default=KEEP,
        metavar="N",
        help="with --mosaics: how many of the most lens-like positions become objects (default: %(default)s)",
    )
    parser.add_argument(
        "--audit",
        type=whole_from(1, 1_000_000),
        metavar="N",
        help="with --mosaics: so many more at random, kept as a selection, to estimate completeness with",
    )
    parser.add_argument(
        "--seed",
        type=whole_from(0, 2**31 - 1),
        default=1,
        metavar="S",
        help="of --audit (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=whole_from(1, 1024),
        metavar="N",
        help="processes that score side by side (default: this one, with its threads)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler whose workers see the campaign folder, such as tcp://head:8786",
    )
    parser.add_argument(
        "--batch-size",
        type=whole_from(1, 4096),
        metavar="N",
        help="images at once (default: what is fastest)",
    )


def run(arguments: Namespace) -> None:
    from data.campaign import open_campaign
    from data.errors import CampaignError

    if arguments.workers and arguments.scheduler:
        raise CampaignError("--workers starts processes here and --scheduler has its own: give one of them")
    if arguments.mosaics and (arguments.follow or arguments.catalogue is None):
        raise CampaignError("--mosaics needs --catalogue with the positions to cut at, and does not --follow")
    campaign = open_campaign(arguments.campaign)
    card = preferred_model(campaign, arguments.model)
    score = partial(_score, card=card, arguments=arguments)
    if arguments.mosaics:
        _score_mosaics(campaign, card, arguments)
        _print_report(card, score(open_campaign(campaign.path)))
    elif arguments.follow:
        _follow(campaign, card, score, arguments.catalogue)
    else:
        _print_report(card, score(campaign))


def preferred_model(campaign: "Campaign", name: str | None) -> "ModelCard":
    """The model of that name, else the campaign's first, else our own."""
    from lensmodel.models import default_model, model_named

    wanted = name or next(iter(campaign.models), None)
    return model_named(wanted) if wanted else default_model()


def score_quietly(campaign_path: Path, model: str | None) -> None:
    """Score without a progress bar, as a child of the server; an error is one line on stderr."""
    import sys

    from data.campaign import open_campaign
    from data.errors import LensVetError
    from lensmodel.scoring import score

    try:
        campaign = open_campaign(campaign_path)
        score(campaign, preferred_model(campaign, model))
    except LensVetError as error:
        print(f"lensvet: scoring stopped: {error}", file=sys.stderr, flush=True)


def _score(campaign: "Campaign", *, card: "ModelCard", arguments: Namespace) -> "ScoringReport":
    from dashboard.commands.progress import progress_bar

    if arguments.workers or arguments.scheduler:
        from lensmodel.survey_scoring import score_survey

        run = partial(score_survey, workers=arguments.workers, scheduler=arguments.scheduler)
    else:
        from lensmodel.scoring import score as run

    with progress_bar(f"scoring with {card.title}", "objects") as show:
        return run(
            campaign,
            card,
            batch_size=arguments.batch_size,
            on_progress=lambda progress: show(progress.done, progress.total),
        )


def _score_mosaics(campaign: "Campaign", card: "ModelCard", arguments: Namespace) -> None:
    """Score positions in tiles, and pack the best of them and a sample."""
    from dashboard.commands.progress import progress_bar
    from data.ingest import ingest
    from data.readers.mosaics import FIELD_ARCSEC, holds_positions
    from data.readers.units import list_files
    from data.selections import keep_selection
    from data.source_catalogue import SourceCatalogue, write_rows
    from lensmodel.mosaic_scoring import best_of, drawn_from, score_mosaics

    tiles = list_files(arguments.mosaics, leave_out=[campaign.path, arguments.catalogue])
    catalogue = SourceCatalogue.open(arguments.catalogue)
    positions = catalogue.positions(range(len(catalogue)))
    with progress_bar(f"scoring with {card.title}", "positions") as show:
        report = score_mosaics(
            campaign,
            card,
            tiles,
            positions,
            field_arcsec=FIELD_ARCSEC if arguments.field is None else arguments.field,
            workers=arguments.workers or (None if arguments.scheduler else 1),
            scheduler=arguments.scheduler,
            batch_size=arguments.batch_size,
            on_progress=lambda progress: show(progress.done, progress.total),
        )
    _print_report(card, report.scoring)
    best = best_of(report.parts, arguments.keep)
    sample = drawn_from(report.parts, arguments.audit, arguments.seed) if arguments.audit else []
    row_of = dict(zip(positions.object_ids, positions.rows, strict=True))
    kept = campaign.mosaics_path(card.version) / "kept.parquet"
    write_rows(arguments.catalogue, [row_of[object_id] for object_id in dict.fromkeys(best + sample)], kept)
    wanted = SourceCatalogue.open(kept)
    places = wanted.positions(range(len(wanted)))
    with progress_bar("packing", "positions") as show:
        packed = ingest(
            campaign,
            [tile for tile in tiles if holds_positions(tile, places)],  # another would be taken for an object
            catalogue=kept,
            remember=False,
            on_progress=lambda progress: show(progress.units_done, progress.units_total),
        )
    print(f"{packed.added:,} packed, {packed.already_there:,} were there, {len(packed.rejected):,} rejected")
    if sample:
        drawn = keep_selection(
            campaign.selections_path,
            sample,
            title=f"random sample of {len(positions):,} positions",
            condition="",
            drawn_from=len(positions),
            seed=arguments.seed,
            model_version=card.version,
            by="lensvet score",
        )
        print(f"random sample kept as selection {drawn.selection_id}")


def _follow(
    campaign: "Campaign",
    card: "ModelCard",
    score: "Callable[[Campaign], ScoringReport]",
    catalogue: Path | None,
) -> None:
    """Read what arrives and score it, until Ctrl-C."""
    from data.campaign import open_campaign
    from data.errors import CampaignError
    from data.ingest import ingest_new
    from lensmodel.errors import UnreadError

    print(f"following {', '.join(campaign.sources) or 'what will be ingested'}; Ctrl-C stops", flush=True)
    scored_state = None
    try:
        while True:
            # Opened anew, since another ingest may have added sources.
            campaign = open_campaign(campaign.path)
            # While somebody ingests by hand, what is new is theirs to read.
            with contextlib.suppress(CampaignError):
                ingest_new(campaign, catalogue=catalogue)
            state = campaign.catalogue_path.stat().st_mtime_ns if campaign.catalogue_path.exists() else None
            if state != scored_state:
                try:
                    _print_report(card, score(campaign))
                except UnreadError as error:
                    print(error, flush=True)
                scored_state = state
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        print("stopped following")


def _print_report(card: "ModelCard", report: "ScoringReport") -> None:
    print(
        f"{card.version}: {report.scored:,} scored, {report.refused:,} not scorable, "
        f"{report.already_there:,} were there; {report.seconds:.1f} s",
        flush=True,
    )
    for bands, count in report.tally.bands_missing.most_common(REASONS_SHOWN):
        print(f"  judged without {bands.replace(',', ', ')}, {count:,} times", flush=True)
    for reason, count in report.tally.reasons.most_common(REASONS_SHOWN):
        print(f"  not scorable, {count:,} times: {reason}", flush=True)
