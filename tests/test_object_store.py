"""Packed cutouts that were copied to an object store: here a web server, which fsspec speaks to as to others."""

import functools
import http.server
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.campaign import open_campaign
from data.cutouts import Cutout
from data.errors import CampaignError, StoreError
from data.packing import Packer
from lensmodel.scoring import score
from lensmodel.survey_scoring import score_survey
from tests.fixtures.networks import added_model
from tests.fixtures.packed import fill, planes


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def moved(campaign, tmp_path):
    """A campaign of 30 objects whose cutouts are on a web server, and their rows scored before they went there."""
    fill(campaign, [Cutout(f"object {i}", planes((66, 66), 0.3, seed=i)) for i in range(30)])
    card = added_model(tmp_path)
    score(campaign, card)
    rows = scores_in(campaign, card)
    for part in campaign.score_parts(card.version):
        part.unlink()
    folder = tmp_path / "bucket"
    folder.mkdir()
    campaign.cutouts_path.rename(folder / "cutouts.zarr")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = campaign.settings_path
    address = f"http://127.0.0.1:{server.server_port}/cutouts.zarr"
    settings.write_text(f'cutouts = "{address}"\n' + settings.read_text())
    yield open_campaign(campaign.path), card, rows
    server.shutdown()
    server.server_close()


def scores_in(campaign, card):
    rows = pa.concat_tables(pq.read_table(part) for part in campaign.score_parts(card.version))
    return rows.sort_by("object_id")


def test_scores_are_those_of_cutouts_at_hand(moved):
    campaign, card, rows = moved
    score_survey(campaign, card, workers=1)
    assert scores_in(campaign, card).equals(rows)


def test_an_object_is_read_from_afar(moved):
    campaign, _, _ = moved
    store = campaign.cutouts(keep_bytes=2**20)
    stored = campaign.objects().get("object 7")
    for _ in range(2):
        for band, plane in store.read(stored).items():
            np.testing.assert_array_equal(plane.flux, planes((66, 66), 0.3, seed=7)[band].flux)


def test_a_store_from_afar_is_only_read(moved):
    with pytest.raises(CampaignError, match="add to the campaign that they were copied from"):
        moved[0].cutouts_to_fill(moved[0].objects())
    with pytest.raises(CampaignError, match="are read from http"):
        Packer(moved[0])


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/cutouts.zarr", "nonsense://bucket/cutouts.zarr"])
def test_a_store_that_does_not_answer_is_named(campaign, address):
    settings = campaign.settings_path
    settings.write_text(f'cutouts = "{address}"\n' + settings.read_text())
    with pytest.raises(StoreError, match="no packed cutouts can be read at"):
        open_campaign(campaign.path).cutouts()


@pytest.mark.parametrize("address", ['"/a/path"', "3", '["s3://bucket"]'])
def test_an_address_without_a_scheme_is_refused(campaign, address):
    settings = campaign.settings_path
    settings.write_text(f"cutouts = {address}\n" + settings.read_text())
    with pytest.raises(CampaignError, match="expected an address such as s3://bucket"):
        open_campaign(campaign.path)
