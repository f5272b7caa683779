"""Which objects are known lenses, which come twice: made, kept up to date, filtered by, exported, shown, withheld."""

import time
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dashboard import cli, live_crossmatch, live_table
from data import crossmatch
from data.backup import restore_backup, write_backup
from data.campaign import Campaign, open_campaign
from data.catalogue import catalogue_rows
from data.crossmatch import Matched, Radii, bring_up_to_date, is_up_to_date, made_of_in, matches_of
from data.errors import CampaignError, CatalogueError, FilterError
from data.exports import export
from data.filters import parsed
from data.inspection import settings_from
from data.inspection_store import InspectionStore
from data.label_store import LabelStore
from data.objects import ObjectTable
from data.survey_table import SurveyTable, made_of, write_survey_table
from tests.fixtures.campaigns import MODEL, add_objects, add_scores, filled_campaign
from tests.fixtures.groups import TEAM, open_session, queue_of, signed_in, team_server
from tests.fixtures.odd_files import picture, write_fits
from tests.fixtures.positions import known_lenses, put_at, write_csv
from tests.fixtures.servers import API, object_url, running_server

ARCSEC = 1 / 3600
HORSESHOE = (177.13808, 19.50089)
HORSESHOE_NAMES = "1.0 | SDSS J114833.14+193003.2 | SDSSJ114833.14+193003.2"
IDS = ["plain", "lens", "twin", "far twin", "nowhere"]
# The Cosmic Horseshoe, an object 0.5" south of it, and one that only the second connects with the first.
POSITIONS = {
    "plain": (10.0, 10.0),
    "lens": HORSESHOE,
    "twin": (HORSESHOE[0], HORSESHOE[1] - 0.5 * ARCSEC),
    "far twin": (HORSESHOE[0], HORSESHOE[1] - 1.4 * ARCSEC),
}
HOSTILE = '<img src=x onerror="alert(1)">\'; DROP TABLE x; --'


def a_campaign(folder: Path, **settings: object) -> Campaign:
    campaign = filled_campaign(folder, IDS, size_px=4, **settings)
    put_at(campaign, POSITIONS)
    add_scores(campaign, {"plain": 1.0, "lens": 2.0})
    return campaign


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return a_campaign(tmp_path / "c")


def rows(campaign: Campaign) -> dict[str, dict[str, object]]:
    return {row["object_id"]: row for row in matches_of(campaign)[0].to_pylist()}


def vote(client, object_id: str, **more: object) -> None:
    values = {"vote_id": str(uuid.uuid4()), "object_id": object_id, "phase": "blind", "grade": "A"} | more
    answer = client.post(f"{API}/votes", json=values)
    assert answer.status_code == 201, answer.text


# What is found


def test_a_known_lens_is_named_with_all_that_lenscat_says(campaign):
    assert bring_up_to_date(campaign) == Matched(
        5, 4, 3, 2, "lenscat 1.1.3 within 2 arcsec, and itself within 1 arcsec"
    )
    found = rows(campaign)
    assert set(found) == {"lens", "twin", "far twin"}
    lens = found["lens"]
    assert lens["known_lens"] == HORSESHOE_NAMES
    assert (lens["known_lens_grading"], lens["known_lens_type"]) == ("probable", "group")
    assert lens["known_lens_arcsec"] == pytest.approx(0.036, abs=1e-3)
    assert lens["duplicate_of"] is None
    assert lens["duplicate_arcsec"] is None


def test_duplicates_name_the_first_of_their_group_and_how_far_it_is(campaign):
    found = rows(campaign)
    assert [found[name]["duplicate_of"] for name in ("twin", "far twin")] == ["lens", "lens"]
    assert found["twin"]["duplicate_arcsec"] == pytest.approx(0.5, abs=1e-6)
    assert found["far twin"]["duplicate_arcsec"] == pytest.approx(1.4, abs=1e-6)


def test_other_lenses_and_radii_are_those_chosen_and_stay_so_when_the_catalogue_grows(campaign):
    ours = known_lenses([{"name": HOSTILE, "ra_deg": 10.0, "dec_deg": 10 + 4 * ARCSEC}])
    crossmatch.crossmatch(campaign, known=ours, radii=Radii(known_arcsec=5.0, duplicate_arcsec=0.6))
    assert {name: row["known_lens"] for name, row in rows(campaign).items()} == {
        "plain": HOSTILE,
        "twin": None,
    }
    add_objects(campaign, ["new"])
    put_at(campaign, POSITIONS | {"new": (10.0, 10.0)})
    assert not is_up_to_date(campaign)
    found = rows(campaign)
    assert (found["new"]["known_lens"], found["new"]["duplicate_of"]) == (HOSTILE, "plain")
    crossmatch.crossmatch(campaign)
    assert "lenscat 1.1.3 within 2 arcsec" in bring_up_to_date(campaign).against


@pytest.mark.parametrize("radius_arcsec", [0.0, -1.0, 61.0, np.nan, np.inf])
def test_a_radius_of_no_object_is_refused(campaign, radius_arcsec):
    for radii in (Radii(known_arcsec=radius_arcsec), Radii(duplicate_arcsec=radius_arcsec)):
        with pytest.raises(CampaignError, match=r"expected more than 0 and at most 60"):
            crossmatch.crossmatch(campaign, radii=radii)
    assert not campaign.crossmatch_path.exists()


def test_an_empty_campaign_has_no_matches(tmp_path):
    empty = filled_campaign(tmp_path / "empty", [])
    assert bring_up_to_date(empty).objects == 0
    empty.catalogue_path.unlink(missing_ok=True)
    assert bring_up_to_date(empty) == Matched(0, 0, 0, 0, bring_up_to_date(empty).against)
    assert matches_of(empty)[0].num_rows == 0


def test_a_large_catalogue_gives_the_same_in_batches(campaign, monkeypatch):
    whole = matches_of(campaign)[0]
    campaign.crossmatch_path.unlink()
    monkeypatch.setattr(crossmatch, "_BATCH_ROWS", 2)
    assert matches_of(campaign)[0].equals(whole)


def test_float32_positions_and_none_at_all_are_read(campaign):
    table = campaign.objects().table
    for name, values in (("ra_deg", [1, 1, None, 5, None]), ("dec_deg", [2, 2, 2, None, None])):
        number = table.column_names.index(name)
        table = table.set_column(number, name, pa.array(values, pa.float32()))
    ObjectTable(table).save(campaign.catalogue_path)
    assert {name: row["duplicate_of"] for name, row in rows(campaign).items()} == {"lens": "plain"}


# What is kept up to date


def test_nothing_is_made_twice_and_a_changed_catalogue_is_out_of_date_at_once(campaign):
    assert not is_up_to_date(campaign)
    bring_up_to_date(campaign)
    assert is_up_to_date(campaign)
    before = campaign.crossmatch_path.stat().st_mtime_ns
    bring_up_to_date(campaign)
    assert campaign.crossmatch_path.stat().st_mtime_ns == before
    put_at(campaign, {})
    assert not is_up_to_date(campaign)
    assert rows(campaign) == {}


def test_a_newer_lenscat_makes_it_out_of_date(campaign, tmp_path, monkeypatch):
    bring_up_to_date(campaign)
    known_lenses([], title="lenscat").save(tmp_path / "newer.parquet")
    monkeypatch.setattr(crossmatch, "LENSCAT", tmp_path / "newer.parquet")
    assert not is_up_to_date(campaign)
    assert bring_up_to_date(campaign).known == 0


@pytest.mark.parametrize("content", [b"", b"PAR1 no"])
def test_a_damaged_file_is_made_anew(campaign, content):
    campaign.crossmatch_path.write_bytes(content)
    (campaign.path / ".crossmatch.parquet.0123.partial").write_bytes(content)  # of a process that was killed
    assert made_of_in(campaign.crossmatch_path) is None
    assert bring_up_to_date(campaign).known == 3
    assert not list(campaign.path.glob("*.partial"))


def test_a_file_without_our_note_is_made_anew(campaign):
    pq.write_table(pa.table({"object_id": ["plain"]}), campaign.crossmatch_path)
    assert bring_up_to_date(campaign).known == 3


def test_the_file_says_what_it_is_made_of(campaign):
    bring_up_to_date(campaign)
    made = made_of_in(campaign.crossmatch_path)
    assert made is not None
    assert (made["known_lenses"]["title"], made["known_lenses"]["version"]) == ("lenscat", "1.1.3")
    assert made["radii"] == {"known_arcsec": 2.0, "duplicate_arcsec": 1.0}
    assert made["catalogue"] == campaign.catalogue_path.stat().st_mtime_ns


def test_a_backup_keeps_the_lenses_and_radii_that_were_chosen(campaign, tmp_path):
    ours = known_lenses([{"name": "ours", "ra_deg": 10.0, "dec_deg": 10.0}])
    crossmatch.crossmatch(campaign, known=ours, radii=Radii(duplicate_arcsec=0.1))
    write_backup(campaign, tmp_path / "b.tar")
    again = restore_backup(tmp_path / "b.tar", tmp_path / "again")
    assert {name: row["known_lens"] for name, row in rows(again).items()} == {"plain": "ours"}


# Commands


def test_the_command_says_what_it_found(campaign, tmp_path, capsys):
    assert cli.main(["crossmatch", str(campaign.path)]) == 0
    said = capsys.readouterr().out
    assert (
        "4 positions compared with lenscat 1.1.3 within 2 arcsec, and itself within 1 arcsec: "
        "known lenses 3, duplicates 2; objects without a position 1" in said
    )
    path = write_csv(tmp_path / "ours.csv", "name,ra,dec\nOurs,10,10\n")
    words = ["--known", str(path), "--known-radius", "0.5", "--duplicate-radius", "0.6"]
    assert cli.main(["crossmatch", str(campaign.path), *words]) == 0
    assert "known lenses 1, duplicates 1" in capsys.readouterr().out
    path.unlink()
    assert {name: row["known_lens"] for name, row in rows(campaign).items()} == {
        "plain": "Ours",
        "twin": None,
    }


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--known", "NOWHERE.csv"], "cannot be opened"),
        (["--known-radius", "100"], "the radius is 100 arcsec; expected more than 0 and at most 60"),
        (["--duplicate-radius", "nan"], "the radius is nan arcsec"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line_and_changes_nothing(campaign, words, complaint, capsys):
    crossmatch.crossmatch(campaign, known=known_lenses([]))
    before = campaign.known_lenses_path.read_bytes(), campaign.crossmatch_path.read_bytes()
    assert cli.main(["crossmatch", str(campaign.path), *words]) == 1
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert (campaign.known_lenses_path.read_bytes(), campaign.crossmatch_path.read_bytes()) == before


def test_ingest_says_how_many_are_known_and_how_many_come_twice(campaign, tmp_path, capsys):
    for name in ("one", "two"):
        write_fits(tmp_path / "new" / f"{name}_VIS.fits", picture(16))
    catalogue = write_csv(
        tmp_path / "new.csv", f"object_id,ra_deg,dec_deg\none,{HORSESHOE[0]},{HORSESHOE[1]}\ntwo,10,10\n"
    )
    words = ["ingest", str(campaign.path), str(tmp_path / "new"), "--catalogue", str(catalogue)]
    assert cli.main([*words, "--pixel-scale", "0.1", "--workers", "0"]) == 0
    assert "6 positions compared with lenscat 1.1.3" in capsys.readouterr().out
    assert is_up_to_date(campaign)
    assert rows(campaign)["two"]["duplicate_of"] == "plain"


# Filters


def ids(campaign: Campaign, text: str, model: str = MODEL) -> list[str]:
    write_survey_table(campaign, model, campaign.table_path(model))
    table = SurveyTable(campaign.table_path(model))
    try:
        return sorted(table.page(parsed(text))["object_id"].to_pylist())
    finally:
        table.close()


def test_filters_speak_of_known_lenses_and_duplicates(campaign):
    assert ids(campaign, "known") == ["far twin", "lens", "twin"]
    assert ids(campaign, "not known") == ["nowhere", "plain"]
    assert ids(campaign, "known and not duplicate and p_lens > 0.5") == ["lens"]
    assert ids(campaign, "duplicate_of = 'lens'") == ["far twin", "twin"]
    assert ids(campaign, "known_lens_grading = 'probable' and known_lens_arcsec < 0.4") == ["lens"]
    assert ids(campaign, "known_lens is missing and duplicate_of is missing") == ["nowhere", "plain"]


def test_columns_of_the_survey_with_these_names_stand_beside_them(campaign):
    table = campaign.objects().table.append_column("known_lens", pa.array(["x", "y", None, "", "z"]))
    ObjectTable(table.append_column("known", pa.array([1, 0, 1, 0, 1]))).save(campaign.catalogue_path)
    assert ids(campaign, "cat_known_lens = 'x'") == ["plain"]
    assert ids(campaign, "known = 1 and known") == ["twin"]


def test_a_table_is_out_of_date_when_what_it_was_compared_with_is(campaign):
    write_survey_table(campaign, MODEL, campaign.table_path(MODEL))
    before = made_of(campaign, MODEL)
    assert is_up_to_date(campaign)
    crossmatch.crossmatch(campaign, radii=Radii(duplicate_arcsec=0.1))
    assert made_of(campaign, MODEL) != before
    assert ids(campaign, "duplicate") == []


def test_a_catalogue_that_grew_while_its_table_was_made_makes_it_anew(campaign, monkeypatch):
    made = crossmatch.bring_up_to_date

    def grows_meanwhile(one):
        made(one)
        add_objects(one, ["late"])

    monkeypatch.setattr(crossmatch, "bring_up_to_date", grows_meanwhile)
    write_survey_table(campaign, MODEL, campaign.table_path(MODEL))
    from data.survey_table import made_of_in as table_made_of

    assert table_made_of(campaign.table_path(MODEL)) != made_of(campaign, MODEL)


def asked(client, text: str) -> list[str]:
    answer = client.get(f"{API}/queue", params={"filter": text, "order": "catalogue", "show": "all"})
    assert answer.status_code == 200, answer.text
    return [item["object_id"] for item in answer.json()["items"]]


def test_the_queue_of_a_campaign_that_was_never_compared_is_filtered(campaign, monkeypatch):
    monkeypatch.setattr(live_table, "REST_S", 0.0)
    with running_server(campaign) as client:
        assert asked(client, "known and not duplicate") == ["lens"]
        assert is_up_to_date(campaign)
        campaign.crossmatch_path.unlink()  # and the table is as it was
        deadline = time.monotonic() + 30
        while not is_up_to_date(campaign):
            assert asked(client, "known and not duplicate") == ["lens"]
            assert time.monotonic() < deadline
            time.sleep(0.05)


# Exports


def test_an_export_tells_them_with_units_and_what_they_were_compared_with(campaign, tmp_path):
    from astropy.table import Table

    with LabelStore.open(campaign.database_url) as labels:
        export(campaign, labels, tmp_path / "c.ecsv")
        inspections = InspectionStore(labels.engine)
        inspections.open(settings_from({"title": "Best"}), [("plain", "nonlens")], by="Lea")
        row = catalogue_rows(campaign, labels).to_pylist()[0]
    assert (row["known"], row["known_lens"]) == ("nonlens", None)
    table = Table.read(tmp_path / "c.ecsv")
    [twin] = table[table["object_id"] == "twin"]
    assert twin["duplicate_of"] == "lens"
    assert twin["duplicate_arcsec"] == pytest.approx(0.5, abs=1e-6)
    assert str(table["duplicate_arcsec"].unit) == "arcsec"
    assert table["known_lens"].tolist()[1] == HORSESHOE_NAMES
    assert table.meta["crossmatch"] == "lenscat 1.1.3 within 2 arcsec, and itself within 1 arcsec"


def test_an_export_is_of_the_catalogue_as_it_is(campaign):
    with LabelStore.open(campaign.database_url) as labels:
        assert catalogue_rows(campaign, labels)["duplicate_of"].to_pylist()[2] == "lens"
        put_at(campaign, {})
        assert catalogue_rows(campaign, labels)["duplicate_of"].null_count == 5


# What a page shows, and when


def test_an_object_tells_its_known_lens_and_its_double(campaign):
    ours = known_lenses(
        [{"name": HOSTILE, "ra_deg": 10.0, "dec_deg": 10.0, "z_lens": 0.5, "grading": "A", "reference": "me"}]
    )
    crossmatch.crossmatch(campaign, known=ours)
    with running_server(campaign) as client:
        told = {name: client.get(object_url(name)).json()["crossmatch"] for name in IDS}
    assert told["plain"] == {
        "known_lens": {
            "name": HOSTILE,
            "grading": "A",
            "type": None,
            "z_lens": 0.5,
            "reference": "me",
            "separation_arcsec": 0.0,
            "catalogue": "ours 1.0",
        },
        "duplicate_of": None,
    }
    assert told["twin"]["known_lens"] is None
    assert told["twin"]["duplicate_of"]["object_id"] == "lens"
    assert told["nowhere"] == {"known_lens": None, "duplicate_of": None}


def test_what_is_out_of_date_is_not_told_and_comes_by_itself(campaign, monkeypatch):
    monkeypatch.setattr(live_crossmatch, "PATIENCE_S", 0.0)
    monkeypatch.setattr(live_table, "REST_S", 0.0)
    with running_server(campaign) as client:
        for positions, double in ((POSITIONS, "lens"), ({"twin": (1.0, 1.0), "plain": (1.0, 1.0)}, "plain")):
            put_at(campaign, positions)
            told, deadline = client.get(object_url("twin")).json()["crossmatch"], time.monotonic() + 30
            assert told is None
            while told is None:
                assert time.monotonic() < deadline
                time.sleep(0.05)
                told = client.get(object_url("twin")).json()["crossmatch"]
            assert told["duplicate_of"]["object_id"] == double


def test_nothing_is_begun_where_all_is_known_or_after_the_end(campaign, monkeypatch):
    monkeypatch.setattr(live_crossmatch, "PATIENCE_S", 0.2)
    begun: list[str] = []
    live = live_crossmatch.LiveCrossmatch(campaign, lambda: begun.append("once"))
    assert live.of("twin") is None
    live.close()
    time.sleep(0.4)
    assert begun == []
    bring_up_to_date(campaign)
    assert live.of("twin") is not None
    assert begun == []


def test_damaged_lenses_stop_filters_with_the_reason_and_no_grading(campaign):
    campaign.known_lenses_path.write_bytes(b"no")
    with pytest.raises(CatalogueError, match="lensvet crossmatch makes it anew"):
        write_survey_table(campaign, MODEL, campaign.table_path(MODEL))
    with running_server(campaign) as client:
        assert client.get(object_url("lens")).json()["crossmatch"] is None
        vote(client, "lens")
    assert cli.main(["crossmatch", str(campaign.path)]) == 0
    assert rows(campaign)["lens"]["known_lens"] is not None


def test_before_the_blind_grade_a_known_lens_is_withheld_and_a_duplicate_is_not(tmp_path):
    campaign = a_campaign(tmp_path / "c", reveal="after-grade")
    settings = campaign.settings_path.read_text()
    shown = settings.replace("shown_columns = []", 'shown_columns = ["known_lens", "known"]')
    campaign.settings_path.write_text(shown)
    bring_up_to_date(campaign)
    with running_server(open_campaign(campaign.path)) as client:
        before = client.get(object_url("twin"))
        assert before.json()["crossmatch"]["known_lens"] is None
        assert before.json()["crossmatch"]["duplicate_of"]["object_id"] == "lens"
        assert "J114833" not in before.text
        for text in (
            "known",
            "not known",
            "known_lens = 'x'",
            "known_lens_grading is missing",
            "known_lens_arcsec < 1",
        ):
            answer = client.get(f"{API}/queue", params={"filter": text})
            assert (answer.status_code, "blind grade" in answer.text) == (403, True), text
        assert client.get(f"{API}/queue", params={"filter": "not duplicate"}).status_code == 200
        assert client.get(f"{API}/export.csv").text.count("\n") == 1
        vote(client, "twin")
        assert "J114833" in client.get(object_url("twin")).json()["crossmatch"]["known_lens"]["name"]
        assert "J114833" not in client.get(object_url("lens")).text


def test_in_a_session_a_known_lens_waits_for_the_end_so_that_nobody_learns_which_were_mixed_in(tmp_path):
    campaign = a_campaign(tmp_path / "c")
    bring_up_to_date(campaign)
    with team_server(campaign, TEAM) as client:
        lead, ivo = signed_in(client, "Lea"), signed_in(client, "Ivo")
        session = open_session(lead, ["lens", "twin"])
        ticket = queue_of(ivo, session)["items"][0]["object_id"]  # type: ignore[index]
        assert ivo.get(object_url(ticket)).json()["crossmatch"] is None
        assert "J114833" not in lead.get(object_url(ticket)).text
        vote(ivo, ticket, session_id=session)
        graded = ivo.get(object_url(ticket))
        assert graded.json()["withheld"] is False
        assert graded.json()["crossmatch"]["known_lens"] is None
        own = graded.json()["name"]
        assert ivo.get(object_url(own)).json()["crossmatch"]["known_lens"] is None
        assert ivo.get(f"{API}/queue", params={"filter": "known"}).status_code == 403
        assert lead.post(f"{API}/sessions/{session}/step", json={"step": "close"}).status_code == 200
        assert "J114833" in ivo.get(object_url(ticket)).text


def test_a_filter_of_a_table_from_before_says_that_there_is_no_such_column():
    from data.filters import checked

    with pytest.raises(FilterError, match="no column 'known_lens'"):
        checked(parsed("known"), {"object_id": "text"})
