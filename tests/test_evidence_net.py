"""EvidenceNet: laws that hold for any weights, and the shipped weights on simulations they never saw."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from astropy.io import fits

from data.simulations.dice import Dice
from data.simulations.instrument import BANDS, OPTICS, PIXEL_SCALE_ARCSEC, correlated_noise
from data.simulations.recipes import draw_chunk
from lensmodel.evaluation import auroc, expected_calibration_error, position_error_arcsec
from lensmodel.models import SHIPPED, default_model, load_network
from lensmodel.networks.evidence_net import ABSENT, STRIDE_PX, EvidenceNet, noise_of, sky_of
from tests.fixtures.one_thread import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")

HELD_OUT_SEED = 777_001


@pytest.fixture(scope="module")
def untrained() -> EvidenceNet:
    torch.manual_seed(1)
    return EvidenceNet(bands=4, pixel_scale_arcsec=0.1).eval()


@pytest.fixture(scope="module")
def shipped():
    return load_network(default_model())


class HeldOut(NamedTuple):
    """Images, which of them are lenses, and where those are in arcsec; lenses have arcs that can be seen."""

    images: torch.Tensor
    is_lens: np.ndarray
    x_arcsec: np.ndarray
    y_arcsec: np.ndarray


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    chunk = draw_chunk(HELD_OUT_SEED, 0, "held-out")
    kept = ~chunk.is_lens | (chunk.truth["sim_arc_is_detectable"] == 1)
    x, y = (chunk.truth[f"sim_target_{axis}_arcsec"][kept].numpy() for axis in "xy")
    return HeldOut(chunk.images[kept], chunk.is_lens[kept].numpy(), x, y)


def blob(size: int, x_px: float, y_px: float) -> torch.Tensor:
    """Noise with a bright source at a position from the centre: (1, 4, y, x)."""
    generator = torch.Generator().manual_seed(4)
    axis = torch.arange(size) - (size - 1) / 2
    distance = (axis[None, :] - x_px) ** 2 + (axis[:, None] - y_px) ** 2
    return torch.randn(1, 4, size, size, generator=generator) + 80 * torch.exp(-distance / 18)


@torch.inference_mode()
def test_moving_the_image_by_the_stride_moves_the_evidence_by_one_cell(untrained):
    image = untrained.normalise(blob(240, 0, 0))
    before = untrained(image).evidence[0]
    after = untrained(image.roll((2 * STRIDE_PX, STRIDE_PX), (-2, -1))).evidence[0]
    inner = slice(17, -17)
    assert torch.allclose(before.roll((2, 1), (0, 1))[inner, inner], after[inner, inner], atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(64, 64), (66, 67), (97, 100), (100, 100), (300, 300)])
def test_any_size_gives_a_verdict_and_a_position_inside_the_field(untrained, shape):
    flux = torch.randn(2, 4, *shape)
    output = untrained(untrained.normalise(flux))
    assert output.logit.shape == (2,)
    assert output.logit.isfinite().all()
    assert (output.x_arcsec.abs() <= shape[1] / 2 * 0.1).all()
    assert (output.y_arcsec.abs() <= shape[0] / 2 * 0.1).all()
    assert (output.position_sigma_arcsec > 0).all()


@torch.inference_mode()
def test_the_verdict_on_an_image_does_not_depend_on_its_batch(untrained):
    flux = torch.randn(5, 4, 80, 80)
    together = untrained(untrained.normalise(flux))
    alone = [untrained(untrained.normalise(flux[i : i + 1])) for i in range(5)]
    assert torch.allclose(together.logit, torch.cat([o.logit for o in alone]), atol=1e-4)
    assert torch.allclose(together.x_arcsec, torch.cat([o.x_arcsec for o in alone]), atol=1e-4)


@torch.inference_mode()
def test_the_unit_of_flux_and_the_level_of_the_sky_do_not_matter(untrained):
    flux = blob(80, 3, 2)
    factor = torch.tensor([1e-3, 1.0, 200.0, 5.0])[None, :, None, None]
    assert torch.allclose(
        untrained.normalise(flux), untrained.normalise(flux * factor + 7 * factor), atol=2e-3
    )


@torch.inference_mode()
def test_missing_pixels_constant_bands_and_extreme_values_leave_everything_finite(untrained):
    flux = blob(80, 0, 0).repeat(4, 1, 1, 1)
    flux[0, 0, :30] = torch.nan
    flux[1, 1] = 3.0
    flux[2, 2] = torch.nan
    flux[3, 3, 5, 5] = torch.inf
    normalised = untrained.normalise(flux)
    assert normalised.isfinite().all()
    assert (normalised[0, 0, :30] == 0).all(), "pixels that are missing look like the sky"
    assert (normalised[1, 1] == 0).all()
    assert (normalised[2, 2] == ABSENT).all(), "a band that is missing is declared"
    assert untrained(normalised).logit.isfinite().all()


def noise_and_galaxy(size: int, *, peak: float, radius_px: float, width_px: float = 0.0) -> torch.Tensor:
    """A galaxy of exponential profile in noise of 2 and its sky of 30: (1, 1, y, x); width_px correlates the noise."""
    dice = Dice(1, torch.Generator().manual_seed(8))
    axis = torch.arange(size) - (size - 1) / 2
    galaxy = peak * torch.exp(-torch.hypot(axis[None, :], axis[:, None]) / radius_px)
    return 30 + galaxy + 2 * correlated_noise((1, 1, size, size), width_px, dice)


@pytest.mark.parametrize("width_px", [0.0, OPTICS["VIS"].noise_width_px, OPTICS["H"].noise_width_px])
@pytest.mark.parametrize("size", [64, 100, 300])
def test_noise_and_sky_are_measured_whatever_correlates_the_noise(size: int, width_px: float):
    flux = noise_and_galaxy(size, peak=0, radius_px=1, width_px=width_px)
    noise = noise_of(flux)
    assert float(noise) == pytest.approx(2, rel=0.12)
    assert float(sky_of(flux, noise)) == pytest.approx(30, abs=0.4)


def test_a_galaxy_that_fills_the_cutout_hardly_counts_as_noise():
    flux = noise_and_galaxy(100, peak=2000, radius_px=15)
    deviation = (flux - flux.median()).abs().median() * 1.4826
    assert float(deviation) > 20 * 2, "by which the noise would be overestimated"
    assert float(noise_of(flux)) == pytest.approx(2, rel=0.35)


def test_pixels_that_are_missing_tell_nothing_of_the_noise():
    flux = noise_and_galaxy(100, peak=0, radius_px=1)
    torn = flux.clone()
    torn[..., :45] = torch.nan
    together = noise_of(torch.cat([flux, torn]))
    assert torch.equal(together, torch.cat([noise_of(flux), noise_of(torn)])), "nor of that of other images"
    assert float(noise_of(torn)) == pytest.approx(2, rel=0.12)
    assert float(sky_of(torn, noise_of(torn))) == pytest.approx(30, abs=0.4)
    assert float(noise_of(flux.round())) == pytest.approx(2, rel=0.15), "counts are whole numbers"
    assert float(noise_of(torch.full_like(flux, 7.0))) == 0
    assert float(noise_of(torch.full_like(flux, torch.nan))) == 0


@torch.inference_mode()
def test_the_verdicts_odds_are_the_mean_of_those_of_all_places(untrained):
    output = untrained(untrained.normalise(blob(64, 0, 0)))
    assert float(output.logit[0]) == pytest.approx(float(output.evidence.exp().mean().log()), abs=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("size", [64, 97, 98, 100])
def test_the_position_is_that_of_the_evidence_whatever_the_size(untrained, size: int):
    # All odds in one cell, which is centred on pixel STRIDE_PX * index.
    normalised = torch.zeros(1, 4, size, size)
    cells = untrained.features(normalised)
    rows, columns = cells.shape[-2:]
    x, _ = untrained.cell_positions(rows, columns)
    corrected = x + (STRIDE_PX * columns - size) / 2 * 0.1
    assert float(corrected[5]) == pytest.approx((STRIDE_PX * 5 - (size - 1) / 2) * 0.1, abs=1e-5)
    output = untrained(normalised)
    judged = untrained.judge(cells)
    assert float(output.x_arcsec - judged.x_arcsec) == pytest.approx(
        (STRIDE_PX * columns - size) / 20, abs=1e-5
    )


@torch.inference_mode()
def test_the_verdict_looks_no_farther_than_its_receptive_field(untrained):
    image = torch.randn(1, 4, 240, 240)
    cell, half_field_px = 28, 56
    changed = image.clone()
    changed[..., STRIDE_PX * cell + half_field_px + 1 :] += 5
    before, after = untrained(image).evidence[0], untrained(changed).evidence[0]
    assert torch.allclose(before[:, : cell + 1], after[:, : cell + 1], atol=1e-5)
    assert not torch.allclose(before[:, cell + 2], after[:, cell + 2], atol=1e-5)


def test_the_shipped_weights_are_small_and_carry_a_card():
    card = default_model()
    assert card.bands == BANDS
    assert card.pixel_scale_arcsec == PIXEL_SCALE_ARCSEC
    assert card.prior == 0.5
    assert card.weights_path.stat().st_size < 2 * 2**20
    assert (SHIPPED / "evidence-net.md").is_file()


@torch.inference_mode()
def test_the_shipped_weights_tell_held_out_lenses_from_contaminants(shipped, held_out):
    output = shipped(shipped.normalise(held_out.images))
    assert auroc(output.logit.numpy(), held_out.is_lens) > 0.95
    # A small sample: 256 images at another share of lenses than the prior.
    assert expected_calibration_error(torch.sigmoid(output.logit).numpy(), held_out.is_lens) < 0.1


@torch.inference_mode()
@pytest.mark.parametrize("observed", [(0,), (0, 3), (1, 2, 3)])
def test_the_shipped_weights_judge_from_some_of_the_bands(shipped, held_out, observed):
    images = held_out.images.clone()
    missing = [band for band in range(4) if band not in observed]
    images[:, missing] = torch.nan
    output = shipped(shipped.normalise(images))
    assert auroc(output.logit.numpy(), held_out.is_lens) > 0.85


@torch.inference_mode()
def test_the_shipped_weights_find_where_the_lens_is(shipped, held_out):
    output = shipped(shipped.normalise(held_out.images))
    predicted = output.x_arcsec.numpy(), output.y_arcsec.numpy()
    error = position_error_arcsec(*predicted, held_out.x_arcsec, held_out.y_arcsec)[held_out.is_lens]
    assert np.median(error) < 0.1
    assert (error < 2.45 * output.position_sigma_arcsec.numpy()[held_out.is_lens]).mean() > 0.8


@torch.inference_mode()
def test_noise_alone_is_no_lens(shipped):
    noise = torch.randn(4, 4, 100, 100, generator=torch.Generator().manual_seed(2))
    assert (torch.sigmoid(shipped(shipped.normalise(noise)).logit) < 0.2).all()


@pytest.mark.real
@torch.inference_mode()
def test_galaxy_scale_lenses_of_euclid_q1_score_above_the_field_galaxies(shipped, shared_folder: Path):
    def p_lens(file: Path) -> float:
        with fits.open(file) as planes:
            flux = np.stack([_plane(planes, band) for band in ("VIS", "NIR_Y", "NIR_J", "NIR_H")])
        return float(torch.sigmoid(shipped(shipped.normalise(torch.from_numpy(flux[None]))).logit))

    lenses = ("102018665_NEG570040238507752998.fits", "102159189_2663231466659368059.fits")
    scores = [p_lens(shared_folder / "real/euclid_q1" / name) for name in lenses]
    field = [p_lens(file) for file in sorted((shared_folder / "real/euclid_q1_field").glob("*.fits"))]
    assert len(field) == 6
    assert min(scores) > max(0.5, *field)


def _plane(planes: fits.HDUList, band: str) -> np.ndarray:
    (data,) = (hdu.data for hdu in planes if hdu.name in (f"{band}_FLUX", f"{band}_BGSUB"))
    return data.astype(np.float32)
