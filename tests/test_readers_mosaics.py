"""Mosaics: cut at the catalogue's positions, by each image's own WCS, from files that are only mapped."""

import numpy as np
import pytest
from astropy.io import fits

from data.ingest import ingest
from tests.fixtures.tiles import CENTRE, sky_at, tile, write_catalogue, write_tile


def test_positions_are_cut_from_every_band_and_edges_are_nan(campaign, tmp_path):
    source = tmp_path / "tiles"
    source.mkdir()
    vis, near = tile(), tile(seed=1)
    write_tile(source / "EUC_MER_BGSUB-MOSAIC-VIS_TILE1-8A.fits", vis)
    write_tile(source / "EUC_MER_BGSUB-MOSAIC-NIR-H_TILE1-3B.fits", near, band="NIR_H")
    write_tile(source / "EUC_MER_MOSAIC-VIS-RMS_TILE1-9C.fits", np.abs(vis) + 1)
    places = {"middle": sky_at(350.2, 300.2), "edge": sky_at(10.2, 590.2), "outside": sky_at(5000, 300)}
    report = ingest(campaign, [source], catalogue=write_catalogue(tmp_path / "list.csv", places))
    assert (report.added, report.rejected) == (2, [])
    objects, store = campaign.objects(), campaign.cutouts()
    middle, edge = objects.get("middle"), objects.get("edge")
    assert middle.bands == edge.bands == ("VIS", "H")
    planes = store.read(middle, with_noise=True)
    # 20 arcsec are 200 px; the middle of an even window lies between two pixels.
    np.testing.assert_array_equal(planes["VIS"].flux, vis[201:401, 251:451])
    np.testing.assert_array_equal(planes["H"].flux, near[201:401, 251:451])
    np.testing.assert_array_equal(planes["VIS"].rms, np.abs(vis)[201:401, 251:451] + 1)
    assert middle.columns["mag"] == 20.5
    assert middle.sky.sky_of(-0.03, -0.03) == pytest.approx(sky_at(350.2, 300.2), abs=1e-8)
    cut = store.read(edge)["VIS"].flux
    assert np.isnan(cut[:, :89]).all()
    np.testing.assert_array_equal(
        cut[:, 89:], np.vstack([vis[491:, :111], np.full((91, 111), np.nan, np.float32)])
    )


def test_running_it_again_cuts_only_new_positions(campaign, tmp_path):
    path = write_tile(tmp_path / "tile.fits", tile())
    first = {"a": sky_at(300, 300)}
    ingest(campaign, [path], catalogue=write_catalogue(tmp_path / "first.csv", first))
    both = write_catalogue(tmp_path / "both.csv", first | {"b": sky_at(400, 200)})
    report = ingest(campaign, [path], catalogue=both)
    assert (report.added, report.already_there, report.rejected) == (1, 1, [])
    assert campaign.objects().ids == ["a", "b"]


def test_compressed_and_scaled_mosaics_give_the_same_pixels(campaign, tmp_path):
    values = np.round(tile() * 1000).astype(np.float32)
    write_tile(tmp_path / "vis.fits", values, extension="VIS_BGSUB")
    write_tile(tmp_path / "h.fits.fz", values.astype(np.int32), band="NIR_H", compressed=True)
    scaled = fits.ImageHDU(values.astype(np.int16))
    scaled.scale("int16", bzero=3)
    with fits.open(tmp_path / "vis.fits") as file:
        header = file[1].header.copy()
        header["FILTER"], header["EXTNAME"], header["BITPIX"] = "NIR_J", "NIR_J", 16
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(values.astype(np.uint16), header)]).writeto(
            tmp_path / "j.fits"
        )
    places = write_catalogue(tmp_path / "list.csv", {"a": sky_at(300.2, 300.2)})
    report = ingest(campaign, [tmp_path], catalogue=places)
    assert (report.added, report.rejected) == (1, [])
    planes = campaign.cutouts().read(campaign.objects().get("a"))
    np.testing.assert_array_equal(planes["VIS"].flux, values[201:401, 201:401])
    np.testing.assert_array_equal(planes["H"].flux, planes["VIS"].flux)
    np.testing.assert_array_equal(planes["J"].flux, values.astype(np.uint16)[201:401, 201:401])


def test_tiles_that_overlap_give_each_object_once(campaign, tmp_path):
    write_tile(tmp_path / "one.fits", tile())
    write_tile(tmp_path / "two.fits", tile(seed=2))
    places = write_catalogue(tmp_path / "list.csv", {"a": sky_at(300, 300)})
    assert ingest(campaign, [tmp_path], catalogue=places).added == 1


def test_a_large_image_that_the_catalogue_names_is_a_cutout(campaign, tmp_path):
    write_tile(tmp_path / "cluster.fits", tile())
    places = write_catalogue(tmp_path / "list.csv", {"cluster": CENTRE})
    ingest(campaign, [tmp_path], catalogue=places)
    assert campaign.cutouts().read(campaign.objects().get("cluster"))["VIS"].flux.shape == (600, 700)
