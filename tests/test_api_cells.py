"""`POST cells`: many objects in one answer, at the resolution that their cells need."""

import numpy as np
import pytest

from dashboard.cells import averaged, factor_for, statistics_of
from data.cutouts import Plane
from data.maps import MapStore
from lensmodel.models import default_model
from tests.fixtures.galaxies import campaign_of, cutout, galaxy, score
from tests.fixtures.servers import API, object_url, running_server
from tests.test_api_planes import unframed

COLOUR = {c: Plane(np.full((40, 40), 10.0 * n, np.float32)) for n, c in enumerate("RGB")}
VERSION = default_model().version


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    cutouts = [
        cutout("a", galaxy(1)),
        cutout("b", galaxy(2, shape=(30, 90))),
        cutout("one band", galaxy(3, bands=("VIS",))),
        cutout("colour", COLOUR, kind="colour"),
    ]
    campaign = campaign_of(tmp_path_factory.mktemp("c") / "c", cutouts)
    score(campaign, {"a": 0.9, "b": 0.2}, model_version=VERSION)
    return campaign


@pytest.fixture(scope="module")
def client(campaign):
    with running_server(campaign) as client:
        yield client


def asked(client, path: str, magic: bytes, **wanted: object) -> tuple[dict, bytes]:
    answer = client.post(f"{API}/{path}", json=wanted)
    assert answer.status_code == 200, answer.text
    header, start = unframed(answer.content, magic)
    return header, answer.content[start:]


def flux_of(plane: dict, data: bytes) -> np.ndarray:
    count = int(np.prod(plane["shape"]))
    return np.frombuffer(data, "<f4", count, plane["offset"]).reshape(plane["shape"])


def test_a_large_cell_has_every_pixel_and_the_hash_that_votes_name(client, campaign):
    header, data = asked(client, "cells", b"LVC1", object_ids=["a"], side_px=100)
    [cell] = header["cells"]
    planes = campaign.cutouts().read(campaign.objects().get("a"))
    assert cell["planes_hash"] == client.get(object_url("a")).json()["planes_hash"]
    assert [plane["band"] for plane in cell["planes"]] == list(planes)
    for plane in cell["planes"]:
        np.testing.assert_array_equal(flux_of(plane, data), planes[plane["band"]].flux)
        assert plane["statistics"] == statistics_of(planes[plane["band"]].flux)


def test_a_small_cell_has_all_the_light_in_fewer_pixels_and_the_limits_of_the_full_picture(client, campaign):
    header, data = asked(client, "cells", b"LVC1", object_ids=["a"], side_px=20, bands=["VIS"])
    [plane] = header["cells"][0]["planes"]
    full = campaign.cutouts().read(campaign.objects().get("a"))["VIS"]
    small = flux_of(plane, data)
    # 64 px in blocks of 3 leave one over; of 2, none.
    assert small.shape == (32, 32)
    assert plane["pixel_scale_arcsec"] == pytest.approx(0.2)
    assert small.sum() == pytest.approx(full.flux.sum(), rel=1e-4)
    assert plane["statistics"]["median"] == pytest.approx(4 * np.sort(full.flux.ravel())[2048], rel=1e-6)


def test_an_object_without_one_of_the_bands_comes_with_all_it_has(client):
    header, _ = asked(client, "cells", b"LVC1", object_ids=["one band", "a"], side_px=9, bands=["H", "VIS"])
    bands = [[plane["band"] for plane in cell["planes"]] for cell in header["cells"]]
    assert bands == [["VIS"], ["H", "VIS"]]


def test_what_is_missing_says_so_and_does_not_cost_the_page(client):
    header, _ = asked(client, "cells", b"LVC1", object_ids=["nobody", "a"], side_px=9)
    missing, found = header["cells"]
    assert "no object 'nobody'" in missing["problem"]
    assert found["planes"]


@pytest.mark.parametrize("damage", [b"", b"torn", bytes(5000)])
def test_a_damaged_chunk_costs_the_cells_in_it_and_no_others(tmp_path, damage):
    wide = cutout("wide", galaxy(3, shape=(80, 80)))
    campaign = campaign_of(tmp_path / "c", [cutout("a", galaxy(1)), wide])
    (chunk,) = campaign.cutouts_path.glob("64x64-*/VIS/c/0/0/0")
    chunk.write_bytes(damage)
    with running_server(campaign) as client:
        header, _ = asked(client, "cells", b"LVC1", object_ids=["wide", "a", "nobody", "wide"], side_px=64)
    problems = [cell.get("problem", "") for cell in header["cells"]]
    assert "VIS cannot be read" in problems[1]
    assert "nobody" in problems[2]
    assert [problems[0], problems[3]] == ["", ""]


def test_colour_images_keep_their_brightness(client):
    header, data = asked(client, "cells", b"LVC1", object_ids=["colour"], side_px=20)
    planes = header["cells"][0]["planes"]
    assert [float(flux_of(plane, data).mean()) for plane in planes] == [0.0, 10.0, 20.0]
    assert planes[0]["shape"] == [20, 20]


def test_a_page_has_no_more_objects_than_a_mosaic_has_cells(client):
    wanted = {"object_ids": ["a"] * 401, "side_px": 9}
    assert client.post(f"{API}/cells", json=wanted).status_code == 422


def test_verdicts_have_the_maps_that_are_stored_and_nothing_is_computed(client, campaign):
    stored = campaign.objects().get("a")
    map_ = np.zeros((64, 64), np.float32)
    map_[40, 20] = 8.0
    MapStore(campaign.maps_path(VERSION, "grad-cam"), signed=False, unit="logit, relative").write(
        stored, map_
    )
    wanted = {
        "object_ids": ["a", "b", "one band"],
        "model": "evidence-net",
        "method": "grad-cam",
        "side_px": 16,
    }
    header, data = asked(client, "cells/verdicts", b"LVV1", **wanted)
    a, b, one_band = header["verdicts"]
    assert (a["p_lens"], b["p_lens"], one_band["p_lens"]) == (pytest.approx(0.9), pytest.approx(0.2), None)
    assert (a["x_arcsec"], a["position_sigma_arcsec"]) == (0.5, pytest.approx(0.2))
    assert b["map"] is one_band["map"] is None
    assert flux_of(a["map"], data)[10, 5] == pytest.approx(8.0 / 16)
    assert a["map"]["pixel_scale_arcsec"] == pytest.approx(0.4)


def test_where_grading_is_blind_there_are_pixels_and_no_verdicts(tmp_path):
    campaign = campaign_of(tmp_path / "c", [cutout("a", galaxy(1))], reveal="after-grade")
    score(campaign, {"a": 0.4321})
    with running_server(campaign) as client:
        pixels = client.post(f"{API}/cells", json={"object_ids": ["a"], "side_px": 9})
        verdicts = client.post(f"{API}/cells/verdicts", json={"object_ids": ["a"], "model": "test-net-0"})
    assert (pixels.status_code, verdicts.status_code) == (200, 403)
    assert b"0.43" not in pixels.content + verdicts.content
    assert "after your blind grade" in verdicts.json()["detail"]


@pytest.mark.parametrize("shape", [(100, 100), (101, 101), (64, 65), (30, 90), (7, 7), (1, 1)])
@pytest.mark.parametrize("side_px", [1, 9, 35, 200])
def test_blocks_keep_the_centre_and_leave_the_pixels_that_a_cell_needs(shape, side_px):
    factor = factor_for(shape, side_px)
    small = averaged(Plane(np.ones(shape, np.float32), 0.1), factor, kind="flux")
    assert max(small.flux.shape) >= min(side_px, max(shape)) - 1
    assert (small.flux == factor**2).all()
    assert all((length - factor * n) % 2 == 0 for length, n in zip(shape, small.flux.shape, strict=True))


def test_unmeasured_pixels_stay_so_and_darken_no_block():
    flux = np.ones((4, 4), np.float32)
    flux[:2, :2] = flux[3, 3] = np.nan
    small = averaged(Plane(flux, 0.1), 2, kind="flux").flux
    assert np.isnan(small[0, 0])
    assert small[1, 1] == 4
    assert statistics_of(np.full((3, 3), np.nan, np.float32)) is None
