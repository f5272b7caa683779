"""What a network imagines: kept, read back, and computed again if the file is damaged."""

import numpy as np
import pytest

from data.cutouts import Cutout
from data.dreams import read_imagined
from lensmodel.errors import ExplanationError
from lensmodel.explain import imagined as module
from lensmodel.explain.dreams import class_image, deep_dream
from lensmodel.explain.imagined import imagine
from tests.fixtures.networks import added_model
from tests.fixtures.packed import fill, planes


@pytest.fixture(autouse=True)
def little_work(monkeypatch):
    monkeypatch.setattr(module, "class_image", lambda *given: class_image(*given, steps=2))
    monkeypatch.setattr(module, "deep_dream", lambda *given: deep_dream(*given, octaves=1, steps=1))


def test_what_was_imagined_is_kept_and_read_back(campaign, tmp_path):
    fill(campaign, [Cutout("a", planes((200, 200)))])
    card = added_model(tmp_path)
    assert read_imagined(campaign, card.version) is None
    made = imagine(campaign, card, "a")
    kept = read_imagined(campaign, card.version)
    assert (kept.bands, kept.object_id, kept.class_logit) == (card.bands, "a", made.class_logit)
    assert kept.before.shape == kept.after.shape == (4, 66, 66)
    assert not np.array_equal(kept.before, kept.after)
    np.testing.assert_array_equal(kept.class_image, made.class_image)


def test_without_a_candidate_there_is_the_class_image_alone(campaign, tmp_path):
    card = added_model(tmp_path)
    imagine(campaign, card, "")
    kept = read_imagined(campaign, card.version)
    assert (kept.object_id, kept.before.size) == ("", 0)
    assert np.isnan(kept.after_logit)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn", b"no archive at all"])
def test_a_damaged_file_counts_as_none(campaign, tmp_path, damage):
    card = added_model(tmp_path)
    imagine(campaign, card, "")
    (path,) = campaign.path.glob("maps/*/dreams.npz")
    path.write_bytes(damage or path.read_bytes()[:900])
    assert read_imagined(campaign, card.version) is None


def test_an_object_that_is_not_there_or_too_small_is_refused_and_nothing_is_kept(campaign, tmp_path):
    fill(campaign, [Cutout("small", planes((20, 20)))])
    card = added_model(tmp_path)
    for object_id, reason in (("nobody", "has no object"), ("small", "small")):
        with pytest.raises(ExplanationError, match=reason):
            imagine(campaign, card, object_id)
    assert read_imagined(campaign, card.version) is None
