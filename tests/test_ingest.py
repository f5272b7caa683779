"""Ingest: what is packed is what was in the files; bad input is named, and the rest goes on."""

import csv
import os
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from data.campaign import create_campaign, open_campaign, remember_filters, remember_source
from data.errors import CampaignError, CatalogueError
from data.files import held_alone
from data.ingest import IngestProgress, ingest, ingest_new, why_not_an_id
from data.readers import read_file
from tests.fixtures.euclid_files import euclid_hdus, write_euclid
from tests.fixtures.odd_files import picture, truncate, write_bombs, write_colours, write_fits, write_hdf5

HOSTILE_IDS = [
    "<script>alert(1)</script>",
    '"quoted", and, commas',
    "two\nlines",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "../../etc/passwd",
    "a/b",
    "%2e%2e",
    "日本語 Ωμέγα العربية 🔭",
    "x" * 10_000,
    " spaces around ",
    "C:\\",
    "'; DROP TABLE votes; --",
]


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def rejected_of(campaign):
    """{name of file: reason} as `rejected.csv` says."""
    if not campaign.rejected_path.exists():
        return {}
    with campaign.rejected_path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "reason"]
    return {Path(file).name: reason for file, reason in rows[1:]}


def stored(campaign, object_id):
    return campaign.cutouts().read(campaign.objects().get(object_id), with_noise=True)


def contents(campaign):
    """{id: hash of its planes}."""
    table = campaign.objects().table
    return dict(zip(table["object_id"].to_pylist(), table["planes_hash"].to_pylist(), strict=True))


def test_packed_planes_are_those_of_the_file(campaign, source):
    path = write_euclid(source / "a.fits", seed=3)
    assert ingest(campaign, [source]).added == 1
    planes = stored(campaign, "a")
    with fits.open(path) as file:
        for band, name in {"VIS": "VIS", "Y": "NIR_Y", "J": "NIR_J", "H": "NIR_H"}.items():
            np.testing.assert_array_equal(planes[band].flux, file[f"{name}_FLUX"].data)
            np.testing.assert_array_equal(planes[band].rms, file[f"{name}_RMS"].data)
            np.testing.assert_array_equal(planes[band].psf, file[f"{name}_PSF"].data)


def test_objects_of_all_formats_and_shapes_live_in_one_campaign(campaign, source):
    write_euclid(source / "a.fits", side_px=64)
    write_euclid(source / "b.fits", side_px=100)
    write_hdf5(source / "c.h5", image_data=picture())
    np.savez(source / "d.npz", VIS=picture(), H=picture())
    write_colours(
        source / "e.png", np.zeros((30, 30, 3), np.uint8) + np.arange(30, dtype=np.uint8)[:, None, None]
    )
    report = ingest(campaign, [source])
    assert (report.added, report.rejected) == (5, [])
    objects = campaign.objects()
    assert objects.ids == list("abcde")
    assert objects.get("d").bands == ("VIS", "H")
    assert objects.get("e").kind == "colour"


def test_running_it_again_reads_only_what_is_new(campaign, source, monkeypatch):
    write_euclid(source / "a.fits")
    write_euclid(source / "b.fits", seed=1)
    assert ingest(campaign, [source]).added == 2
    write_euclid(source / "c.fits", seed=2)
    read = []
    monkeypatch.setattr(
        "data.readers.unit_reader.read_file", lambda path: read.append(path) or read_file(path)
    )
    report = ingest(campaign, [source])
    assert (report.added, report.already_there) == (1, 2)
    assert [path.name for path in read] == ["c.fits"]


def test_bad_files_are_rejected_with_a_reason_and_the_rest_goes_on(campaign, source):
    marker = source / "it-ran"
    truncate(write_euclid(source / "truncated.fits"), 0.45)
    (source / "empty.fits").touch()
    (source / "noise.fits").write_bytes(os.urandom(3000))
    write_fits(source / "line.fits", np.zeros(50, np.float32))
    write_fits(source / "hypercube.fits", np.zeros((2, 3, 20, 20), np.float32))
    (source / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    (source / "torn.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 50)
    write_bombs(source, marker)
    for name in ("README.md", "map.txt", "LICENSE"):
        (source / name).write_text("text")
    write_euclid(source / "good.fits")
    report = ingest(campaign, [source])
    assert report.added == 1
    reasons = rejected_of(campaign)
    assert reasons.keys() == {
        *("truncated.fits", "empty.fits", "noise.fits", "line.fits", "hypercube.fits", "torn.png", "torn.h5"),
        *("bomb-npz.npz", "bomb-npy.npy", "bomb-pkl.pkl", "bomb-fits.fits"),
    }
    assert "truncated" in reasons["truncated.fits"]
    assert "0 bytes" in reasons["empty.fits"]
    assert "(2, 3, 20, 20)" in reasons["hypercube.fits"]
    assert not marker.exists()
    assert {r.reason for r in report.rejected} == set(reasons.values())


def test_a_file_that_was_mended_is_read_and_leaves_the_rejected(campaign, source):
    truncate(write_euclid(source / "a.fits"), 0.45)
    assert ingest(campaign, [source]).added == 0
    assert list(rejected_of(campaign)) == ["a.fits"]
    write_euclid(source / "a.fits")
    assert ingest(campaign, [source]).added == 1
    assert rejected_of(campaign) == {}


def test_empty_and_constant_planes_are_kept_and_reported(campaign, source):
    hdus = euclid_hdus()
    hdus["NIR_J_FLUX"].data[:] = np.nan
    hdus["NIR_H_FLUX"].data[:] = 5
    hdus.writeto(source / "a.fits")
    report = ingest(campaign, [source])
    assert (report.warnings["J is empty"], report.warnings["H is constant"]) == (1, 1)
    assert [text.split(":")[0] for text in campaign.objects().get("a").warnings] == [
        "J is empty",
        "H is constant",
    ]
    assert np.isnan(stored(campaign, "a")["J"].flux).all()


def test_a_missing_band_is_reported_and_no_other_takes_its_place(campaign, source):
    for number in range(3):
        write_euclid(source / f"{number}.fits", seed=number)
    write_euclid(source / "without.fits", bands=("VIS", "NIR_Y", "NIR_H"))
    report = ingest(campaign, [source])
    assert report.warnings == {"J is missing": 1}
    assert campaign.objects().get("without").bands == ("VIS", "Y", "H")


def test_bands_shifted_against_each_other_are_reported(campaign, source):
    write_euclid(source / "a.fits", shifted={"NIR_J": (-6, 26)})
    assert ingest(campaign, [source]).warnings["J is shifted against VIS"] == 1
    assert "+26 px" in campaign.objects().get("a").warnings[0]


def test_the_second_of_two_objects_with_one_id_is_rejected_and_names_the_first(campaign, source):
    for folder in ("one", "two"):
        (source / folder).mkdir()
        write_euclid(source / folder / "a.fits", seed=len(folder))
    report = ingest(campaign, [source])
    assert report.added == 1
    (rejected,) = report.rejected
    assert rejected.file == str((source / "two" / "a.fits").resolve())
    assert str((source / "one" / "a.fits").resolve()) in rejected.reason
    assert ingest(campaign, [source]).rejected == [rejected]


def test_hostile_ids_are_kept_to_the_letter(campaign, source, tmp_path):
    for number in range(len(HOSTILE_IDS)):
        write_fits(source / f"f{number}.fits", picture(seed=number))
    with (tmp_path / "list.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("object_id", "file"), *((i, f"f{n}.fits") for n, i in enumerate(HOSTILE_IDS))]
        )
    report = ingest(campaign, [source], catalogue=tmp_path / "list.csv")
    assert (report.added, report.rejected) == (len(HOSTILE_IDS), [])
    objects = open_campaign(campaign.path).objects()
    assert sorted(objects.ids) == sorted(HOSTILE_IDS)
    for number, object_id in enumerate(HOSTILE_IDS):
        np.testing.assert_array_equal(stored(campaign, object_id)["VIS"].flux, picture(seed=number))


def test_hostile_file_names_are_ids_too(campaign, source):
    names = ["<b>x", "=1+1", 'say "hi"', "two\nlines", "Ωμέγα", "a;b,c"]
    for name in names:
        write_fits(source / f"{name}.fits", picture())
    (source / "torn\n=1.fits").touch()
    assert ingest(campaign, [source]).added == len(names)
    assert sorted(campaign.objects().ids) == sorted(names)
    assert list(rejected_of(campaign)) == ["torn\n=1.fits"]


@pytest.mark.parametrize("object_id", ["", "  ", ".", "..", "a\0b", "\udcff"])
def test_ids_that_nothing_can_carry_are_refused(object_id):
    assert why_not_an_id(object_id)


def test_an_id_that_cannot_be_is_a_reason_and_the_rest_goes_on(campaign, source, tmp_path):
    write_fits(source / "a.fits", picture())
    write_fits(source / "b.fits", picture())
    (tmp_path / "list.csv").write_text("file,object_id\na.fits,..\nb.fits,fine\n")
    report = ingest(campaign, [source], catalogue=tmp_path / "list.csv")
    assert campaign.objects().ids == ["fine"]
    assert "'..'" in report.rejected[0].reason


def test_columns_and_positions_come_from_the_catalogue(campaign, source, tmp_path):
    write_euclid(source / "a.fits", position_deg=(58.2, -49.47))
    write_euclid(source / "b.fits", position_deg=(10.0, 10.0))
    table = Table({"ID": ["a", "b"], "RA": [58.2001, 200.0], "Dec": [-49.4701, 10.0], "I_E": [21.4, 22.5]})
    table.write(tmp_path / "list.fits")
    report = ingest(campaign, [source], catalogue=tmp_path / "list.fits")
    near, far = campaign.objects().get("a"), campaign.objects().get("b")
    assert (near.ra_deg, near.dec_deg, near.columns["I_E"]) == (58.2001, -49.4701, 21.4)
    assert near.sky.ra_deg == pytest.approx(58.2, abs=1e-9)  # where the cutout is, not where the object is
    assert (far.ra_deg, far.cd_deg, far.sky) == (200.0, None, None)
    assert report.warnings["WCS not believed"] == 1


def test_a_catalogue_may_call_a_file_by_its_stem_without_the_band(campaign, source, tmp_path):
    write_fits(source / "imageEUC_VIS-100002.fits", picture())
    (tmp_path / "list.csv").write_text("ID,is_lens\n100002,1\n")
    ingest(campaign, [source], catalogue=tmp_path / "list.csv")
    assert campaign.objects().get("100002").columns == {"is_lens": 1}


def test_a_large_catalogue_with_bad_coordinates_is_no_obstacle(campaign, source, tmp_path):
    write_euclid(source / "obj000007.fits")
    bad = ["nan,1", "400,1", "10,-95", "text,2", ","]
    lines = [f"obj{n:06d},{bad[n % 5] if n % 2 else '10.5,-20.5'},{n}" for n in range(100_000)]
    (tmp_path / "list.csv").write_text("object_id,RA,Dec,rank\n" + "\n".join(lines) + "\nshort\n")
    report = ingest(campaign, [source], catalogue=tmp_path / "list.csv")
    counts = {text.split(":")[0]: count for text, count in report.warnings.items()}
    assert counts == {"catalogue rows without a usable position": 50_000, "catalogue rows left out": 1}
    stored_object = campaign.objects().get("obj000007")
    assert stored_object.columns["rank"] == 7
    assert stored_object.ra_deg == pytest.approx(58.2)  # the file's, as the catalogue's is unusable


def test_columns_that_are_numbers_in_one_file_and_text_in_another_do_not_stop_it(campaign, source):
    np.savez(source / "a.npz", VIS=picture(), meta_size=40)
    ingest(campaign, [source])
    np.savez(source / "b.npz", VIS=picture(), meta_size="forty", meta_huge=np.uint64(2**64 - 1))
    np.savez(source / "c.npz", VIS=picture(), meta_size=True)
    assert ingest(campaign, [source]).added == 2
    assert [campaign.objects().get(i).columns["size"] for i in "abc"] == ["40", "forty", "True"]
    assert campaign.objects().get("b").columns["huge"] == str(2**64 - 1)


def test_a_band_that_comes_after_its_object_is_rejected_with_the_reason(tmp_path, source):
    campaign = create_campaign(tmp_path / "des", survey="des")
    for band in "gr":
        write_fits(source / f"a_{band}.fits", picture())
    ingest(campaign, [source])
    write_fits(source / "a_i.fits", picture())
    report = ingest(campaign, [source])
    assert (report.added, report.already_there) == (0, 1)
    assert "'a'" in rejected_of(campaign)["a_i.fits"]
    assert campaign.objects().get("a").bands == ("g", "r")


def test_processes_read_the_same_as_one(tmp_path, source, monkeypatch):
    monkeypatch.setattr("data.readers.pool._READ_HERE_BYTES", 500_000)
    for number in range(20):
        write_euclid(source / f"{number:02d}.fits", seed=number, side_px=64)
    write_fits(source / "stack_VIS.fits", np.stack([picture(seed=n) for n in range(100)]))
    (source / "torn.fits").touch()
    one, two = (create_campaign(tmp_path / name, survey="euclid") for name in ("one", "two"))
    alone, together = ingest(one, [source], workers=0), ingest(two, [source], workers=2)
    assert contents(one) == contents(two)
    assert len(contents(one)) == 120
    assert alone == together


def test_progress_is_told_for_every_unit(campaign, source):
    for number in range(3):
        write_euclid(source / f"{number}.fits", seed=number, side_px=20)
    (source / "torn.fits").touch()
    told: list[IngestProgress] = []
    ingest(campaign, [source], on_progress=told.append)
    assert [progress.units_done for progress in told] == [1, 2, 3, 4]
    assert told[-1] == IngestProgress(4, 4, 3, 1)


def test_the_first_objects_are_there_before_the_last_is_read(campaign, source, monkeypatch):
    monkeypatch.setattr("data.packing._FIRST_SAVE_S", 0.0)
    monkeypatch.setattr("data.packing._SAVE_EVERY_S", 0.0)
    monkeypatch.setattr("data.packing._SAVING_SHARE", 1e9)
    for number in range(3):
        write_euclid(source / f"{number}.fits", seed=number, side_px=20)
    seen = []
    ingest(campaign, [source], on_progress=lambda _: seen.append(len(open_campaign(campaign.path).objects())))
    assert seen == [1, 2, 3]


def test_an_interrupted_ingest_keeps_what_it_read_and_goes_on_from_there(campaign, source):
    for number in range(6):
        write_euclid(source / f"{number}.fits", seed=number, side_px=20)

    def interrupt(progress):
        if progress.units_done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(campaign, [source], on_progress=interrupt)
    assert len(campaign.objects()) == 4
    assert ingest(campaign, [source]).added == 2
    assert campaign.objects().ids == [str(number) for number in range(6)]


def test_two_ingests_at_once_are_refused(campaign, source):
    write_euclid(source / "a.fits")
    with (
        held_alone(campaign.path / ".ingest.lock", doing="ingesting"),
        pytest.raises(CampaignError, match="already ingesting"),
    ):
        ingest(campaign, [source])


def test_errors_come_before_anything_is_written(campaign, source, tmp_path):
    write_euclid(source / "a.fits")
    with pytest.raises(CatalogueError):
        ingest(campaign, [source], catalogue=tmp_path / "nowhere.csv")
    with pytest.raises(CampaignError):
        ingest(campaign, [source, tmp_path / "nowhere"])
    assert not campaign.cutouts_path.exists()
    assert open_campaign(campaign.path).sources == ()


def test_sources_are_remembered_unless_told_otherwise(campaign, source):
    write_euclid(source / "a.fits")
    ingest(campaign, [source], remember=False)
    assert open_campaign(campaign.path).sources == ()
    ingest(campaign, [source])
    assert open_campaign(campaign.path).sources == (str(source.resolve()),)


def test_the_campaigns_own_files_are_not_read(campaign):
    write_euclid(campaign.path / "a.fits")
    assert ingest(campaign, [campaign.path.parent]).added == 0


def test_following_takes_new_files_once_they_are_quiet(campaign, source):
    write_euclid(source / "a.fits")
    ingest(campaign, [source])
    campaign = open_campaign(campaign.path)
    write_euclid(source / "b.fits", seed=1)
    (source / "torn.fits").touch()
    assert ingest_new(campaign).added == 0
    assert rejected_of(campaign) == {}
    time.sleep(2.1)
    report = ingest_new(campaign)
    assert (report.added, len(report.rejected)) == (1, 1)
    assert ingest_new(campaign).rejected == []  # it did not change, so it is not read again
    assert list(rejected_of(campaign)) == ["torn.fits"]
    write_euclid(source / "torn.fits", seed=2)
    assert ingest_new(campaign).added == 0
    time.sleep(2.1)
    assert ingest_new(campaign).added == 1
    assert rejected_of(campaign) == {}


def test_a_pixel_scale_is_for_images_that_state_none(campaign, source):
    write_fits(source / "bare_F814W.fits", picture())
    write_fits(source / "stated_F814W.fits", picture(seed=1), PIXSCALE=0.03)
    catalogue = source.parent / "catalogue.csv"
    catalogue.write_text("id,pixel_scale\nlisted,0.04\nblank,\n")
    write_fits(source / "listed_F814W.fits", picture(seed=2))
    write_fits(source / "blank_F814W.fits", picture(seed=3))
    ingest(campaign, [source], catalogue=catalogue, pixel_scale_arcsec=0.05)
    table = campaign.objects()
    scales = {name: stored(campaign, name)["F814W"].pixel_scale_arcsec for name in table.ids}
    assert {name.removesuffix("_F814W"): scale for name, scale in scales.items()} == {
        "bare": 0.05, "stated": 0.03, "listed": 0.04, "blank": 0.05,
    }  # fmt: skip


@pytest.mark.parametrize("scale", [0.0, -0.1, 1e-300, float("nan"), float("inf")])
def test_a_pixel_scale_that_is_none_is_refused_before_anything_is_read(campaign, source, scale):
    write_fits(source / "a_F814W.fits", picture())
    with pytest.raises(CampaignError, match=r"expected arcsec between 0\.0001 and 100"):
        ingest(campaign, [source], pixel_scale_arcsec=scale)
    assert len(campaign.objects()) == 0


def test_another_pixel_scale_for_what_is_packed_is_refused(campaign, source):
    write_fits(source / "a_F814W.fits", picture())
    ingest(campaign, [source], pixel_scale_arcsec=0.5)
    with pytest.raises(
        CampaignError, match=r"was ingested with a pixel scale of 0.5 arcsec, not 0.05.* new campaign"
    ):
        ingest(open_campaign(campaign.path), [source], pixel_scale_arcsec=0.05)
    assert dict(open_campaign(campaign.path).pixel_scales_arcsec) == {str(source.resolve()): 0.5}
    ingest(open_campaign(campaign.path), [source], pixel_scale_arcsec=0.5)


def test_the_pixel_scale_of_a_source_holds_for_its_later_files_and_for_no_others(campaign, source, tmp_path):
    write_fits(source / "a_VIS.fits", picture())
    ingest(campaign, [source], pixel_scale_arcsec=0.05)
    write_fits(tmp_path / "other" / "other_VIS.fits", picture(seed=2))
    ingest(campaign, [tmp_path / "other"])
    write_fits(source / "b_VIS.fits", picture(seed=1))
    time.sleep(2.1)
    ingest_new(open_campaign(campaign.path))
    found = {name[0]: stored(campaign, name)["VIS"].pixel_scale_arcsec for name in campaign.objects().ids}
    assert found == {"a": 0.05, "b": 0.05, "o": 0.1}  # the last is the survey's own


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"pixel_scale_arcsec": -1.0}, CampaignError),
        ({"catalogue": Path("nowhere.csv")}, CatalogueError),
        ({"filters": [("F814W", "VIS"), ("F160W", "I")]}, CampaignError),
    ],
    ids=str,
)
def test_an_ingest_that_is_refused_leaves_the_settings_as_they_were(campaign, source, wrong, error):
    write_fits(source / "a_F814W.fits", picture(), PIXSCALE=0.05)
    before = campaign.settings_path.read_bytes()
    with pytest.raises(error):
        ingest(campaign, [source], **{"filters": [("F814W", "VIS")], **wrong})
    assert campaign.settings_path.read_bytes() == before


def test_an_ingest_keeps_what_another_one_put_into_the_settings(campaign, source, tmp_path):
    write_fits(source / "a_F814W.fits", picture(), PIXSCALE=0.05)
    remember_filters(remember_source(open_campaign(campaign.path), tmp_path), [("F814W", "VIS")])
    ingest(campaign, [source])
    assert campaign.objects().get("a_F814W").bands == ("VIS",)
    now = open_campaign(campaign.path)
    assert now.sources == (str(tmp_path), str(source.resolve()))
    assert now.survey.stand_ins == (("F814W", "VIS"),)


def test_filters_that_were_remembered_hold_for_files_that_arrive_later(campaign, source):
    campaign = remember_filters(campaign, [("F814W", "VIS")])
    write_fits(source / "a_F814W.fits", picture(), PIXSCALE=0.05)
    ingest(campaign, [source])
    write_fits(source / "b_F814W.fits", picture(seed=1), PIXSCALE=0.05)
    os.utime(source / "b_F814W.fits")
    time.sleep(2.1)
    ingest_new(open_campaign(campaign.path))
    objects = campaign.objects()
    assert [one.bands for one in objects.rows_of(objects.ids)] == [("VIS",), ("VIS",)]
