"""The campaign folder and its settings."""

import dataclasses
from pathlib import Path

import pytest

from data.campaign import (
    Campaign,
    create_campaign,
    open_campaign,
    remember_filters,
    remember_pixel_scale,
    remember_source,
)
from data.errors import CampaignError
from data.surveys import pivot_um


def add_line(campaign: Campaign, line: str) -> None:
    text = campaign.settings_path.read_text(encoding="utf-8")
    campaign.settings_path.write_text(f"{line}\n{text}", encoding="utf-8")


def test_a_misspelt_setting_is_refused_and_opens_no_blind_campaign(campaign: Campaign):
    add_line(campaign, 'reveel = "after-grade"')
    with pytest.raises(CampaignError, match="reveel is no setting; known are id, title"):
        open_campaign(campaign.path)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('reveal = "never"', "reveal is 'never'; expected one of open, after-grade"),
        ("quorum = 0", "quorum is 0; expected a whole number from 1"),
        ("models = 3", "models is not a list of texts"),
        ('survey = "nowhere"', "survey is 'nowhere'; expected one of euclid"),
        ("title = [", "not valid TOML"),
        ("band_of_filter = 3", "band_of_filter is not a table such as { F814W"),
        ('band_of_filter = { F814W = "I" }', "F814W is taken for 'I'; expected one of VIS, Y, J, H"),
        ('band_of_filter = { F814W = ["VIS"] }', "F814W is taken for"),
        ('band_of_filter = { nir_y = "VIS" }', "nir_y is a band of euclid itself"),
        ('band_of_filter = { " " = "VIS" }', "a filter without a name"),
        ('pixel_scale_of_source = { "/data" = 0.0 }', "pixel_scale_of_source is not a table of arcsec"),
        ('pixel_scale_of_source = { "/data" = true }', "pixel_scale_of_source is not a table of arcsec"),
    ],
)
def test_a_malformed_setting_says_what_was_expected(campaign: Campaign, line: str, complaint: str):
    key = line.split(" ")[0]
    kept = [
        row
        for row in campaign.settings_path.read_text(encoding="utf-8").splitlines()
        if not row.startswith(f"{key} ")
    ]
    campaign.settings_path.write_text("\n".join([line, *kept]), encoding="utf-8")
    with pytest.raises(CampaignError, match=complaint.replace("[", r"\[")):
        open_campaign(campaign.path)


def test_the_pixel_scale_of_a_source_is_the_last_that_was_stated(campaign: Campaign, tmp_path: Path):
    odd = tmp_path / 'odd "name" }'
    once = remember_pixel_scale(campaign, odd, 0.05)
    other = remember_pixel_scale(once, tmp_path / "other", 1)
    twice = remember_pixel_scale(other, odd, 0.03)
    assert dict(twice.pixel_scales_arcsec) == {str(odd): 0.03, str(tmp_path / "other"): 1.0}
    assert open_campaign(campaign.path) == twice


def test_two_campaigns_of_one_title_have_different_identifiers(tmp_path: Path):
    first, second = (
        create_campaign(tmp_path / name, survey="euclid", title='Say "cheese" \\ \n') for name in "ab"
    )
    assert first.title == second.title == 'Say "cheese" \\ \n'
    assert first.identifier != second.identifier
    assert open_campaign(first.path).identifier == first.identifier


def test_a_source_is_remembered_once_and_every_other_line_stays(campaign: Campaign, tmp_path: Path):
    add_line(campaign, "# mine")
    before = campaign.settings_path.read_text(encoding="utf-8")
    odd = tmp_path / 'a "b" [c]'
    once = remember_source(open_campaign(campaign.path), odd)
    assert remember_source(once, odd).sources == (str(odd),)
    after = campaign.settings_path.read_text(encoding="utf-8")
    assert [row for row in before.splitlines() if not row.startswith("sources")] == [
        row for row in after.splitlines() if not row.startswith("sources")
    ]


def test_filters_are_remembered_beside_those_there_and_every_other_line_stays(campaign: Campaign):
    before = campaign.settings_path.read_text(encoding="utf-8")
    assert campaign.survey.stand_ins == ()
    once = remember_filters(campaign, [("F814W", "VIS"), ('odd "name" }', "H")])
    twice = remember_filters(once, [("F814W", "VIS"), ("F160W", "H")])
    assert twice.survey.stand_ins == (("F814W", "VIS"), ('odd "name" }', "H"), ("F160W", "H"))
    after = campaign.settings_path.read_text(encoding="utf-8")
    assert [row for row in before.splitlines() if not row.startswith("band_of")] == [
        row for row in after.splitlines() if not row.startswith("band_of")
    ]


@pytest.mark.parametrize(
    ("filters", "complaint"),
    [
        ([("F814W", "H")], "F814W is taken for VIS: make a new campaign to take it for H"),
        ([("F606W", "VIS"), ("F606W", "H")], "F606W is taken for VIS"),
        ([("F606W", "I")], "F606W is taken for 'I'; expected one of VIS, Y, J, H"),
        ([("VIS", "H")], "VIS is a band of euclid itself"),
    ],
)
def test_filters_that_contradict_are_refused_and_nothing_is_written(
    campaign: Campaign, filters, complaint: str
):
    remember_filters(campaign, [("F814W", "VIS")])
    before = campaign.settings_path.read_bytes()
    with pytest.raises(CampaignError, match=complaint):
        remember_filters(open_campaign(campaign.path), filters)
    assert campaign.settings_path.read_bytes() == before


@pytest.mark.parametrize("line", ["sources = [] # see [1]", 'sources = [\n  "/a]",\n  "/b",\n]', ""])
def test_a_setting_is_rewritten_however_it_was_laid_out(campaign: Campaign, tmp_path: Path, line: str):
    kept = [
        row
        for row in campaign.settings_path.read_text(encoding="utf-8").splitlines()
        if "sources =" not in row
    ]
    campaign.settings_path.write_text("\n".join([line, *kept]), encoding="utf-8")
    before = open_campaign(campaign.path)
    after = remember_source(before, tmp_path / "new")
    assert after.sources == (*before.sources, str(tmp_path / "new"))
    assert dataclasses.replace(after, sources=before.sources) == before


def test_a_setting_that_cannot_be_rewritten_is_left_alone(campaign: Campaign):
    text = campaign.settings_path.read_text(encoding="utf-8").replace("band_of_filter = {}", "")
    campaign.settings_path.write_text(text + '\n[band_of_filter]\nF814W = "VIS"\n', encoding="utf-8")
    opened = open_campaign(campaign.path)
    assert opened.survey.stand_ins == (("F814W", "VIS"),)
    with pytest.raises(CampaignError, match="in a form that is not rewritten"):
        remember_filters(opened, [("F606W", "VIS")])
    assert open_campaign(campaign.path) == opened


def test_a_folder_without_finished_scores_is_no_scored_version(campaign: Campaign):
    (campaign.scores_path("net-0") / ".lock").parent.mkdir(parents=True)
    (campaign.scores_path("net-0") / ".lock").touch()
    assert campaign.scored_versions() == []


def test_bands_are_ordered_by_wavelength_whatever_their_names_look_like():
    names = ["F140W", "F475W", "F200LP", "F444W", "HSC_Y", "DES_G", "VIS"]
    assert sorted(names, key=pivot_um) == ["F475W", "DES_G", "F200LP", "VIS", "HSC_Y", "F140W", "F444W"]
