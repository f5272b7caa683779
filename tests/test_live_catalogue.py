"""The catalogue while it grows."""

import numpy as np

from dashboard.live_catalogue import LiveCatalogue
from tests.fixtures.campaigns import add_objects, filled_campaign


def test_a_replaced_catalogue_is_read_again(tmp_path):
    campaign = filled_campaign(tmp_path / "c", ["a"], size_px=4)
    live = LiveCatalogue(campaign.catalogue_path)
    assert live.now() is live.now()
    add_objects(campaign, ["b"], size_px=4)
    assert live.now().table.ids == ["a", "b"]


def test_an_absent_catalogue_is_empty_until_it_is_there(campaign):
    live = LiveCatalogue(campaign.catalogue_path)
    assert len(live.now()) == 0
    add_objects(campaign, ["a"], size_px=4)
    assert "a" in live.now().table


def test_each_state_has_a_version_of_its_own(campaign):
    live = LiveCatalogue(campaign.catalogue_path)
    versions = [live.now().version]
    for name in "abc":
        add_objects(campaign, [name], size_px=4)
        versions.append(live.now().version)
    assert len(set(versions)) == 4


def test_rows_are_listed_in_the_order_asked_for(tmp_path):
    campaign = filled_campaign(tmp_path / "c", ["a", "b", "c"], size_px=4)
    listed = LiveCatalogue(campaign.catalogue_path).now().listed(np.array([2, 0]))
    assert [object_id for object_id, _ in listed] == ["c", "a"]
    assert all(len(planes_hash) == 32 for _, planes_hash in listed)
