"""The whole way on real images: files, a campaign, ten cutouts vetted by keyboard alone, the catalogue."""

from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.table import Table
from playwright.sync_api import Page, expect

from data.campaign import Campaign, create_campaign
from data.exports import export
from data.ingest import ingest
from data.label_store import LabelStore
from lensmodel.models import add_model, default_model
from lensmodel.scoring import score
from tests.ui.conftest import Server
from tests.ui.stage import all_saved, grade, open_vet, painted, part, press, waits_to_be_saved

pytestmark = [pytest.mark.browser, pytest.mark.real]

TEN = "abcxabcxab"


@pytest.fixture
def euclid(tmp_path: Path, shared_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """Real Euclid Q1 lenses and field objects, scored by our network and by one of Wilde et al. 2022."""
    monkeypatch.setenv("LENSVET_HOME", str(tmp_path / "home"))
    campaign = create_campaign(tmp_path / "q1", survey="euclid", title="Euclid Q1")
    real = shared_folder / "real"
    ingest(campaign, [real / "euclid_q1", real / "euclid_q1_field"], catalogue=real / "MANIFEST.csv")
    for card in (default_model(), add_model(shared_folder / "wilde2022" / "OU_66.pt")):
        score(campaign, card)
    return campaign


def test_ten_real_cutouts_are_vetted_by_keyboard_through_a_reload_and_a_lost_server(
    page: Page, euclid: Campaign, served: Callable[[Campaign], Server], screenshots: Path
) -> None:
    server = served(euclid)
    open_vet(page, server.url)
    page.screenshot(path=screenshots / "real-euclid.png")
    graded = [grade(page, key) for key in TEN[:3]]
    press(page, "k", "s", "f", "w", "m")
    page.keyboard.type("ten by keys")
    press(page, "Escape")
    graded.append(grade(page, TEN[3]))
    all_saved(page)
    page.reload()
    page.wait_for_load_state("networkidle")  # the next candidates are here
    graded += [painted(page) and grade(page, key) for key in TEN[4:6]]
    all_saved(page)
    server.kill()
    graded += [grade(page, key) for key in TEN[6:8]]
    waits_to_be_saved(page, 2)
    server.start()
    all_saved(page)
    graded += [painted(page) and grade(page, key) for key in TEN[8:]]
    all_saved(page)
    assert len(set(graded)) == len(TEN)

    exported = server.fetch("/api/v1/export.ecsv?votes=true").decode()
    votes = Table.read(exported, format="ascii.ecsv")
    assert dict(zip(votes["object_id"], votes["grade"], strict=True)) == dict(
        zip(graded, TEN.upper(), strict=True)
    )
    [said] = votes[votes["comment"] == "ten by keys"]
    assert (said["object_id"], said["contaminant"], said["flag"]) == (graded[3], "spiral", "wrong_reason")


def test_the_exported_catalogue_has_one_row_for_each_real_object(
    page: Page, euclid: Campaign, served: Callable[[Campaign], Server], tmp_path: Path
) -> None:
    open_vet(page, served(euclid).url)
    graded = grade(page, "a")
    all_saved(page)
    labels = LabelStore.open(euclid.database_url)
    try:
        export(euclid, labels, tmp_path / "catalogue.fits")
    finally:
        labels.close()
    rows = Table.read(tmp_path / "catalogue.fits")
    assert len(rows) == len(euclid.objects()) == 12
    assert [row["object_id"].strip() for row in rows if row["n_votes"] == 1] == [graded]


def test_maps_of_a_real_lens_come_on_demand_and_say_what_they_are(
    page: Page, euclid: Campaign, served: Callable[[Campaign], Server], screenshots: Path
) -> None:
    open_vet(page, served(euclid).url)
    part(page, "model").select_option(label="OU-66")
    press(page, "j")
    page.keyboard.type("102042913_NEG520471782290867053")
    press(page, "Enter")
    expect(part(page, "object-id")).to_have_text("102042913_NEG520471782290867053")
    expect(part(page, "scores")).to_contain_text("Evidence network · prior 1 in 2")
    expect(part(page, "scores")).to_contain_text("softmax")
    for key, method in (("1", "Grad-CAM"), ("2", "Occlusion")):
        press(page, key)
        expect(part(page, "caption")).to_contain_text(f"{method} of OU-66", timeout=60_000)
        expect(part(page, "position-text")).to_contain_text(f"read off {method}")
        press(page, "d")
        page.screenshot(path=screenshots / f"real-{method.lower()}.png")
