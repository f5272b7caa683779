"""`lensvet evaluate`: measure models against the truth of a campaign."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.whole_numbers import whole_from

if TYPE_CHECKING:
    from dashboard.reports.explanations import ExplanationSection
    from data.campaign import Campaign
    from lensmodel.evaluation.comparison import Comparison
    from lensmodel.evaluation.lenses_with_arcs import Lens
    from lensmodel.explain.proof import Numbers
    from lensmodel.models import ModelCard

HELP = "measure models, and their explanations, against the truth of a campaign: metrics.json and a report"
EXAMPLES = """\
  lensvet evaluate mocks --model evidence-net --out results
  lensvet evaluate mocks --model evidence-net --model ou-66 --out results     side by side
  lensvet evaluate mocks --model evidence-net --out results --detectable      arcs that can be seen
  lensvet evaluate mocks --model evidence-net --model ou-66 --out results --threshold ou-66=0.9
                                                  what ou-66 finds there, and what others do at its false positives
  lensvet evaluate mocks --model evidence-net --out results --explanations --number 60 --number occlusion=12
                                                  which explanation map to believe: all methods, on simulated lenses
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="its catalogue has a column class")
    parser.add_argument(
        "--model", action="append", required=True, dest="models", metavar="NAME", help="may be repeated"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for metrics.json and report.html"
    )
    parser.add_argument(
        "--detectable", action="store_true", help="leave out simulated lenses whose arcs nobody could see"
    )
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        dest="thresholds",
        type=_threshold,
        metavar="NAME=VALUE",
        help="what this model finds from this p_lens up, and the others at as many false positives; p_lens at the "
        "model's own prior, also where campaign.toml states another; may be repeated",
    )
    parser.add_argument(
        "--resamples",
        type=whole_from(0, 100_000),
        default=1000,
        metavar="N",
        help="for the intervals (default: 1000)",
    )
    parser.add_argument(
        "--seed",
        type=whole_from(0),
        default=1,
        metavar="S",
        help="for the intervals, and for which lenses are explained (default: 1)",
    )
    parser.add_argument(
        "--explanations",
        action="store_true",
        help="measure the explanation maps too, on simulated lenses of detectable arcs: explanations.json, and in the "
        "report which map to believe",
    )
    parser.add_argument(
        "--number",
        action="append",
        default=[],
        dest="numbers",
        type=_number,
        metavar="[METHOD=]N",
        help="lenses to explain (default: 200), or to explain by this method, 0 leaves it out; may be repeated",
    )
    parser.add_argument(
        "--layers",
        choices=("some", "all"),
        default="some",
        help="for methods that look at a layer: the first, middle and last ReLU, or all of them (default: some)",
    )


def run(arguments: Namespace) -> None:
    from data.campaign import open_campaign
    from lensmodel.evaluation.comparison import check_thresholds, compare
    from lensmodel.evaluation.truth import truth_of
    from lensmodel.models import model_named

    campaign = open_campaign(arguments.campaign)
    cards = {name: model_named(name) for name in arguments.models}
    check_thresholds(arguments.thresholds, cards)
    truth = truth_of(campaign, detectable_only=arguments.detectable)
    lenses = _lenses_to_explain(campaign, cards, arguments) if arguments.explanations else []
    # A folder that cannot be made is known before the networks run.
    arguments.out.mkdir(parents=True, exist_ok=True)
    for card in cards.values():
        _score_what_is_missing(campaign, card)
    comparison = compare(
        campaign,
        truth,
        cards,
        resamples=arguments.resamples,
        seed=arguments.seed,
        detectable_only=arguments.detectable,
        thresholds=arguments.thresholds,
    )
    section = _explained(campaign, cards, lenses, arguments) if arguments.explanations else None
    _write(comparison, campaign, arguments.out, section)
    _print_summary(comparison, section)
    written = ["metrics.json", *(["explanations.json"] if section else []), "report.html"]
    print(*(arguments.out / name for name in written), sep="\n")


def _threshold(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        p_lens = float(value)
    except ValueError:
        p_lens = float("nan")
    if not name or not 0 <= p_lens <= 1:
        raise ArgumentTypeError(
            f"{text!r} is no threshold; expected a model and a p_lens from 0 to 1, as ou-66=0.9"
        )
    return name, p_lens


def _number(text: str) -> tuple[str, int]:
    """A method, empty for all, and its number of lenses."""
    method, _, number = text.rpartition("=")
    return method, whole_from(0 if method else 1)(number)


def _numbers(arguments: Namespace) -> "Numbers":
    from lensmodel.explain.proof import Numbers

    by_method = dict(arguments.numbers)
    return Numbers(by_method.pop("", 200), by_method)


def _lenses_to_explain(
    campaign: "Campaign", cards: "dict[str, ModelCard]", arguments: Namespace
) -> "list[Lens]":
    """All that could go wrong with explanations does so here, before the networks run."""
    from lensmodel.evaluation.lenses_with_arcs import lenses_of
    from lensmodel.explain.proof import check_methods, check_seen

    numbers = _numbers(arguments)
    check_methods(numbers, cards)
    lenses = lenses_of(campaign, number=numbers.most, seed=arguments.seed)
    check_seen(campaign, cards, lenses)
    return lenses


def _explained(
    campaign: "Campaign", cards: "dict[str, ModelCard]", lenses: "list[Lens]", arguments: Namespace
) -> "ExplanationSection":
    """Measures the maps, writes `explanations.json`, and gives the section of the report."""
    from dashboard.commands.progress import progress_bar
    from dashboard.reports.explanations import section_of
    from data.files import write_json
    from lensmodel.evaluation.explanation_figures import record_of
    from lensmodel.explain.proof import prove

    with progress_bar("explaining", "lenses") as show:
        proof, shown = prove(
            campaign,
            cards,
            lenses,
            numbers=_numbers(arguments),
            all_layers=arguments.layers == "all",
            resamples=arguments.resamples,
            seed=arguments.seed,
            on_progress=lambda progress: show(progress.done, progress.total),
        )
    write_json(arguments.out / "explanations.json", record_of(proof))
    return section_of(proof, shown, campaign)


def _score_what_is_missing(campaign: "Campaign", card: "ModelCard") -> None:
    """Scores that are there are used; torch is loaded only if some are not."""
    from dashboard.commands.progress import progress_bar
    from data.scores import scored_ids

    if scored_ids(campaign.score_parts(card.version)).issuperset(campaign.objects().ids):
        return
    from lensmodel.scoring import score

    with progress_bar(f"scoring with {card.title}", "objects") as show:
        score(campaign, card, on_progress=lambda progress: show(progress.done, progress.total))


def _write(
    comparison: "Comparison", campaign: "Campaign", folder: Path, section: "ExplanationSection | None"
) -> None:
    from datetime import UTC, datetime

    from dashboard.reports.evaluation import write_report
    from data.files import write_json
    from lensmodel.evaluation.records import record_of

    write_json(folder / "metrics.json", record_of(comparison))
    made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    write_report(comparison, campaign, folder / "report.html", made_at=made_at, explanations=section)


def _print_summary(comparison: "Comparison", section: "ExplanationSection | None") -> None:
    from dashboard.reports.wording import sentences

    for sentence in [*sentences(comparison), *(section.sentences if section else [])]:
        print(sentence)
