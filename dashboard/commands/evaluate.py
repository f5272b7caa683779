"""`lensvet evaluate`: measure models against the truth of a campaign."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.whole_numbers import whole_from

if TYPE_CHECKING:
    from data.campaign import Campaign
    from lensmodel.evaluation.comparison import Comparison
    from lensmodel.models import ModelCard

HELP = "measure models against the truth of a campaign: metrics.json and a report"
EXAMPLES = """\
  lensvet evaluate mocks --model evidence-net --out results
  lensvet evaluate mocks --model evidence-net --model ou-66 --out results     side by side
  lensvet evaluate mocks --model evidence-net --out results --detectable      arcs that can be seen
  lensvet evaluate mocks --model evidence-net --model ou-66 --out results --threshold ou-66=0.9
                                                  what ou-66 finds there, and what others do at its false positives
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
        "--seed", type=whole_from(0), default=1, metavar="S", help="for the intervals (default: 1)"
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
    _write(comparison, campaign, arguments.out)
    _print_summary(comparison)
    print(f"{arguments.out / 'metrics.json'}\n{arguments.out / 'report.html'}")


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


def _score_what_is_missing(campaign: "Campaign", card: "ModelCard") -> None:
    """Scores that are there are used; torch is loaded only if some are not."""
    from dashboard.commands.progress import progress_bar
    from data.scores import scored_ids

    if scored_ids(campaign.score_parts(card.version)).issuperset(campaign.objects().ids):
        return
    from lensmodel.scoring import score

    with progress_bar(f"scoring with {card.title}", "objects") as show:
        score(campaign, card, on_progress=lambda progress: show(progress.done, progress.total))


def _write(comparison: "Comparison", campaign: "Campaign", folder: Path) -> None:
    from datetime import UTC, datetime

    from dashboard.reports.evaluation import write_report
    from data.files import write_json
    from lensmodel.evaluation.records import record_of

    write_json(folder / "metrics.json", record_of(comparison))
    made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    write_report(comparison, campaign, folder / "report.html", made_at=made_at)


def _print_summary(comparison: "Comparison") -> None:
    from dashboard.reports.wording import sentences

    for sentence in sentences(comparison):
        print(sentence)
