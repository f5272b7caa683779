"""`lensvet simulate`: cutouts whose truth is known."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from dashboard.commands.whole_numbers import whole_from
from data.simulations.menu import LARGEST, NIR, RECIPES
from data.workers import cores

_MOST_WORKERS = 8  # each needs some 600 MB

HELP = "add simulated lenses and non-lenses, with their truth in the catalogue"
EXAMPLES = """\
  lensvet simulate mocks --survey euclid --number 2000 --seed 1     makes the folder if it is not there
  lensvet simulate nisp --number 2000 --seed 1 --nir native         the same skies, Y, J, H in 0.3 arcsec pixels
The same command again goes on where it was stopped.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="the campaign folder")
    parser.add_argument(
        "--survey", default="euclid", choices=("euclid",), help="whose instrument (default: euclid)"
    )
    parser.add_argument(
        "--number", type=whole_from(0, LARGEST), required=True, metavar="N", help="how many cutouts"
    )
    parser.add_argument(
        "--seed",
        type=whole_from(0, LARGEST),
        required=True,
        metavar="S",
        help="the same recipe and seed give the same cutouts",
    )
    menu = "; ".join(f"{name}: {recipe.shows}" for name, recipe in RECIPES.items())
    parser.add_argument(
        "--recipe", default="training", metavar="NAME", help=f"what is in the mix (default: training). {menu}"
    )
    parser.add_argument(
        "--nir",
        choices=NIR,
        default="resampled",
        help="Y, J, H on the 0.1 arcsec grid of VIS, as in the Q1 mosaics, or in NISP's own pixels of 0.3 arcsec "
        "(default: resampled)",
    )
    parser.add_argument(
        "--workers",
        type=whole_from(1),
        default=min(cores(), _MOST_WORKERS),
        metavar="N",
        help=f"processes that draw, each on one core (default: as many as cores, at most {_MOST_WORKERS}); they "
        "change no pixel",
    )


def run(arguments: Namespace) -> None:
    from dashboard.commands.progress import progress_bar
    from data.campaign import create_campaign, open_campaign
    from data.errors import CampaignError
    from data.simulations import simulate
    from data.simulations.recipes import check_request

    check_request(arguments.number, seed=arguments.seed, recipe=arguments.recipe, nir=arguments.nir)
    is_there = (arguments.campaign / "campaign.toml").exists()
    campaign = (
        open_campaign(arguments.campaign)
        if is_there
        else create_campaign(arguments.campaign, survey=arguments.survey)
    )
    if campaign.survey.name != arguments.survey:
        raise CampaignError(
            f"{arguments.campaign} is of survey {campaign.survey.name}, not {arguments.survey}: "
            "name another folder"
        )
    with progress_bar("simulating", "cutouts") as show:
        number = simulate(
            campaign,
            number=arguments.number,
            seed=arguments.seed,
            recipe=arguments.recipe,
            nir=arguments.nir,
            workers=arguments.workers,
            on_progress=lambda done: show(done, arguments.number),
        )
    there = f", {arguments.number - number:,} were there" if number < arguments.number else ""
    print(f"{number:,} simulated cutouts added{there}; next: lensvet score {campaign.path}")
