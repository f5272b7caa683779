"""`lensvet train`: weights of our own network from simulated campaigns."""

import math
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.whole_numbers import whole_from
from lensmodel.models import MODEL_NAMES, is_model_name

if TYPE_CHECKING:
    from lensmodel.training.plan import EpochReport

HELP = "train evidence-net on simulated campaigns: weights, card, metrics and curves"
EXAMPLES = """\
  lensvet train lessons --out trained                            the model is called trained, or --name NAME
  lensvet train lessons more-lessons --out trained --epochs 9 --threads 2      last: lensvet models add
  lensvet train lessons --out again --from trained --epochs 2 --learning-rate 0.0005
  lensvet train ours --out ours-net --from evidence-net --epochs 2 --learning-rate 0.001
Campaigns to learn from come from lensvet simulate, best with a recipe that has twins.
Ctrl-C keeps the last whole epoch; the same command again goes on after it.
It trains on all GPUs in mixed precision, or on the CPU where there is none.
One seed gives the same weights on one machine with one thread.
"""
_LARGEST_SEED = 2**32 - 1  # that PyTorch and NumPy both take


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaigns", nargs="+", type=Path, metavar="CAMPAIGN", help="of lensvet simulate")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for weights and checkpoint")
    parser.add_argument(
        "--epochs",
        type=whole_from(1),
        default=12,
        metavar="N",
        help="times that each image is seen (default: 12)",
    )
    parser.add_argument(
        "--validation",
        type=whole_from(1),
        default=1000,
        metavar="N",
        help="the last N images of each campaign are for calibration only, one more where N would part a lens "
        "from its twin (default: 1000)",
    )
    parser.add_argument(
        "--seed",
        type=whole_from(0, _LARGEST_SEED),
        default=1,
        metavar="S",
        help="of the training, from 0 (default: 1)",
    )
    parser.add_argument(
        "--devices",
        type=whole_from(1),
        metavar="N",
        help="GPUs, or CPU processes without one (default: all GPUs)",
    )
    parser.add_argument(
        "--from",
        dest="earlier",
        metavar="DIR|MODEL",
        help="begin with what an earlier training learned: its --out, or a model by name or card (default: from none)",
    )
    parser.add_argument(
        "--learning-rate",
        type=_rate,
        default=2e-3,
        metavar="R",
        help="at its peak; a tenth does to go on from an earlier training (default: 0.002)",
    )
    parser.add_argument(
        "--name",
        type=_name,
        metavar="NAME",
        help="what the model is to be called (default: as the folder of --out)",
    )
    parser.add_argument("--threads", type=whole_from(1), default=1, metavar="N", help="of torch (default: 1)")


def run(arguments: Namespace) -> None:
    import torch

    from dashboard.commands.progress import progress_bar
    from dashboard.reports.training import write_curves
    from data.campaign import open_campaign
    from data.files import write_json
    from lensmodel.training.plan import TrainingPlan
    from lensmodel.training.run import curves, learned_in, lessons, save_network, train
    from lensmodel.training.validation import agreement_of, measure

    name = arguments.name or _name_after(arguments.out)
    torch.set_num_threads(arguments.threads)
    campaigns = [open_campaign(path) for path in arguments.campaigns]
    arguments.out.mkdir(parents=True, exist_ok=True)
    learn, check = lessons(campaigns, validation=arguments.validation)
    earlier, digest = learned_in(arguments.earlier) if arguments.earlier else (None, None)
    plan = TrainingPlan(
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        devices=arguments.devices,
        begins_with=digest,
    )

    def after_epoch(report: "EpochReport") -> None:
        print(_told(report), flush=True)
        write_curves(curves(arguments.out), arguments.out / "curves.html")

    with progress_bar("training", "steps") as show:
        network = train(
            learn,
            check,
            plan,
            folder=arguments.out,
            earlier=earlier,
            on_step=show,
            on_epoch=after_epoch,
        )
    if network is None:  # on several devices the first process does the rest
        return
    card = save_network(network, arguments.out, name=name, agreement=agreement_of(network, check))
    metrics = measure(network, check)
    write_json(arguments.out / "metrics.json", metrics)
    for name, value in metrics.items():
        print(f"{name.replace('_', ' ')}: {value:.4g}")
    print(f"{card.weights_path}; next: lensvet models add {card.weights_path.with_suffix('.json')}")


def _name_after(folder: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("-._")[:64] or "trained"


def _name(text: str) -> str:
    if not is_model_name(text):
        raise ArgumentTypeError(
            f"{text!r} is no name of a model; expected {MODEL_NAMES}: give one with --name"
        )
    return text


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"{text} is no learning rate; expected more than 0 and at most 1")
    return value


def _told(report: "EpochReport") -> str:
    return (
        f"epoch {report.epoch}: loss {report.loss:.3f}, AUROC {report.auroc:.4f}, "
        f"positions within {report.position_error_arcsec:.3f} arcsec in the median"
    )
