"""From packed cutouts to tensors: bands by name, the window a model sees, and what cannot be seen."""

import dataclasses

import numpy as np
import pytest
import torch

from data.cutout_store import CutoutStore
from data.cutouts import Cutout, Plane
from lensmodel.models import MODELS, ModelCard
from lensmodel.preprocessing import Field, bands_missing, field_of, flux_batch, why_not
from tests.fixtures.packed import planes


def a_card(name="ou-66", **changes):
    row = dataclasses.asdict(MODELS[name])
    fields = {field.name: row.get(field.name) for field in dataclasses.fields(ModelCard)}
    return ModelCard(**(fields | {"architecture": name, "prior": None} | changes))


def pack(tmp_path, *cutouts):
    path = tmp_path / "cutouts.zarr"
    stored = CutoutStore(path, {}).append(cutouts)
    return CutoutStore(path), stored


def seen(card, store, *stored):
    rows = np.array([one.cutout_row for one in stored])
    return flux_batch(card, store, stored[0].cutout_group, rows)


def test_bands_go_by_name_whatever_their_order(tmp_path):
    cutout = Cutout("a", planes(bands=("H", "VIS", "g", "J", "Y")))
    store, (stored,) = pack(tmp_path, cutout)
    flux, reasons = seen(a_card("ou-200"), store, stored)
    assert reasons == [None]
    for channel, band in enumerate(("J", "Y", "H", "VIS")):
        np.testing.assert_array_equal(flux[0, channel], cutout.planes[band].flux)


def test_a_band_of_small_pixels_becomes_means_of_the_central_window(tmp_path):
    cutout = Cutout("a", planes())
    store, (stored,) = pack(tmp_path, cutout)
    flux, _ = seen(a_card("ou-66"), store, stored)
    window = cutout.planes["H"].flux[1:199, 1:199]
    expected = window.reshape(66, 3, 66, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(flux[0, 2], expected, rtol=1e-5, atol=1e-6)


def test_bands_of_different_pixel_scales_show_the_same_sky(tmp_path):
    """A source at (+1.2, -0.6) arcsec is there in every band, in both families of networks."""
    bands = {}
    for band, shape, scale in (
        ("VIS", (200, 200), 0.1), ("Y", (67, 67), 0.3), ("J", (150, 151), 0.17), ("H", (66, 70), 0.305),
    ):  # fmt: skip
        y, x = ((np.arange(n) - (n - 1) / 2) * scale for n in shape)
        light = np.exp(-(np.hypot(x[None, :] - 1.2, y[:, None] + 0.6) ** 2) / 2 / 0.8**2)
        bands[band] = Plane(light.astype(np.float32), scale)
    store, (stored,) = pack(tmp_path, Cutout("a", bands))
    for card in (a_card("ou-66"), a_card("ou-200", field_px=198)):
        assert why_not(card, stored, store) is None
        field = field_of(card, store, stored.cutout_group)
        expected = (1.2 - field.x_arcsec, -0.6 - field.y_arcsec)
        flux, _ = seen(card, store, stored)
        position = (np.arange(card.field_px) - (card.field_px - 1) / 2) * card.pixel_scale_arcsec
        for channel in flux[0].double().numpy():
            light = channel / channel.sum()
            assert (light.sum(axis=0) @ position, light.sum(axis=1) @ position) == pytest.approx(
                expected, abs=0.06
            )


def test_a_scale_that_is_whole_but_for_the_digits_of_a_header_is_not_interpolated(tmp_path):
    cutout = Cutout("a", planes(scale=0.10000012))
    store, (stored,) = pack(tmp_path, cutout)
    flux, _ = seen(a_card("ou-200"), store, stored)
    np.testing.assert_array_equal(flux[0, 3], cutout.planes["VIS"].flux)


@pytest.mark.parametrize(("length", "expected"), [(200, 0.0), (201, -0.05), (300, 0.0), (205, -0.05)])
def test_a_window_that_cannot_be_centred_says_by_how_much(tmp_path, length, expected):
    store, (stored,) = pack(tmp_path, Cutout("a", planes((length, length))))
    field = field_of(a_card("ou-200"), store, stored.cutout_group)
    assert (field.x_arcsec, field.y_arcsec) == pytest.approx((expected, expected))


def test_a_model_of_any_size_sees_the_whole_cutout(tmp_path):
    cutout = Cutout("a", planes((60, 81)))
    store, (stored,) = pack(tmp_path, cutout)
    card = a_card("evidence-net")
    assert field_of(card, store, stored.cutout_group) == Field((60, 81))
    np.testing.assert_array_equal(seen(card, store, stored)[0][0, 0], cutout.planes["VIS"].flux)


def test_what_was_not_measured_becomes_the_median_of_its_band(tmp_path):
    given = planes()
    given["H"].flux[:100] = np.nan
    given["H"].flux[150, 150] = np.inf
    store, stored = pack(tmp_path, Cutout("a", planes(seed=1)), Cutout("b", given))
    flux, reasons = seen(a_card("ou-200"), store, *stored)
    assert reasons == [None, None]
    assert torch.isfinite(flux).all()
    finite = given["H"].flux[np.isfinite(given["H"].flux)]
    assert flux[1, 2, 0, 0] == pytest.approx(np.median(finite), abs=1e-3)
    np.testing.assert_array_equal(flux[1, 2, 160:], given["H"].flux[160:])


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.24, 0.4])
def test_nothing_but_finite_numbers_comes_out_at_any_scale(tmp_path, scale):
    given = planes(scale=scale)
    given["Y"].flux[95:105, :] = np.nan
    store, (stored,) = pack(tmp_path, Cutout("a", given))
    flux, reasons = seen(a_card("ou-66"), store, stored)
    assert reasons == [None]
    assert torch.isfinite(flux).all()


@pytest.mark.parametrize(
    ("value", "complaint"), [(np.nan, "band Y has no measured pixel"), (0.0, "band Y is constant (0)")]
)
@pytest.mark.parametrize("name", ["ou-66", "ou-200"])
def test_an_empty_band_is_a_reason_and_leaves_its_neighbours_alone(tmp_path, value, complaint, name):
    given = planes()
    given["Y"].flux[:] = value
    neighbour = Cutout("b", planes(seed=1))
    store, stored = pack(tmp_path, Cutout("a", given), neighbour)
    flux, reasons = seen(a_card(name), store, *stored)
    assert reasons[1] is None
    assert complaint in reasons[0]
    assert torch.isfinite(flux).all()
    alone, _ = seen(a_card(name), store, stored[1])
    assert torch.equal(flux[1], alone[0])


@pytest.mark.parametrize(("side", "is_too_small"), [(31, True), (32, False)])
def test_cutouts_too_small_to_measure_their_noise_are_refused(tmp_path, side: int, is_too_small: bool):
    store, (stored,) = pack(tmp_path, Cutout("a", planes(shape=(side, side), bands=("VIS",))))
    complaint = why_not(a_card("evidence-net"), stored, store)
    assert (complaint is not None) == is_too_small
    if complaint:
        assert '3.1" x 3.1" (31x31 px); Evidence network looks at 3.2" or more' in complaint


@pytest.mark.parametrize(
    ("cutout", "complaint"),
    [
        (Cutout("a", planes(), kind="colour"), "it is a colour image and OU-200 needs fluxes"),
        (Cutout("a", planes(bands=("VIS", "Y"))), "it has bands VIS, Y; OU-200 needs J, Y, H, VIS"),
        (Cutout("a", planes(scale=float("nan"))), "the pixel scale of J, Y, H, VIS is not known"),
        (Cutout("a", planes(scale=0.0)), "the pixel scale of J, Y, H, VIS is not known"),
        (Cutout("a", planes((100, 100))), '10.0" x 10.0" (100x100 px); OU-200 looks at 20.0"'),
        (Cutout("a", planes((300, 199))), '19.9" x 30.0" (199x300 px); OU-200 looks at 20.0"'),
    ],
)
def test_what_a_model_cannot_see_has_a_reason(tmp_path, cutout, complaint):
    store, (stored,) = pack(tmp_path, cutout)
    assert complaint in why_not(a_card("ou-200"), stored, store)


def test_rows_may_come_in_any_order_and_with_gaps(tmp_path):
    store, stored = pack(tmp_path, *(Cutout(str(i), planes((66, 66), 0.3, seed=i)) for i in range(9)))
    card = a_card("ou-66")
    flux, _ = seen(card, store, stored[7], stored[2], stored[4])
    for row, one in zip(flux, (stored[7], stored[2], stored[4]), strict=True):
        assert torch.equal(row, seen(card, store, one)[0][0])


@pytest.mark.parametrize("bands", [("VIS",), ("H",), ("H", "VIS"), ("VIS", "J", "g")])
def test_a_band_that_an_object_lacks_is_a_plane_of_nan_and_the_others_are_as_ever(tmp_path, bands):
    card = a_card("evidence-net")
    cutout = Cutout("a", planes((60, 81), bands=bands))
    store, (stored,) = pack(tmp_path, cutout)
    assert why_not(card, stored, store) is None
    assert field_of(card, store, stored.cutout_group) == Field((60, 81))
    flux, reasons = seen(card, store, stored)
    assert reasons == [None]
    assert flux.dtype == torch.float32
    for channel, band in zip(flux[0], card.bands, strict=True):
        if band in bands:
            np.testing.assert_array_equal(channel, cutout.planes[band].flux)
        else:
            assert channel.isnan().all()
    assert bands_missing(card, flux) == [",".join(band for band in card.bands if band not in bands)]


def test_bands_that_are_there_set_the_field_whatever_their_pixels(tmp_path):
    card = a_card("evidence-net")
    store, (stored,) = pack(tmp_path, Cutout("a", {"H": Plane(planes((40, 40))["H"].flux, 0.3)}))
    assert field_of(card, store, stored.cutout_group) == Field((120, 120))
    flux, _ = seen(card, store, stored)
    assert flux.shape == (1, 4, 120, 120)
    assert torch.isfinite(flux[0, 3]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -3.5])
def test_a_band_of_no_use_is_missing_for_that_object_alone(tmp_path, value):
    card = a_card("evidence-net")
    given = planes()
    given["Y"].flux[:] = value
    store, stored = pack(tmp_path, Cutout("a", given), Cutout("b", planes(seed=1)))
    flux, reasons = seen(card, store, *stored)
    assert reasons == [None, None]
    assert bands_missing(card, flux) == ["Y", None]
    assert flux[0, 1].isnan().all()
    assert torch.isfinite(flux[0, [0, 2, 3]]).all()
    assert torch.equal(flux[1], seen(card, store, stored[1])[0][0])


@pytest.mark.parametrize("bands", [("VIS",), ("VIS", "H")])
def test_an_object_without_a_band_of_use_has_a_reason_for_each(tmp_path, bands):
    given = planes(bands=bands)
    for band, value in zip(bands, (7.0, np.nan), strict=False):
        given[band].flux[:] = value
    store, (stored,) = pack(tmp_path, Cutout("a", given))
    _, (reason,) = seen(a_card("evidence-net"), store, stored)
    assert "band VIS is constant (7) where the model looks" in reason
    assert ("band H has no measured pixel where the model looks" in reason) == ("H" in bands)


@pytest.mark.parametrize("scale", [0.1, 0.05, 0.07, 0.3])
def test_what_was_not_measured_stays_nan_for_a_model_that_can_be_told(tmp_path, scale):
    """Two thirds filled with their own median would leave a band that seems to have no noise."""
    given = planes((120, 120), scale=scale, bands=("VIS",))
    given["VIS"].flux[:80] = np.nan
    given["VIS"].flux[100, 60] = np.inf
    store, (stored,) = pack(tmp_path, Cutout("a", given))
    card = a_card("evidence-net")
    flux, reasons = seen(card, store, stored)
    assert reasons == [None]
    assert bands_missing(card, flux) == ["Y,J,H"]
    rows = flux.shape[2]
    y = (np.arange(rows) - (rows - 1) / 2) * card.pixel_scale_arcsec
    measured_from = (80 - 119 / 2) * scale
    assert flux[0, 0, y < measured_from - card.pixel_scale_arcsec - scale].isnan().all()
    inside = flux[0, 0, y > measured_from + card.pixel_scale_arcsec + scale]
    assert inside.isfinite().float().mean() > 0.99


def test_a_mask_of_zeros_is_not_measured_and_a_few_zeros_are(tmp_path):
    masked, sparse = planes(bands=("VIS",)), planes(bands=("VIS",), seed=1)
    masked["VIS"].flux[:40] = 0.0
    sparse["VIS"].flux[::2, ::2] = 0.0
    store, stored = pack(tmp_path, Cutout("a", masked), Cutout("b", sparse))
    flux, reasons = seen(a_card("evidence-net"), store, *stored)
    assert reasons == [None, None]
    assert flux[0, 0, :40].isnan().all()
    np.testing.assert_array_equal(flux[0, 0, 40:], masked["VIS"].flux[40:])
    np.testing.assert_array_equal(flux[1, 0], sparse["VIS"].flux)


@pytest.mark.parametrize(
    ("cutout", "complaint"),
    [
        (
            Cutout("a", planes(bands=("F814W",))),
            "it has bands F814W; Evidence network needs one of VIS, Y, J, H",
        ),
        (Cutout("a", planes(bands=("F814W",))), "lensvet ingest --band F814W=VIS"),
        (Cutout("a", planes(bands=("VIS",), scale=float("nan"))), "the pixel scale of VIS is not known"),
        (Cutout("a", planes(bands=("VIS",), scale=0.01, shape=(8, 8))), "ingest larger cutouts"),
    ],
)
def test_what_no_band_can_help_has_a_reason(tmp_path, cutout, complaint):
    store, (stored,) = pack(tmp_path, cutout)
    assert complaint in why_not(a_card("evidence-net"), stored, store)


def test_weights_that_were_not_trained_for_it_need_every_band(tmp_path):
    store, (stored,) = pack(tmp_path, Cutout("a", planes(bands=("VIS",))))
    card = a_card("evidence-net", bands_may_be_missing=False)
    assert "it has bands VIS; Evidence network needs VIS, Y, J, H" in why_not(card, stored, store)
