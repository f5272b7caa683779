"""Simulated chunks become the cutouts and the catalogue of a campaign.

Truth columns: class, subtype; theta_E_arcsec, lens_x_arcsec, lens_y_arcsec, which are null for non-lenses;
what else the simulation knows stands under `sim_`. mag_vis and z_phot are what a survey catalogue would say.
"""

import math
from collections.abc import Callable

import torch

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.cutouts import Cutout, Plane
from data.errors import CampaignError
from data.files import held_alone
from data.simulations.instrument import BANDS, OPTICS, PIXEL_SCALE_ARCSEC
from data.simulations.recipes import CHUNK, LENS_SCENES, SimulatedChunk, simulate_chunks

# A patch of the Euclid Deep Field South, where the objects are said to lie.
_RA_DEG, _DEC_DEG = (55.0, 67.0), (-51.0, -46.0)
# R2 sequence: points of a plane that keep their distance however many there are (Roberts 2018).
_PLASTIC = 1.32471795724474602596
_CD_DEG = (-PIXEL_SCALE_ARCSEC / 3600, 0.0, 0.0, PIXEL_SCALE_ARCSEC / 3600)  # north up, east left


def write_simulations(
    campaign: Campaign,
    *,
    number: int,
    seed: int,
    recipe: str = "training",
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Draw objects and append them to the campaign, chunk by chunk; the number added.

    The same recipe and seed give the same objects, and the first N of them for a smaller N. A killed run
    leaves the chunks that it finished.

    Raises
    ------
    CampaignError
        If the campaign is not a Euclid one, holds these objects already, or the recipe is not known.
    """
    if campaign.survey.name != "euclid":
        raise CampaignError(
            f"{campaign.path} is a campaign of {campaign.survey.name}; simulations are of euclid: "
            "lensvet new CAMPAIGN --survey euclid"
        )
    done = 0
    with held_alone(campaign.path / ".ingest.lock", doing="writing cutouts"):
        for index, chunk in enumerate(simulate_chunks(number, seed=seed, recipe=recipe)):
            append_cutouts(campaign, cutouts_of(chunk, seed=seed, recipe=recipe, first=index * CHUNK))
            done += len(chunk)
            if on_progress:
                on_progress(done)
    return done


def append_cutouts(campaign: Campaign, cutouts: list[Cutout]) -> None:
    """Planes first, then the rows that claim them."""
    table = campaign.objects()
    repeated = next((cutout.object_id for cutout in cutouts if cutout.object_id in table), None)
    if repeated is not None:
        raise CampaignError(
            f"{campaign.path} holds {repeated} already: choose another seed or a new campaign"
        )
    stored = CutoutStore(campaign.cutouts_path, table.next_rows()).append(cutouts)
    table.with_rows(stored).save(campaign.catalogue_path)


def cutouts_of(chunk: SimulatedChunk, *, seed: int, recipe: str, first: int) -> list[Cutout]:
    """The objects of a chunk as cutouts; `first` is the number of the first within its recipe and seed."""
    return [_cutout(chunk, row, seed=seed, recipe=recipe, number=first + row) for row in range(len(chunk))]


def sky_position(seed: int, number: int, recipe: str) -> tuple[float, float]:
    """(ra_deg, dec_deg) of the `number`-th object; no two of a seed and recipe come close."""
    start = torch.Generator().manual_seed(seed + sum(recipe.encode()) * 1_000_003)
    offset_ra, offset_dec = torch.rand(2, generator=start, dtype=torch.float64).tolist()
    u = (offset_ra + (number + 1) / _PLASTIC) % 1
    v = (offset_dec + (number + 1) / _PLASTIC**2) % 1
    return _RA_DEG[0] + u * (_RA_DEG[1] - _RA_DEG[0]), _DEC_DEG[0] + v * (_DEC_DEG[1] - _DEC_DEG[0])


def name_of(ra_deg: float, dec_deg: float) -> str:
    """The IAU way to name a source by its position, digits cut and not rounded: SIM J040523.11-471210.4."""
    seconds = math.floor(ra_deg / 15 * 3600 * 100) / 100
    arcsec = math.floor(abs(dec_deg) * 3600 * 10) / 10
    hour, minute = int(seconds // 3600), int(seconds % 3600 // 60)
    degree, arcmin = int(arcsec // 3600), int(arcsec % 3600 // 60)
    sign = "-" if dec_deg < 0 else "+"
    return f"SIM J{hour:02d}{minute:02d}{seconds % 60:05.2f}{sign}{degree:02d}{arcmin:02d}{arcsec % 60:04.1f}"


def _cutout(chunk: SimulatedChunk, row: int, *, seed: int, recipe: str, number: int) -> Cutout:
    ra_deg, dec_deg = sky_position(seed, number, recipe)
    planes = {
        band: Plane(chunk.images[row, index].numpy(), PIXEL_SCALE_ARCSEC, OPTICS[band].zero_point_mag)
        for index, band in enumerate(BANDS)
    }
    return Cutout(
        object_id=name_of(ra_deg, dec_deg),
        planes=planes,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        cd_deg=_CD_DEG,
        columns=_columns(chunk, row) | {"sim_recipe": recipe, "sim_seed": seed, "sim_number": number},
    )


def _columns(chunk: SimulatedChunk, row: int) -> dict[str, object]:
    subtype = chunk.subtypes[row]
    values = {name: float(column[row]) for name, column in chunk.truth.items()}
    told = {name: None if math.isnan(value) else round(value, 4) for name, value in values.items()}
    truth: dict[str, object] = {"class": "lens" if subtype in LENS_SCENES else "nonlens", "subtype": subtype}
    always = dict.fromkeys(("mag_vis", "z_phot", "theta_E_arcsec", "lens_x_arcsec", "lens_y_arcsec"))
    return {**always, **truth, **told}
