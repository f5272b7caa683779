"""Y, J, H in NISP's own pixels: the same skies, light, depth and truth as in the resampled images."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dashboard.plots.thumbnails import thumbnail
from data.campaign import Campaign, create_campaign
from data.errors import CampaignError
from data.scores import scores_of
from data.simulations import recipes, simulate, writing
from data.simulations.dice import Dice
from data.simulations.instrument import (
    FIELD_PX,
    MARGIN_PX,
    OPTICS,
    PIXEL_SCALE_ARCSEC,
    PsfShape,
    binned,
    convolve,
    kernels,
    moffat,
    record,
)
from data.simulations.menu import NIR
from data.simulations.native import (
    NATIVE_FACTOR,
    NATIVE_PSFS,
    NIR_BANDS,
    blur_native,
    native_marks,
    native_noise,
    native_px,
    record_native,
)
from data.simulations.recipes import draw_chunk
from data.surveys import SURVEYS
from data.truth import TruthMasks
from lensmodel.models import ModelCard, add_model, model_named
from lensmodel.scoring import score
from tests.fixtures.one_thread import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")

OWN = [PsfShape(1, 1, 1, 0)] * 4
CANVAS_PX = FIELD_PX + 2 * MARGIN_PX


def dice(number: int, seed: int = 1) -> Dice:
    return Dice(number, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def both():
    return draw_chunk(7, 0, "held-out"), draw_chunk(7, 0, "held-out", nir="native")


@pytest.mark.parametrize("field_px", [64, 65, 66, 100, 101, 200])
def test_native_pixels_cover_the_field_about_the_same_centre(field_px: int):
    beyond = NATIVE_FACTOR * native_px(field_px) - field_px
    assert beyond >= 0
    assert beyond % 2 == 0
    assert beyond // 2 <= MARGIN_PX


def test_whoever_asks_for_native_pixels_gets_the_same_skies_otherwise(both):
    resampled, native = both
    assert resampled.native is None
    assert native.native.shape == (256, 3, 34, 34)
    assert torch.equal(resampled.images, native.images)
    assert torch.equal(resampled.lensed, native.lensed)
    assert resampled.subtypes == native.subtypes


def test_a_galaxy_has_the_same_flux_and_place_in_native_pixels(both):
    _, chunk = both
    axis = (torch.arange(FIELD_PX) - (FIELD_PX - 1) / 2) * PIXEL_SCALE_ARCSEC
    wide = (torch.arange(34) - 16.5) * PIXEL_SCALE_ARCSEC * NATIVE_FACTOR
    for index, band in enumerate(NIR_BANDS):
        within = []
        for plane, places in ((chunk.images[:, 1 + index], axis), (chunk.native[:, index], wide)):
            y, x = torch.meshgrid(places, places, indexing="ij")
            target = [chunk.truth[f"sim_target_{a}_arcsec"][:, None, None] for a in "xy"]
            light = plane * (torch.hypot(x - target[0], y - target[1]) < 1.8)
            total = light.sum((-2, -1))
            within.append((total, (light * x).sum((-2, -1)) / total, (light * y).sum((-2, -1)) / total))
        bright = within[0][0] > 1000 * OPTICS[band].noise_rms * 3
        assert int(bright.sum()) > 50
        (flux, x0, y0), (native_flux, x1, y1) = ([value[bright] for value in one] for one in within)
        assert float((native_flux / flux).median()) == pytest.approx(1, abs=0.03)
        assert float((x1 - x0).median()) == pytest.approx(0, abs=0.01)
        assert float((y1 - y0).median()) == pytest.approx(0, abs=0.01)
        assert float((x1 - x0).abs().median()) < 0.05


@pytest.mark.parametrize("band", NIR_BANDS)
def test_native_pixels_are_as_deep_as_resampled_ones(band: str):
    index = NIR_BANDS.index(band)
    sums = []
    for level in (0.0, 20.0):  # empty sky, and one whose photons add as much noise again
        flux = torch.full((1500, 4, 48, 48), level * OPTICS[band].noise_rms)
        native = NATIVE_FACTOR**2 * flux[:, 1:, :16, :16]
        resampled = record(flux, dice(1500))[:, 1 + index, 9:39, 9:39]
        recorded = record_native(native, dice(1500))[:, index, 3:13, 3:13]
        deviations = [_scatter(plane.sum((-2, -1))) for plane in (resampled, recorded)]
        assert deviations[1] == pytest.approx(deviations[0], rel=0.1)
        sums.append(deviations[1])
    assert sums[1] > 1.2 * sums[0]


def _scatter(sums: torch.Tensor) -> float:
    """Standard deviation of what bad pixels do not spoil."""
    off = (sums - sums.median()).abs()
    return float(sums[off < 5 * off.median()].std())


def test_noise_of_native_pixels_is_independent():
    sky = record_native(torch.zeros(64, 3, 40, 40), dice(64))
    for index, band in enumerate(NIR_BANDS):
        plane = sky[:, index]
        good = plane[(plane.abs() < 6 * native_noise(band)).all(-1).all(-1)]
        assert float(good.std()) == pytest.approx(native_noise(band), rel=0.1)
        lag_one = float((good[..., 1:] * good[..., :-1]).mean() / good.square().mean())
        assert abs(lag_one) < 0.02


@pytest.mark.parametrize("band", NIR_BANDS)
def test_optics_pixel_and_resampling_make_the_psf_of_the_resampled_images(band: str):
    fine, size = 2, 256  # fine pixels of 0.05 arcsec
    fwhm_arcsec, beta = NATIVE_PSFS[band]
    optics = moffat(size, fwhm_px=fwhm_arcsec / PIXEL_SCALE_ARCSEC * fine, beta=beta)
    offset = torch.fft.fftfreq(size, 1 / size)
    across = torch.exp(-0.5 * (offset / (fine * OPTICS[band].noise_width_px)) ** 2)
    resampling = across[:, None] * across / across.sum() ** 2
    made = convolve(convolve(optics, _box(offset, 3 * fine)), resampling)
    psf = moffat(
        size,
        fwhm_px=OPTICS[band].psf_fwhm_arcsec / PIXEL_SCALE_ARCSEC * fine,
        beta=OPTICS[band].psf_beta,
    )
    expected = convolve(psf, _box(offset, fine))
    assert float((made - expected).abs().max() / expected.max()) < 0.045
    within = torch.hypot(offset[:, None], offset[None]) < 0.5 / 0.05
    assert float(made[within].sum()) == pytest.approx(float(expected[within].sum()), abs=0.025)


def _box(offset: torch.Tensor, width: int) -> torch.Tensor:
    """A square pixel of an even number of fine pixels, its outermost ones half."""
    one = (offset.abs() < width / 2).float() + 0.5 * (offset.abs() == width / 2)
    return one[:, None] * one / one.sum() ** 2


def test_native_pixels_sum_the_light_of_nine_of_the_resampled_grid():
    sky = torch.zeros(1, 3, CANVAS_PX, CANVAS_PX)
    sky[:, :, 54, 54] = 5.0
    native = blur_native(sky, OWN, FIELD_PX)[0]
    assert native.sum((-2, -1)).tolist() == pytest.approx([5.0] * 3, rel=0.03)
    assert all(divmod(int(plane.argmax()), 34) == (17, 17) for plane in native)
    resampled = convolve(sky[:, 1], kernels(OWN, CANVAS_PX)[2])[:, 3:-3, 3:-3]
    # The optics alone are sharper than what resampling leaves.
    assert float(native[1].max()) > float(binned(resampled, NATIVE_FACTOR).max())


def test_a_bad_column_of_three_resampled_pixels_is_one_native_column():
    for first in range(0, FIELD_PX - 3):
        marks = torch.zeros(1, 4, FIELD_PX, FIELD_PX)
        marks[0, 2, :, first : first + 3] = 7.0
        native = native_marks(marks)
        assert native.shape[-2:] == (34, 34)
        columns = native[0, 1].abs().amax(0).nonzero()[:, 0]
        assert len(columns) == 1
        assert abs((float(columns[0]) - 16.5) * 3 - (first + 1 - 49.5)) <= 1
        assert float(native[0, 1].max()) == 63


def test_a_twin_differs_from_its_lens_in_native_pixels_by_the_lensed_light_alone(both):
    _, chunk = both
    lenses = (chunk.is_lens & (chunk.twin >= 0)).nonzero()[:, 0]
    assert len(lenses) > 8
    for row in lenses.tolist():
        difference = chunk.native[row] - chunk.native[chunk.twin[row]]
        assert (difference.median() < native_noise("J") * 0.5).all()
        assert float(difference.sum()) > 0


def test_native_pixels_reach_a_campaign_with_the_truth_of_the_resampled_one(tmp_path):
    campaigns = [create_campaign(tmp_path / nir, survey="euclid") for nir in ("native", "resampled")]
    for campaign in campaigns:
        assert simulate(campaign, number=10, seed=5, nir=campaign.path.name) == 10
    native, resampled = (campaign.objects().rows_of(campaign.objects().ids) for campaign in campaigns)
    assert not {one.object_id for one in native} & {one.object_id for one in resampled}
    for one, other in zip(native, resampled, strict=True):
        planes, others = campaigns[0].cutouts().read(one), campaigns[1].cutouts().read(other)
        assert np.array_equal(planes["VIS"].flux, others["VIS"].flux)
        assert [planes[band].flux.shape for band in ("VIS", "Y")] == [(100, 100), (34, 34)]
        assert [planes[band].pixel_scale_arcsec for band in ("VIS", "H")] == pytest.approx([0.1, 0.3])
        assert planes["Y"].zero_point_mag == others["Y"].zero_point_mag
        masks = TruthMasks(campaigns[0].truth_path), TruthMasks(campaigns[1].truth_path)
        assert np.array_equal(masks[0].read(one), masks[1].read(other))
        differing = {"sim_nir", "sim_twin"}
        assert {k: v for k, v in one.columns.items() if k not in differing} == {
            k: v for k, v in other.columns.items() if k not in differing
        }
        assert (one.columns["sim_nir"], other.columns["sim_nir"]) == ("native", "resampled")
    twin_ids = {one.columns["sim_twin"] for one in native} - {None}
    assert twin_ids
    assert len(twin_ids & {one.object_id for one in native}) >= len(twin_ids) - 1


def test_a_campaign_takes_the_same_skies_in_one_kind_of_pixels_only(campaign: Campaign):
    simulate(campaign, number=1, seed=5, nir="native")
    with pytest.raises(CampaignError, match="with native Y, J, H, the same skies"):
        simulate(campaign, number=1, seed=5)
    assert simulate(campaign, number=1, seed=6) == 1
    with pytest.raises(CampaignError, match="expected resampled or native"):
        simulate(campaign, number=1, seed=5, nir="binned")


def test_thumbnails_of_native_pixels_have_the_colours_of_resampled_ones(both):
    reds = []
    for chunk in both:
        cutouts = writing.cutouts_of(chunk.first(12), seed=7, recipe="held-out", first=0)
        pictures = [thumbnail(cutout.planes, SURVEYS["euclid"]) for cutout in cutouts]
        reds.append([_redness(picture) for picture in pictures])
    assert np.median(np.abs(np.subtract(*reds))) < 0.05


def _redness(data_uri: str | None) -> float:
    """Red over red and blue, of the light in the middle."""
    assert data_uri is not None
    picture = Image.open(io.BytesIO(base64.b64decode(data_uri.partition(",")[2]))).convert("RGB")
    red, _, blue = np.asarray(picture, float)[46:66, 46:66].sum((0, 1))
    return float(red / (red + blue))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch):
    for module in (recipes, writing):
        monkeypatch.setattr(module, "CHUNK", 16)


@pytest.mark.usefixtures("small_chunks")
def test_networks_judge_native_pixels_much_as_resampled_ones(tmp_path):
    logits = logits_of(tmp_path, model_named("evidence-net"), "held-out")
    assert np.corrcoef(logits)[0, 1] > 0.9


@pytest.mark.real
@pytest.mark.usefixtures("small_chunks")
def test_ou_66_takes_its_own_pixels_as_they_are(tmp_path, shared_folder):
    logits = logits_of(tmp_path, add_model(shared_folder / "wilde2022" / "OU_66.pt"), "wilde2022")
    assert np.corrcoef(logits)[0, 1] > 0.9


def logits_of(folder: Path, card: ModelCard, recipe: str) -> list[list[float]]:
    """Of the same 16 skies in either kind of pixels."""
    logits = []
    for nir in NIR:
        campaign = create_campaign(folder / nir, survey="euclid")
        simulate(campaign, number=16, seed=3, recipe=recipe, nir=nir)
        score(campaign, card)
        rows = scores_of(campaign.score_parts(card.version), campaign.objects().ids)
        logits.append([float(rows[object_id]["logit"]) for object_id in campaign.objects().ids])
    return logits
