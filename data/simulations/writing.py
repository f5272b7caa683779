"""Simulated chunks become the cutouts and the catalogue of a campaign.

Truth columns: class, subtype; theta_E_arcsec, lens_x_arcsec, lens_y_arcsec, which are null for non-lenses;
what else the simulation knows stands under `sim_`: redshifts, magnitudes, S/N of the arcs (`arcs`), the FWHM of
the PSF of VIS, and in `sim_twin` the id of the same object with or without its source. Masks of lensed light go
to `data.truth`.
mag_vis and z_phot are what a survey catalogue would say. Truth and masks are those of the resampled images; a
campaign in native pixels (`sim_nir`) has the same skies and VIS planes under ids of its own.
"""

import math
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import tee

import torch

from data.campaign import Campaign
from data.cutouts import Cutout, Plane
from data.errors import CampaignError
from data.files import held_alone
from data.objects import ObjectTable
from data.simulations.instrument import BANDS, OPTICS, PIXEL_SCALE_ARCSEC
from data.simulations.menu import NIR
from data.simulations.native import NATIVE_SCALE_ARCSEC, NIR_BANDS
from data.simulations.recipes import CHUNK, SimulatedChunk, check_request, draw_chunk
from data.truth import Mask, TruthMasks
from data.workers import worker_pool

Draw = Callable[[int], SimulatedChunk]  # a chunk by its index

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
    nir: str = "resampled",
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Draw objects and append them to the campaign, chunk by chunk; the number added.

    The same recipe and seed give the same objects, and the first N of them for a smaller N. Objects that the
    campaign holds already are left as they are: the same call goes on where a killed run stopped.
    workers : processes that draw, each on one core; what they draw does not depend on how many there are.

    Raises
    ------
    CampaignError
        If the campaign is not a Euclid one or holds the same skies in other pixels, or as in `check_request`.
    """
    check_request(number, seed=seed, recipe=recipe, nir=nir)
    if campaign.survey.name != "euclid":
        raise CampaignError(
            f"{campaign.path} is a campaign of {campaign.survey.name}; simulations are of euclid: "
            "lensvet new CAMPAIGN --survey euclid"
        )
    added = 0
    with held_alone(campaign.path / ".ingest.lock", doing="writing cutouts"):
        table = campaign.objects()
        for other in NIR:
            if other != nir and object_id_of(0, seed=seed, recipe=recipe, nir=other) in table:
                raise CampaignError(
                    f"{campaign.path} holds recipe {recipe} of seed {seed} with {other} Y, J, H, the same skies: "
                    "name another folder, or another seed"
                )
        name_of_number = partial(object_id_of, seed=seed, recipe=recipe, nir=nir)
        missing, to_draw = tee(_missing(number, name_of_number, table))
        draw = partial(draw_chunk, seed, recipe=recipe, nir=nir)
        chunks = _drawn(draw, (index for index, _ in to_draw), min(workers, math.ceil(number / CHUNK)))
        for (index, rows), chunk in zip(missing, chunks, strict=True):
            cutouts = cutouts_of(chunk, seed=seed, recipe=recipe, first=index * CHUNK)
            masks = [chunk.lensed[row].numpy() for row in rows]
            table = _append(campaign, table, [cutouts[row] for row in rows], masks)
            added += len(rows)
            if on_progress:
                on_progress(index * CHUNK + rows[-1] + 1)
    if on_progress and not added:
        on_progress(number)
    return added


def _missing(
    number: int, name_of_number: Callable[[int], str], table: ObjectTable
) -> Iterator[tuple[int, list[int]]]:
    """Chunks of which objects are not in the campaign, and their places in the chunk."""
    for index, first in enumerate(range(0, number, CHUNK)):
        ids = map(name_of_number, range(first, min(first + CHUNK, number)))
        if rows := [row for row, object_id in enumerate(ids) if object_id not in table]:
            yield index, rows


def _drawn(draw: Draw, indices: Iterator[int], workers: int) -> Iterator[SimulatedChunk]:
    """The chunks of these indices, in order, drawn ahead by processes if there are to be several."""
    if workers < 2:
        for index in indices:
            with one_thread():
                chunk = draw(index)
            yield chunk
        return
    with worker_pool(workers) as pool:
        ahead: deque[Future[bytes]] = deque()
        try:
            for index in indices:
                ahead.append(pool.submit(_drawn_elsewhere, draw, index))
                if len(ahead) > workers + 1:  # what waits to be written is bounded
                    yield pickle.loads(ahead.popleft().result())  # noqa: S301  # our own process made it
            while ahead:
                yield pickle.loads(ahead.popleft().result())  # noqa: S301
        except BrokenProcessPool as error:
            raise CampaignError(
                "a drawing process ended unexpectedly (out of memory?): what was written is kept; the same command "
                "goes on, with fewer --workers if memory is short"
            ) from error


def _drawn_elsewhere(draw: Draw, index: int) -> bytes:
    """A chunk as bytes: sent as it is, torch would need shared memory, of which containers have little."""
    with one_thread():
        return pickle.dumps(draw(index), protocol=pickle.HIGHEST_PROTOCOL)


@contextmanager
def one_thread() -> Iterator[None]:
    """With torch on one thread: sums are taken in one order, and processes do not wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _append(
    campaign: Campaign, table: ObjectTable, cutouts: list[Cutout], masks: Sequence[Mask]
) -> ObjectTable:
    """Planes and masks first, then the rows that claim them."""
    stored = campaign.cutouts_to_fill(table).append(cutouts)
    TruthMasks(campaign.truth_path).write(stored, masks)
    longer = table.with_rows(stored)
    longer.save(campaign.catalogue_path)
    return longer


def cutouts_of(chunk: SimulatedChunk, *, seed: int, recipe: str, first: int) -> list[Cutout]:
    """The objects of a chunk as cutouts; `first` is the number of the first within its recipe and seed."""
    return [_cutout(chunk, row, seed=seed, recipe=recipe, number=first + row) for row in range(len(chunk))]


def object_id_of(number: int, *, seed: int, recipe: str, nir: str = "resampled") -> str:
    """The id of the `number`-th object of a recipe and seed."""
    return name_of(*sky_position(seed, number, recipe, nir))


def sky_position(seed: int, number: int, recipe: str, nir: str = "resampled") -> tuple[float, float]:
    """(ra_deg, dec_deg) of the `number`-th object; no two of a seed, a recipe and its pixels come close."""
    told = recipe if nir == "resampled" else f"{recipe} {nir}"
    start = torch.Generator().manual_seed(seed + sum(told.encode()) * 1_000_003)
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
    nir = "resampled" if chunk.native is None else "native"
    ra_deg, dec_deg = sky_position(seed, number, recipe, nir)
    twin = int(chunk.twin[row])
    twin_id = object_id_of(number + twin - row, seed=seed, recipe=recipe, nir=nir) if twin >= 0 else None
    return Cutout(
        object_id=name_of(ra_deg, dec_deg),
        planes=_planes(chunk, row),
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        cd_deg=_CD_DEG,
        columns={
            **_columns(chunk, row),
            "sim_twin": twin_id,
            "sim_recipe": recipe,
            "sim_nir": nir,
            "sim_seed": seed,
            "sim_number": number,
        },
    )


def _planes(chunk: SimulatedChunk, row: int) -> dict[str, Plane]:
    images = dict(zip(BANDS, chunk.images[row], strict=True))
    scales = dict.fromkeys(BANDS, PIXEL_SCALE_ARCSEC)
    if chunk.native is not None:
        images |= zip(NIR_BANDS, chunk.native[row], strict=True)
        scales |= dict.fromkeys(NIR_BANDS, NATIVE_SCALE_ARCSEC)
    return {
        band: Plane(image.numpy(), scales[band], OPTICS[band].zero_point_mag)
        for band, image in images.items()
    }


def _columns(chunk: SimulatedChunk, row: int) -> dict[str, object]:
    subtype = chunk.subtypes[row]
    values = {name: float(column[row]) for name, column in chunk.truth.items()}
    told = {name: None if math.isnan(value) else round(value, 4) for name, value in values.items()}
    is_lens = bool(chunk.is_lens[row])
    truth: dict[str, object] = {"class": "lens" if is_lens else "nonlens", "subtype": subtype}
    always = dict.fromkeys(("mag_vis", "z_phot", "theta_E_arcsec", "lens_x_arcsec", "lens_y_arcsec"))
    return {**always, **truth, **told}
