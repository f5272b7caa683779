"""`lensvet counterfactual`: erase the arcs, judge again."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.whole_numbers import whole_from

if TYPE_CHECKING:
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
        "--resamples", type=whole_from(0), default=1000, metavar="N", help="for the intervals (default: 1000)"
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
    found = _judged(campaign, cards, subjects, arguments.seed)
    summaries = {
        name: summary_of(found, name, resamples=arguments.resamples, seed=arguments.seed) for name in cards
    }
    _write(campaign, cards, found, summaries, arguments.out)


def _subjects(campaign: "Campaign", arguments: Namespace) -> list["Subject"]:
    from dashboard.errors import UnknownObjectError
    from data.readers.ds9_regions import read_regions
    from lensmodel.counterfactuals.subjects import subjects_from_regions, subjects_from_truth

    if arguments.regions:
        subjects = subjects_from_regions(campaign, read_regions(arguments.regions))
    else:
        subjects = subjects_from_truth(campaign)
    if arguments.object_ids:
        by_id = {subject.stored.object_id: subject for subject in subjects}
        for object_id in arguments.object_ids:
            if object_id not in by_id:
                raise UnknownObjectError(object_id)
        return [by_id[object_id] for object_id in dict.fromkeys(arguments.object_ids)]
    return subjects if arguments.regions else subjects[: arguments.number]


def _judged(
    campaign: "Campaign", cards: "dict[str, ModelCard]", subjects: "list[Subject]", seed: int
) -> "list[Counterfactual]":
    from dashboard.commands.progress import progress_bar
    from lensmodel.counterfactuals.judging import counterfactuals
    from lensmodel.models import check_survey, load_network

    for card in cards.values():
        check_survey(card, campaign.survey.name)
    networks = {name: (card, load_network(card)) for name, card in cards.items()}
    found = []
    with progress_bar("erasing and judging", "objects") as show:
        show(0, len(subjects))
        for one in counterfactuals(campaign, networks, subjects, seed=seed):
            found.append(one)
            show(len(found), len(subjects))
    return found


def _write(
    campaign: "Campaign",
    cards: "dict[str, ModelCard]",
    found: "list[Counterfactual]",
    summaries: "dict[str, Summary]",
    folder: Path,
) -> None:
    import json
    from datetime import UTC, datetime

    from dashboard.reports.counterfactual import sentence, write_report
    from data.files import written_atomically
    from lensmodel.counterfactuals.summary import record_of

    record = record_of(found, summaries, {name: card.version for name, card in cards.items()})
    with written_atomically(folder / "counterfactuals.json") as partial:
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
    made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    write_report(campaign, found, summaries, folder / "counterfactuals.html", made_at=made_at)
    for name, summary in summaries.items():
        print(sentence(name, summary))
    print(f"{folder / 'counterfactuals.json'}\n{folder / 'counterfactuals.html'}")
