"""`lensvet counterfactual`: erase the arcs, judge again."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.whole_numbers import whole_from

if TYPE_CHECKING:
    from dashboard.reports.counterfactual import Entry
    from data.campaign import Campaign
    from lensmodel.counterfactuals.judging import Counterfactual
    from lensmodel.counterfactuals.subjects import Subject
    from lensmodel.counterfactuals.summary import Summary
    from lensmodel.models import ModelCard

HELP = "erase the arcs and judge again: how much of the score they carry"
EXAMPLES = """\
  lensvet counterfactual q1 --model evidence-net --regions q1.reg --out arcs
  lensvet counterfactual mocks --model evidence-net --model ou-66 --out arcs    arcs known from the simulation

regions: DS9 files in icrs, fk5 or image (pixels of the reference band's cutout), each shape with text={object id};
  point with tag={lens} is the lens galaxy, point with tag={galaxy} a neighbour whose light is modelled,
  circle, ellipse, box, annulus, panda and polygon are arcs, and what has a minus before it is not

p_lens is given at each model's own prior, also where campaign.toml states another; logits do not depend on it.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument(
        "--model", action="append", required=True, dest="models", metavar="NAME", help="may be repeated"
    )
    parser.add_argument(
        "--regions",
        action="append",
        type=Path,
        metavar="FILE",
        help="DS9 regions of lenses and arcs, or a folder of them; may be repeated (default: simulated truth)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for counterfactuals.json and .html"
    )
    parser.add_argument(
        "--object",
        action="append",
        dest="object_ids",
        metavar="ID",
        help="may be repeated (default: all of a campaign with regions, else the first --number)",
    )
    parser.add_argument(
        "--number",
        type=whole_from(1),
        default=100,
        metavar="N",
        help="simulated lenses to take (default: 100)",
    )
    parser.add_argument(
        "--resamples",
        type=whole_from(0, 100_000),
        default=1000,
        metavar="N",
        help="for the intervals (default: 1000)",
    )
    parser.add_argument(
        "--seed", type=whole_from(0), default=1, metavar="S", help="for noise and intervals (default: 1)"
    )


def run(arguments: Namespace) -> None:
    from data.campaign import open_campaign
    from lensmodel.counterfactuals.summary import summary_of
    from lensmodel.models import model_named

    campaign = open_campaign(arguments.campaign)
    cards = {name: model_named(name) for name in dict.fromkeys(arguments.models)}
    subjects = _subjects(campaign, arguments)
    # A folder that cannot be made is known before the networks run.
    arguments.out.mkdir(parents=True, exist_ok=True)
    found, entries = _judged(campaign, cards, subjects, arguments.seed)
    summaries = {
        name: summary_of(found, name, resamples=arguments.resamples, seed=arguments.seed) for name in cards
    }
    _write(campaign, cards, found, entries, summaries, arguments.out)


def _subjects(campaign: "Campaign", arguments: Namespace) -> list["Subject"]:
    from itertools import islice

    from dashboard.errors import UnknownObjectError
    from data.readers.ds9_regions import read_regions
    from lensmodel.counterfactuals.subjects import subjects_from_regions, subjects_from_truth

    wanted = list(dict.fromkeys(arguments.object_ids or ()))
    objects = campaign.objects()
    for object_id in wanted:
        if object_id not in objects:
            raise UnknownObjectError(object_id)
    if not arguments.regions:
        found = subjects_from_truth(campaign, wanted or None)
        return list(found if wanted else islice(found, arguments.number))
    drawn = subjects_from_regions(campaign, read_regions(arguments.regions))
    by_id = {subject.stored.object_id: subject for subject in drawn}
    return [by_id[object_id] for object_id in wanted or by_id]


def _judged(
    campaign: "Campaign", cards: "dict[str, ModelCard]", subjects: "list[Subject]", seed: int
) -> "tuple[list[Counterfactual], list[Entry]]":
    """All counterfactuals without their planes, which would fill the memory, and their entries in the report."""
    from dataclasses import replace

    from dashboard.commands.progress import progress_bar
    from dashboard.reports.counterfactual import entry_of
    from lensmodel.counterfactuals.judging import counterfactuals
    from lensmodel.models import check_survey, load_network

    for card in cards.values():
        check_survey(card, campaign.survey.name)
    networks = {name: (card, load_network(card)) for name, card in cards.items()}
    found: list[Counterfactual] = []
    entries: list[Entry] = []
    with progress_bar("erasing and judging", "objects") as show:
        show(0, len(subjects))
        for one in counterfactuals(campaign, networks, subjects, seed=seed):
            entries.append(entry_of(one, campaign.survey))
            found.append(replace(one, planes={}))
            show(len(found), len(subjects))
    return found, entries


def _write(
    campaign: "Campaign",
    cards: "dict[str, ModelCard]",
    found: "list[Counterfactual]",
    entries: "list[Entry]",
    summaries: "dict[str, Summary]",
    folder: Path,
) -> None:
    from datetime import UTC, datetime

    from dashboard.reports.counterfactual import sentence, write_report
    from data.files import write_json
    from lensmodel.counterfactuals.summary import record_of

    record = record_of(found, summaries, {name: card.version for name, card in cards.items()})
    write_json(folder / "counterfactuals.json", record)
    made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    priors = {name: card.prior for name, card in cards.items()}
    write_report(
        campaign, entries, summaries, folder / "counterfactuals.html", priors=priors, made_at=made_at
    )
    for name, summary in summaries.items():
        print(sentence(name, summary))
    print(f"{folder / 'counterfactuals.json'}\n{folder / 'counterfactuals.html'}")
