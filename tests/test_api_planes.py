"""`GET objects/{object_id}/planes`: the pixels as they were measured, kept by the browser."""

import json
import struct

import numpy as np
import pytest

from data.cutout_store import CutoutStore
from data.cutouts import Cutout, Plane
from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.servers import object_url, running_server


def unframed(body: bytes, magic: bytes) -> tuple[dict, int]:
    """The header, and where data start."""
    assert body[:4] == magic
    (length,) = struct.unpack("<I", body[4:8])
    return json.loads(body[8 : 8 + length]), 8 + length


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    campaign = filled_campaign(tmp_path_factory.mktemp("c") / "c", ["a", "b"])
    add_uneven(campaign)
    with running_server(campaign) as client:
        client.campaign = campaign
        yield client


def add_uneven(campaign) -> None:
    """An object whose bands have shapes, scales and gaps of their own."""
    table = campaign.objects()
    rng = np.random.default_rng(1)
    flux = rng.normal(size=(5, 7)).astype(np.float32)
    flux[2, 3] = np.nan
    cutout = Cutout("uneven", {"VIS": Plane(flux, 0.1), "Y": Plane(flux[:3, :3], float("nan"), 29.8)})
    stored = CutoutStore(campaign.cutouts_path, table.next_rows()).append([cutout])
    table.with_rows(stored).save(campaign.catalogue_path)


@pytest.mark.parametrize("object_id", ["a", "uneven"])
def test_planes_arrive_bit_for_bit(client, object_id: str):
    body = client.get(object_url(object_id, "planes")).content
    header, start = unframed(body, b"LVP1")
    planes = client.campaign.cutouts().read(client.campaign.objects().get(object_id))
    assert start % 8 == 0
    assert [entry["band"] for entry in header["planes"]] == list(planes)
    end = start
    for entry in header["planes"]:
        count = entry["shape"][0] * entry["shape"][1]
        values = np.frombuffer(body, "<f4", count, start + entry["offset"]).reshape(entry["shape"])
        np.testing.assert_array_equal(values, planes[entry["band"]].flux)
        end = start + entry["offset"] + 4 * count
    assert end == len(body)


def test_the_header_says_where_the_cutout_is_and_null_where_nobody_knows(client):
    header, _ = unframed(client.get(object_url("a", "planes")).content, b"LVP1")
    assert (header["object_id"], header["ra_deg"], header["kind"]) == ("a", 150.0, "flux")
    assert len(header["cd_deg"]) == 4
    assert header["centre_deg"] == [150.0, 2.0]
    uneven, _ = unframed(client.get(object_url("uneven", "planes")).content, b"LVP1")
    assert uneven["ra_deg"] is uneven["cd_deg"] is uneven["centre_deg"] is None
    assert uneven["planes"][0]["zero_point_mag"] is None
    assert uneven["planes"][1]["pixel_scale_arcsec"] is None


def test_what_the_browser_has_is_not_sent_again(client):
    first = client.get(object_url("a", "planes"))
    assert first.headers["cache-control"] == "private, max-age=31536000, immutable"
    again = client.get(object_url("a", "planes"), headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    other = client.get(object_url("b", "planes"), headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_an_address_with_the_hash_of_other_planes_is_not_kept(client):
    planes_hash = client.get(object_url("a")).json()["planes_hash"]
    same = client.get(object_url("a", "planes"), params={"hash": planes_hash})
    assert "immutable" in same.headers["cache-control"]
    other = client.get(object_url("a", "planes"), params={"hash": "0" * 32})
    assert other.headers["cache-control"] == "no-store"
