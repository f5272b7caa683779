"""`lensvet explain`: write maps of what a network saw."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "compute maps of what a network saw, before somebody asks for them in the browser"
EXAMPLES = """\
  lensvet explain q1 --model evidence-net --method evidence
  lensvet explain q1 --model ou-66 --method grad-cam --object "EUCL J174517.55+655612.5"
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument("--model", required=True, metavar="NAME", help="see lensvet models")
    parser.add_argument("--method", required=True, metavar="METHOD", help="evidence, grad-cam, occlusion, …")
    parser.add_argument(
        "--object",
        action="append",
        dest="object_ids",
        metavar="ID",
        help="may be repeated (default: all objects)",
    )


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
        )
    for object_id, reason in report.refused.items():
        print(f"no map of {object_id[:80]}: {reason}")
    print(f"{report.computed:,} maps computed, {report.already_there:,} were there")
