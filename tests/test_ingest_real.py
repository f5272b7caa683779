"""Every set of real images, alone under the survey that suits it, and all of them at once."""

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from data.campaign import create_campaign
from data.ingest import ingest

pytestmark = pytest.mark.real

# folder -> survey, number of objects, bands of most of them
SETS = {
    "euclid_q1": ("euclid", 6, ("VIS", "Y", "J", "H")),
    "euclid_q1_field": ("euclid", 6, ("VIS", "Y", "J", "H")),
    "blf_challenge_SIMULATED/ground_based": ("kids-sim", 12, ("u", "g", "r", "i")),
    "blf_challenge_SIMULATED/space_based": ("euclid", 16, ("VIS",)),
    "cfhtls_lenszoo_nonlens": ("cfhtls", 24, ("R", "G", "B")),
    "cfhtls_spacewarps": ("cfhtls", 213, ("R", "G", "B")),
    "compound": ("hst", 3, ("F475W",)),
    "decals_zoobot": ("legacy", 103, ("R", "G", "B")),
    "des_cfis_vistool": ("des", 7, ("r",)),
    "des_deeplenstronomy": ("des", 46, ("g", "r", "i", "z", "Y")),
    "euclid_ero_a2390": ("euclid", 6, ("R", "G", "B")),
    "hsc": ("hsc", 2, ("g", "r", "i", "z", "y")),
    "hst_slacs": ("hst", 1, ("F814W",)),
    "jwst_cowls": ("jwst", 2, ("F115W", "F150W", "F277W", "F444W")),
    "legacy_dr10": ("legacy", 6, ("g", "r", "z")),
}


@pytest.fixture
def read_set(tmp_path, shared_folder):
    def read(name, *, catalogue=True):
        real = shared_folder / "real"
        campaign = create_campaign(tmp_path / "campaign", survey=SETS[name][0])
        report = ingest(campaign, [real / name], catalogue=real / "MANIFEST.csv" if catalogue else None)
        return campaign, report

    return read


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_read_whole_and_in_its_bands(read_set, name):
    campaign, report = read_set(name)
    _, number, bands = SETS[name]
    assert (report.added, report.rejected) == (number, [])
    objects = campaign.objects()
    found = [stored.bands for stored in objects.rows_of(objects.ids)]
    assert max(set(found), key=found.count)[: len(bands)] == bands or bands in found
    assert "not in the catalogue" not in report.warnings
    assert not [text for text in report.warnings if "shifted" in text or "covers another field" in text]


def test_the_whole_tree_at_once_gives_every_object_an_id_of_its_own(tmp_path, shared_folder):
    real = shared_folder / "real"
    campaign = create_campaign(tmp_path / "campaign", survey="euclid")
    report = ingest(campaign, [real], catalogue=real / "MANIFEST.csv")
    assert (report.added, report.rejected) == (sum(number for _, number, _ in SETS.values()), [])
    assert report.warnings["WCS not believed"] == 3
    objects = campaign.objects()
    assert objects.get("EUCL J174517.55+655612.5").columns["class"] == "lens"
    assert objects.get("DES example galaxy 45").columns["file"].endswith("[45]")
    again = ingest(campaign, [real], catalogue=real / "MANIFEST.csv")
    assert (again.added, again.already_there, again.rejected) == (0, report.added, [])


def test_without_a_catalogue_ids_are_stems(read_set):
    campaign, _ = read_set("euclid_q1", catalogue=False)
    assert "102159189_2663231466659368059" in campaign.objects().ids


def test_the_wcs_that_is_89_arcsec_off_is_not_believed(read_set):
    campaign, _ = read_set("compound")
    stored = campaign.objects().get("DCLS0353-1706_F200LP")
    assert stored.sky is None
    assert (stored.ra_deg, stored.dec_deg) == (58.44268, -17.1109)
    assert any("89 arcsec" in text for text in stored.warnings)


def test_the_same_lens_stands_the_same_way_up_in_fits_and_in_hdf5(read_set):
    campaign, _ = read_set("compound")
    objects, store = campaign.objects(), campaign.cutouts()
    one, other = (
        store.read(objects.get(i))["F200LP"].flux for i in ("DCLS0353-1706_F200LP", "DCLS0353-1706")
    )
    turned = [other, other[::-1], other[:, ::-1], other[::-1, ::-1], other.T]
    alike = [
        np.corrcoef(np.log1p(one.clip(0)).ravel(), np.log1p(image.clip(0)).ravel())[0, 1] for image in turned
    ]
    assert np.argmax(alike) == 0


def test_noise_and_psf_of_their_own_files_come_along_and_masked_pixels_are_nan(read_set):
    campaign, _ = read_set("hst_slacs")
    plane = campaign.cutouts().read(campaign.objects().get("SDSSJ1250+0523"), with_noise=True)["F814W"]
    assert plane.psf.shape == (21, 21)
    assert np.isnan(plane.flux).sum() == np.isnan(plane.rms).sum() == 58880 + 2332


def test_bad_pixels_of_euclid_are_nan_and_all_others_as_in_the_file(read_set, shared_folder):
    campaign, _ = read_set("euclid_q1", catalogue=False)
    name = "102018665_NEG570040238507752998"
    flux = campaign.cutouts().read(campaign.objects().get(name))["VIS"].flux
    with fits.open(shared_folder / "real" / "euclid_q1" / f"{name}.fits") as file:
        bad = file["VIS_RMS"].data > 1e15
        assert bad.sum() == 51
        np.testing.assert_array_equal(np.isnan(flux), bad)
        np.testing.assert_array_equal(flux[~bad], file["VIS_BGSUB"].data[~bad])


def test_pictures_are_stored_with_the_bottom_row_first(read_set, shared_folder):
    campaign, _ = read_set("cfhtls_spacewarps")
    objects = campaign.objects()
    stored = objects.get(objects.ids[0])
    planes = campaign.cutouts().read(stored)
    with Image.open(stored.source_files[0]) as picture:
        expected = np.asarray(picture.convert("RGB"))
    for channel, band in enumerate("RGB"):
        np.testing.assert_array_equal(planes[band].flux[::-1], expected[..., channel])


def test_pixel_scales_differ_between_the_bands_of_one_object(read_set):
    campaign, _ = read_set("jwst_cowls")
    planes = campaign.cutouts().read(campaign.objects().get("COSJ095914+021219"))
    assert {band: plane.pixel_scale_arcsec for band, plane in planes.items()} == {
        "F115W": 0.03,
        "F150W": 0.03,
        "F277W": 0.06,
        "F444W": 0.06,
    }
