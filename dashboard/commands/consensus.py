"""`lensvet consensus`: what a team's votes come to, by three rules, and how far inspectors agree."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.commands.whole_numbers import whole_from

if TYPE_CHECKING:
    from data.dawid_skene import Estimated
    from data.ratings import Ratings
    from data.reliability import Estimate
    from data.swap import Judged

HELP = "what a team's votes come to (mean, Dawid-Skene, SWAP), and how far its inspectors agree"
EXAMPLES = """\
  lensvet consensus q1 --out team                       team/consensus.csv and team/agreement.json
  lensvet consensus q1 --out team --known known.csv     skills from a table of object_id and class (lens or not)
  lensvet consensus q1 --out team --phase blind         of blind grades alone
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for consensus.csv and agreement.json"
    )
    parser.add_argument(
        "--known",
        type=Path,
        metavar="FILE",
        help="a table of known objects: object_id, class (lens or another)",
    )
    parser.add_argument("--phase", choices=("blind", "revealed"), help="only grades given in it")
    parser.add_argument(
        "--resamples",
        type=whole_from(1, 100_000),
        default=1000,
        metavar="N",
        help="for intervals (default: 1000)",
    )
    parser.add_argument(
        "--seed", type=whole_from(0), default=1, metavar="S", help="for intervals (default: 1)"
    )


def run(arguments: Namespace) -> None:
    from data.campaign import open_campaign
    from data.dawid_skene import IN_ADVANCE, dawid_skene
    from data.errors import CampaignError
    from data.files import write_json
    from data.label_store import LabelStore
    from data.ratings import ratings_of
    from data.reliability import alpha_of
    from data.swap import swap

    campaign = open_campaign(arguments.campaign)
    known = _known(arguments.known) if arguments.known else {}
    with LabelStore.open(campaign.database_url) as labels:
        ratings = ratings_of(labels.current_votes(), phase=arguments.phase)
    if not ratings.object_ids:
        raise CampaignError(f"{campaign.path} has no grades yet: lensvet serve {campaign.path}")
    estimated = dawid_skene(ratings, smoothing=IN_ADVANCE)
    judged = swap(ratings, known) if known else None
    alpha = alpha_of(ratings, resamples=arguments.resamples, seed=arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    _write_objects(arguments.out / "consensus.csv", ratings, estimated, judged)
    write_json(arguments.out / "agreement.json", _agreement(ratings, alpha, estimated, judged, arguments))
    print(_sentence(ratings, alpha))
    print(arguments.out / "consensus.csv", arguments.out / "agreement.json", sep="\n")


def _known(path: Path) -> dict[str, bool]:
    from data.errors import CampaignError
    from data.readers.tables import read_table

    table = read_table(path)
    for name in ("object_id", "class"):
        if name not in table.column_names:
            raise CampaignError(f"{path} has no column {name}; known objects have object_id and class")
    classes = (str(one).strip().lower() for one in table["class"].to_pylist())
    known = dict(
        zip(map(str, table["object_id"].to_pylist()), (one == "lens" for one in classes), strict=True)
    )
    if len(set(known.values())) < 2:
        raise CampaignError(f"{path} has known objects of one kind only; SWAP needs lenses and others")
    return known


def _write_objects(path: Path, ratings: "Ratings", estimated: "Estimated", judged: "Judged | None") -> None:
    import pyarrow as pa
    import pyarrow.csv as csv

    from data.consensus import summarise
    from data.files import written_atomically

    summary = summarise(ratings.counts[:, ::-1])
    columns: dict[str, Any] = {
        "object_id": ratings.object_ids,
        "n_votes": summary.n_votes,
        "mean": summary.mean,
        "standard_error": summary.standard_error,
        "spread": summary.spread,
        "grade": summary.grade.tolist(),
        "dawid_skene_mean": estimated.mean,
        "dawid_skene_sd": estimated.sd,
        **{f"dawid_skene_p_{grade}": estimated.p[:, points] for points, grade in enumerate("XCBA")},
    }
    if judged is not None:
        columns |= {"swap_p_lens": judged.p_lens, "swap_verdict": judged.verdict.tolist()}
    with written_atomically(path) as unfinished:
        csv.write_csv(pa.table(columns), unfinished)


def _agreement(
    ratings: "Ratings",
    alpha: "Estimate",
    estimated: "Estimated",
    judged: "Judged | None",
    arguments: Namespace,
) -> dict[str, object]:
    from data.reliability import kappa_of_pairs

    pairs = kappa_of_pairs(ratings, resamples=arguments.resamples, seed=arguments.seed)
    return {
        "intervals": {"level": 0.95, "resamples": arguments.resamples, "seed": arguments.seed},
        "krippendorff_alpha_ordinal": _record(alpha),
        "weighted_kappa": [
            {"inspectors": [one, other], "objects": number, **_record(kappa)}
            for one, other, number, kappa in pairs
        ],
        "inspectors": {
            name: {
                "grades": int(ratings.is_given[:, column].sum()),
                "confusion_XCBA": estimated.confusion[column].tolist(),
                **({"swap": vars(judged.skills[name])} if judged else {}),
            }
            for column, name in enumerate(ratings.inspectors)
        },
    }


def _record(estimate: "Estimate") -> dict[str, float | None]:
    import math

    return {name: value if math.isfinite(value) else None for name, value in vars(estimate).items()}


def _sentence(ratings: "Ratings", alpha: "Estimate") -> str:
    import math

    inspectors, grades, objects = (
        len(ratings.inspectors),
        int(ratings.is_given.sum()),
        len(ratings.object_ids),
    )
    who = f"{inspectors:,} inspectors, {grades:,} grades of {objects:,} objects"
    if not math.isfinite(alpha.value):
        return f"{who}: too few objects with two different grades to say how far they agree."
    return f"{who}: Krippendorff's alpha {alpha.value:.2f} ({alpha.low:.2f} to {alpha.high:.2f}, 95 %)."
