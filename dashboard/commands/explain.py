"""`lensvet explain`: write maps of what a network saw."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from dashboard.commands.whole_numbers import whole_from
from lensmodel.explain import BASELINES, METHODS, UNITS

HELP = "compute maps of what a network saw, before somebody asks for them in the browser"
EXAMPLES = """\
  lensvet explain q1 --model evidence-net --method evidence
  lensvet explain q1 --model ou-66 --method grad-cam --object "EUCL J174517.55+655612.5"
  lensvet explain q1 --model ou-66 --method layercam --layer 14              an earlier layer, finer cells
  lensvet explain q1 --model ou-200 --method occlusion --window 8 --stride 4 --baseline median --unit logit
  lensvet explain q1 --model evidence-net --method occlusion-vis             squares hidden in VIS alone
"""

_OPTIONS = ("layer", "window_px", "stride_px", "baseline", "unit")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument("--model", required=True, metavar="NAME", help="see lensvet models")
    parser.add_argument(
        "--method", required=True, metavar="METHOD", help=f"{', '.join(METHODS)}, or occlusion-BAND"
    )
    parser.add_argument(
        "--object",
        action="append",
        dest="object_ids",
        metavar="ID",
        help="may be repeated (default: all objects)",
    )
    options = parser.add_argument_group(
        "options of methods",
        "Maps with other options than usual are kept apart, and not shown in the browser.",
    )
    options.add_argument(
        "--layer",
        type=whole_from(0, 10_000),
        metavar="N",
        help="its number in the network (default: the last ReLU)",
    )
    options.add_argument(
        "--window",
        dest="window_px",
        type=whole_from(1, 10_000),
        metavar="PX",
        help="side of a hidden square, in the network's pixels",
    )
    options.add_argument(
        "--stride",
        dest="stride_px",
        type=whole_from(1, 10_000),
        metavar="PX",
        help="from square to square (default: the side)",
    )
    options.add_argument(
        "--baseline", choices=BASELINES, help="what hides a square (default: zero, which is blank sky)"
    )
    options.add_argument("--unit", choices=UNITS, help="of the change (default: probability)")


def run(arguments: Namespace) -> None:
    from dashboard.commands.progress import progress_bar
    from dashboard.errors import UnknownMapError, UnknownObjectError
    from data.campaign import open_campaign
    from lensmodel.explain import explain_objects, methods_for
    from lensmodel.models import model_named

    campaign = open_campaign(arguments.campaign)
    card = model_named(arguments.model)
    if arguments.method not in methods_for(card):
        raise UnknownMapError(
            f"{card.title} has no {arguments.method}; it has {', '.join(methods_for(card))}"
        )
    options = {name: value for name in _OPTIONS if (value := getattr(arguments, name)) is not None}
    objects = campaign.objects()
    object_ids = arguments.object_ids or list(objects.ids)
    for object_id in object_ids:
        if object_id not in objects:
            raise UnknownObjectError(object_id)
    with progress_bar(f"{arguments.method} of {card.title}", "maps") as show:
        report = explain_objects(
            campaign,
            card,
            arguments.method,
            object_ids,
            on_progress=lambda progress: show(progress.done, progress.total),
            **options,
        )
    for object_id, reason in report.refused.items():
        print(f"no map of {object_id[:80]}: {reason}")
    if report.takes_full_passes:
        print(
            f"{card.title} has layers that see more than a window: every square took a pass of the whole image"
        )
    print(f"{report.computed:,} maps computed, {report.already_there:,} were there: {report.path}")
