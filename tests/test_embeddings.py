"""Where each image is among the others: principal components, distances to lenses, UMAP."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA

from data.campaign import Campaign, create_campaign
from data.embeddings import (
    COMPONENTS,
    features_parts,
    needs_umap,
    principal_components,
    write_embedding,
    write_umap,
)
from data.scores import SCORE_SCHEMA, write_features, write_part
from data.survey_table import SurveyTable, write_survey_table
from tests.fixtures.campaigns import MODEL, add_objects, filled_campaign

NUMBER = 20


@pytest.fixture
def campaign(tmp_path) -> Campaign:
    return create_campaign(tmp_path / "c", survey="euclid")


def add_part(campaign, features, *, first=0, name="part-000000.parquet"):
    """Scores and features of objects that are numbered on; the later the more lens-like."""
    ids = [f"object {first + i}" for i in range(len(features))]
    write_features(campaign.features_path(MODEL), ids, features.astype(np.float16), name=name)
    rows = [{"object_id": name, "logit": float(first + i)} for i, name in enumerate(ids)]
    write_part(campaign.scores_path(MODEL), pa.Table.from_pylist(rows, schema=SCORE_SCHEMA), name=name)


def drawn(number, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(number, 3)) @ random.normal(size=(3, NUMBER)) + 0.1 * random.normal(
        size=(number, NUMBER)
    )


def embedding(campaign, **options):
    path = campaign.embedding_path(MODEL)
    write_embedding(campaign, MODEL, path, **options)
    return pq.read_table(path)


def test_principal_components_are_those_of_an_independent_code(campaign):
    features = drawn(200).astype(np.float16)
    add_part(campaign, features[:120])
    add_part(campaign, features[120:], first=120, name="part-000001.parquet")
    table = embedding(campaign)
    exact = features.astype(np.float64)
    expected = PCA(2).fit_transform((exact - exact.mean(axis=0)) / exact.std(axis=0))
    for name, column in zip(("pc1", "pc2"), expected.T, strict=True):
        found = table[name].to_numpy()
        assert abs(np.corrcoef(found, column)[0, 1]) == pytest.approx(1, abs=1e-6)
        assert found.std() == pytest.approx(column.std(), rel=1e-5)


def test_more_objects_do_not_turn_the_picture_over():
    features = drawn(400)
    few, many = (principal_components(iter([features[:number]])) for number in (300, 400))
    alike = (few.axes[:, :2] * many.axes[:, :2]).sum(axis=0)
    assert (alike > 0.9).all()


def test_near_lens_is_the_distance_to_the_nearest_lens_and_none_for_lenses(campaign):
    features = drawn(50).astype(np.float16)
    add_part(campaign, features)
    lenses = ["object 3", "object 40", "of another campaign"]
    near = embedding(campaign, lenses=lenses)["near_lens"].to_numpy()
    places = principal_components(iter([features])).of(features)
    assert places.shape == (50, COMPONENTS)
    expected = np.linalg.norm(places[:, None] - places[None, [3, 40]], axis=2).min(axis=1)
    expected[[3, 40]] = np.nan
    np.testing.assert_allclose(near, expected, rtol=1e-5)
    assert np.isnan(embedding(campaign)["near_lens"].to_numpy()).all()


def test_features_without_scores_do_not_count(campaign):
    add_part(campaign, drawn(30))
    add_part(campaign, drawn(30, seed=1), first=30, name="part-000001.parquet")
    (campaign.scores_path(MODEL) / "part-000001.parquet").unlink()  # a run that was killed between the two
    assert len(features_parts(campaign, MODEL)) == 1
    assert len(embedding(campaign)) == 30


@pytest.mark.parametrize("features", [np.zeros((10, 4)), np.ones((5, 1)), np.eye(12)[:, :2] * 60_000])
def test_features_that_say_little_have_places_all_the_same(campaign, features):
    add_part(campaign, features)
    table = embedding(campaign, lenses=["object 1"])
    assert np.isfinite(table["pc1"].to_numpy()).all()
    assert np.isfinite(table["pc2"].to_numpy()).all()


def test_of_two_objects_there_is_no_embedding(campaign):
    add_part(campaign, drawn(2))
    assert write_embedding(campaign, MODEL, campaign.embedding_path(MODEL)) == 0
    assert not campaign.embedding_path(MODEL).exists()


def test_the_survey_table_has_the_embedding(tmp_path):
    campaign = filled_campaign(tmp_path / "c", [f"object {i}" for i in range(20)], size_px=4)
    add_objects(campaign, ["not scored"], size_px=4)
    add_part(campaign, drawn(20))
    write_survey_table(campaign, MODEL, campaign.table_path(MODEL), lenses=["object 7"])
    table = SurveyTable(campaign.table_path(MODEL))
    rows = {row["object_id"]: row for row in (table.at(place) for place in range(21))}
    assert rows["not scored"]["pc1"] is None
    assert rows["object 7"]["near_lens"] is None
    assert rows["object 8"]["near_lens"] > 0
    assert "umap1" not in table.kinds


def test_umap_keeps_apart_what_is_different_and_says_of_how_many_it_was_made(campaign, monkeypatch):
    random = np.random.default_rng(2)
    features = np.concatenate([random.normal(0, 1, (60, NUMBER)), random.normal(8, 1, (60, NUMBER))])
    add_part(campaign, features)
    monkeypatch.setattr("data.embeddings.UMAP_OBJECTS", 100)
    path = campaign.embedding_path(MODEL, umap=True)
    assert needs_umap(campaign, MODEL, path, fewest=100)
    assert not needs_umap(campaign, MODEL, path, fewest=200)
    written = write_umap(campaign, MODEL, path)
    assert 50 <= written <= 100
    assert not needs_umap(campaign, MODEL, path, fewest=100)
    table = pq.read_table(path)
    ids = [int(name.removeprefix("object ")) for name in table["object_id"].to_pylist()]
    assert set(range(70, 120)) <= set(ids)  # the most lens-like
    places = np.stack([table["umap1"].to_numpy(), table["umap2"].to_numpy()], axis=1)
    is_first = np.array(ids) < 60
    apart = np.linalg.norm(places[is_first].mean(axis=0) - places[~is_first].mean(axis=0))
    assert apart > 2 * max(places[is_first].std(), places[~is_first].std())
    add_part(campaign, drawn(60), first=120, name="part-000001.parquet")
    assert needs_umap(campaign, MODEL, path, fewest=100)
