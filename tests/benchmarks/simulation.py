"""How fast simulated lenses are drawn: against a loop over lenstronomy for the same scenes, on one core."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity
from numpy.typing import NDArray

from data.simulations.dice import Dice
from data.simulations.instrument import (
    BANDS,
    FIELD_PX,
    OPTICS,
    OVERSAMPLING,
    PIXEL_SCALE_ARCSEC,
    blur,
    moffat,
    record,
)
from data.simulations.lensing import Mass, source_position
from data.simulations.light import Sersic, Sky
from data.simulations.recipes import draw_chunk
from tests.benchmarks.rows import Row, at_least

SCENES = 32
AT_ONCE = 16
ROUNDS = 3
GALAXIES = 5  # the deflector's body and envelope, three neighbours
LEAST_RATIO = 5.0
LEAST_PER_SECOND = 15.0
_KERNEL_PX = 21


@dataclass(frozen=True)
class Scenes:
    """A lens, a source and galaxies in front per object; fluxes (object, band) in each band's unit."""

    mass: Mass
    source: Sersic
    source_flux: torch.Tensor
    galaxies: list[tuple[Sersic, torch.Tensor]]


def bench() -> list[Row]:
    """The best of some turns of both, and how far their images differ; then whole recipes."""
    torch.set_num_threads(1)
    scenes = _scenes(Dice(SCENES, torch.Generator().manual_seed(1)))
    ours, images = _best(lambda: _drawn(scenes))
    theirs, expected = _best(lambda: np.stack([_by_lenstronomy(scenes, row) for row in range(SCENES)]))
    row = at_least(
        "simulating the scenes of a loop over lenstronomy",
        ours / theirs,
        LEAST_RATIO,
        "times its speed",
        reference=f"{ours:.0f} against {theirs:.1f} images/s of four bands on one core; "
        f"images differ by {_difference(images, expected):.1%} of the peak (median)",
    )
    return [row, *map(_recipe_row, ("survey", "training"))]


def _recipe_row(recipe: str) -> Row:
    started = time.perf_counter()
    chunk = draw_chunk(1, 0, recipe)
    speed = len(chunk) / (time.perf_counter() - started)
    return at_least(f"simulating recipe {recipe}", speed, LEAST_PER_SECOND, "images/s", reference="one core")


def _best(draw: Callable[[], NDArray[np.float32]]) -> tuple[float, NDArray[np.float32]]:
    images, fastest = draw(), np.inf
    for _ in range(ROUNDS):
        started = time.perf_counter()
        images = draw()
        fastest = min(fastest, time.perf_counter() - started)
    return len(images) / fastest, images


def _difference(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Largest difference of the VIS images, in units of the peak: the median over objects."""
    peak = theirs[:, 0].max((1, 2))
    return float(np.median(np.abs(ours - theirs)[:, 0].max((1, 2)) / peak))


def _scenes(dice: Dice) -> Scenes:
    zero, one = torch.zeros(dice.number), torch.ones(dice.number)
    q, angle = dice.uniform(0.5, 0.95), dice.angle()
    mass = Mass(zero, zero, q, angle, dice.uniform(0.7, 1.8), dice.normal(0, 0.03), dice.normal(0, 0.03),
                dice.uniform(1.9, 2.2))  # fmt: skip
    x, y = dice.in_disc(0.5 * one)
    source = Sersic(x, y, dice.uniform(0.5, 1), dice.angle(), one, dice.uniform(0.2, 0.4))
    galaxies = [(Sersic(zero, zero, q, angle, n * one, 0.6 * one), 5 * _flux(dice)) for n in (2.0, 1.0)]
    for _ in range(GALAXIES - len(galaxies)):
        place = dice.uniform(-5, 5), dice.uniform(-5, 5)
        shape = Sersic(*place, dice.uniform(0.4, 1), dice.angle(), 1.5 * one, dice.uniform(0.3, 0.5))
        galaxies.append((shape, _flux(dice)))
    return Scenes(mass, source, _flux(dice), galaxies)


def _flux(dice: Dice) -> torch.Tensor:
    noise = torch.tensor([OPTICS[band].noise_rms for band in BANDS])
    return dice.uniform(100, 400)[:, None] * noise


def _psfs(size_px: int) -> list[torch.Tensor]:
    """Round ones, the same for both codes."""
    return [
        moffat(
            size_px * factor,
            fwhm_px=OPTICS[band].psf_fwhm_arcsec / PIXEL_SCALE_ARCSEC * factor,
            beta=OPTICS[band].psf_beta,
        )
        for band, factor in zip(BANDS, (OVERSAMPLING, 1, 1, 1), strict=True)
    ]


def _drawn(scenes: Scenes) -> NDArray[np.float32]:
    """Blurred images (object, band, y, x); noise is drawn too, and left out of what is compared."""
    images = []
    for rows in torch.arange(SCENES).split(AT_ONCE):
        sky = Sky(len(rows))
        for shape, flux in scenes.galaxies:
            sky.add_galaxy(shape.rows(rows), (flux / shape.share_kept()[:, None])[rows])
        mass = Mass(*(value[rows] for value in vars(scenes.mass).values()))
        profile = scenes.source.rows(rows).at(*source_position(mass, sky.x, sky.y))
        sky.add(profile, (scenes.source_flux / scenes.source.share_kept()[:, None])[rows])
        images.append(blur(sky.vis, sky.nir, _psfs(sky.nir.shape[-1])))
        record(images[-1], Dice(len(rows), torch.Generator().manual_seed(0)))
    return torch.cat(images).numpy()


def _by_lenstronomy(scenes: Scenes, row: int) -> NDArray[np.float32]:
    """One object in four bands, with noise drawn and left out as well."""
    mass = {name: float(value[row]) for name, value in vars(scenes.mass).items()}
    e1, e2 = phi_q2_ellipticity(mass["angle"], mass["axis_ratio"])
    lens = [
        {
            "theta_E": mass["theta_e_arcsec"],
            "gamma": mass["slope"],
            "e1": e1,
            "e2": e2,
            "center_x": 0,
            "center_y": 0,
        },
        {"gamma1": mass["shear_1"], "gamma2": mass["shear_2"], "ra_0": 0, "dec_0": 0},
    ]
    random = np.random.default_rng(row)
    images = []
    for index, (band, model) in enumerate(zip(BANDS, _image_models(), strict=True)):
        source = [_sersic(scenes.source, float(scenes.source_flux[row, index]), row)]
        light = [_sersic(shape, float(flux[row, index]), row) for shape, flux in scenes.galaxies]
        image = model.image(lens, source, light)
        random.normal(image, OPTICS[band].noise_rms)
        images.append(image)
    return np.stack(images).astype(np.float32)


def _image_models() -> list[ImageModel]:
    """One per band: what is made once is kept."""
    if not _KEPT:
        for band, psf in zip(BANDS, _psfs(FIELD_PX), strict=True):
            data = ImageData(
                np.zeros((FIELD_PX, FIELD_PX)),
                background_rms=1,
                exposure_time=1,
                transform_pix2angle=np.eye(2) * PIXEL_SCALE_ARCSEC,
                ra_at_xy_0=-(FIELD_PX - 1) / 2 * PIXEL_SCALE_ARCSEC,
                dec_at_xy_0=-(FIELD_PX - 1) / 2 * PIXEL_SCALE_ARCSEC,
            )
            factor = OVERSAMPLING if band == "VIS" else 1
            numerics = {"supersampling_factor": OVERSAMPLING, "supersampling_convolution": factor > 1}
            models = LensModel(["EPL", "SHEAR"]), LightModel(["SERSIC_ELLIPSE"])
            front = LightModel(["SERSIC_ELLIPSE"] * GALAXIES)
            _KEPT.append(ImageModel(data, _kernel(psf, factor), *models, front, kwargs_numerics=numerics))
    return _KEPT


_KEPT: list[ImageModel] = []


def _kernel(psf: torch.Tensor, factor: int) -> PSF:
    centred = torch.fft.fftshift(psf).numpy()
    middle, half = centred.shape[0] // 2, _KERNEL_PX // 2 * factor
    kernel = centred[middle - half : middle + half + 1, middle - half : middle + half + 1]
    return PSF("PIXEL", kernel_point_source=kernel / kernel.sum(), point_source_supersampling_factor=factor)


def _sersic(shape: Sersic, flux: float, row: int) -> dict[str, float]:
    """Brightness at the half-light radius, which there is the mean of both axes."""
    value = {name: float(column[row]) for name, column in vars(shape).items()}
    e1, e2 = phi_q2_ellipticity(value["angle"], value["axis_ratio"])
    radius = value["radius_arcsec"] * value["axis_ratio"] ** 0.5
    kwargs = {"R_sersic": radius, "n_sersic": value["index"], "e1": e1, "e2": e2,
              "center_x": value["x"], "center_y": value["y"]}  # fmt: skip
    return {
        "amp": flux / _UNIT.total_flux([{"amp": 1.0, **kwargs}])[0],
        **kwargs,
    }


_UNIT = LightModel(["SERSIC_ELLIPSE"])
