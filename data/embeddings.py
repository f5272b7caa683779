"""What a network made of each image, as places on a plane: principal components at once, UMAP when it is ready.

`features/` is read part by part; `embeddings/<model_version>.parquet` has a row per object that the network saw: pc1,
pc2, and near_lens, the distance to the nearest object that was graded a lens. `embeddings/<model_version>.umap.parquet`
has umap1 and umap2 of some.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.campaign import Campaign
from data.files import written_atomically
from data.scores import read_features

COMPONENTS = 8  # in which distances are measured; the first two are drawn
UMAP_OBJECTS = 50_000  # half of them the most lens-like; two minutes on one core
UMAP_NEIGHBOURS = 15
FEWEST = 3  # objects that have principal components
_SEED = 1
_UMAP_OF = b"lensvet.objects"


@dataclass(frozen=True)
class Components:
    """Principal components of standardised features.

    mean, spread : (number,) of each feature. axes : (number, component), orthonormal.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    axes: NDArray[np.float64]

    def of(self, features: NDArray[np.float16]) -> NDArray[np.float32]:
        """Features (object, number) as (object, component)."""
        return (((features - self.mean) / self.spread) @ self.axes).astype(np.float32)


def features_parts(campaign: Campaign, model_version: str) -> list[Path]:
    """Finished parts of features: those whose scores are there."""
    folder = campaign.features_path(model_version)
    if not folder.is_dir():
        return []
    there = {part.name for part in folder.glob("part-*.parquet")}
    return [folder / part.name for part in campaign.score_parts(model_version) if part.name in there]


def write_embedding(campaign: Campaign, model_version: str, path: Path, *, lenses: Sequence[str] = ()) -> int:
    """Write principal components, and the distance to the nearest of some lenses; how many objects have them.

    near_lens : in units of the spread of a feature; null without lenses, and for the lenses themselves.
    The file is removed if there are too few objects.
    """
    parts = features_parts(campaign, model_version)
    components = principal_components(features for _, features in map(read_features, parts))
    if components is None:
        path.unlink(missing_ok=True)
        return 0
    wanted = pa.array(lenses, pa.string())
    near = _near(components, parts, wanted)
    schema = pa.schema(
        [
            ("object_id", pa.string()),
            ("pc1", pa.float32()),
            ("pc2", pa.float32()),
            ("near_lens", pa.float32()),
        ]
    )
    written = 0
    with written_atomically(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for part in parts:
            ids, features = read_features(part)
            places = components.of(features)
            distance = near.distances(places)
            distance[pc.is_in(ids, wanted).to_numpy(zero_copy_only=False)] = np.nan
            columns = [ids, places[:, 0], places[:, 1], pa.array(distance, from_pandas=True)]
            writer.write_table(pa.table(columns, schema=schema))
            written += len(ids)
    return written


def principal_components(features: Iterator[NDArray[np.float16]]) -> Components | None:
    """Of features (object, number) that come in pieces; None for fewer objects than `FEWEST`.

    Signs are such that the largest number of each axis is positive: with more objects a picture does not turn over.
    """
    number, total, products = 0, np.zeros(0), np.zeros((0, 0))
    for some in features:
        values = some.astype(np.float64)
        if not number:
            total, products = np.zeros(values.shape[1]), np.zeros((values.shape[1],) * 2)
        number += len(values)
        total += values.sum(axis=0)
        products += values.T @ values
    if number < FEWEST:
        return None
    mean = total / number
    covariance = products / number - np.outer(mean, mean)
    spread = np.sqrt(np.clip(covariance.diagonal(), 0, None))
    spread[spread < 1e-6 * max(1.0, float(spread.max()))] = np.inf  # a feature that says nothing
    _, axes = np.linalg.eigh(covariance / np.outer(spread, spread))
    axes = axes[:, ::-1][:, :COMPONENTS]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    axes = axes * np.where(largest < 0, -1.0, 1.0)
    if axes.shape[1] < COMPONENTS:
        axes = np.pad(axes, ((0, 0), (0, COMPONENTS - axes.shape[1])))
    return Components(mean, spread, axes)


def write_umap(campaign: Campaign, model_version: str, path: Path) -> int:
    """Write UMAP of the most lens-like objects and of a random sample; how many. Minutes of one core.

    McInnes, Healy, Melville 2018 (arXiv:1802.03426), as umap-learn has it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ImportWarning
        )  # umap-learn misses tensorflow, which nothing here needs
        from umap import UMAP
    parts = features_parts(campaign, model_version)
    total = sum(pq.read_metadata(part).num_rows for part in parts)
    ids, features = _sample(campaign, model_version, parts, total)
    components = principal_components(iter([features]))
    assert components is not None
    standardised = ((features - components.mean) / components.spread).astype(np.float32)
    neighbours = min(UMAP_NEIGHBOURS, len(ids) - 1)
    places = UMAP(n_components=2, n_neighbors=neighbours, random_state=_SEED, n_jobs=1).fit_transform(
        standardised
    )
    table = pa.table(
        {
            "object_id": ids,
            "umap1": pa.array(places[:, 0], pa.float32()),
            "umap2": pa.array(places[:, 1], pa.float32()),
        }
    )
    with written_atomically(path) as partial:
        pq.write_table(
            table.replace_schema_metadata({_UMAP_OF: str(total).encode()}), partial, compression="zstd"
        )
    return len(ids)


def needs_umap(campaign: Campaign, model_version: str, path: Path, *, fewest: int) -> bool:
    """Whether there are enough features for UMAP, and a fifth more than when it was made."""
    total: int = sum(pq.read_metadata(part).num_rows for part in features_parts(campaign, model_version))
    if total < fewest:
        return False
    try:
        made_of = int((pq.read_schema(path).metadata or {})[_UMAP_OF])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return True
    return total > 1.2 * made_of


@dataclass(frozen=True)
class _Near:
    """Distances to the nearest of some places. tree : a `scipy.spatial.cKDTree`, None if there are no places."""

    tree: object | None

    def distances(self, places: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.tree is None:
            return np.full(len(places), np.nan, np.float32)
        return self.tree.query(places)[0].astype(np.float32)  # type: ignore[attr-defined, no-any-return]  # scipy has no types


def _near(components: Components, parts: Sequence[Path], lenses: pa.Array) -> _Near:
    from scipy.spatial import cKDTree

    found = []
    for part in parts if len(lenses) else ():
        ids = _ids(part)
        is_lens = pc.is_in(ids, lenses).to_numpy(zero_copy_only=False)
        if is_lens.any():
            found.append(components.of(read_features(part)[1][is_lens]))
    return _Near(cKDTree(np.concatenate(found)) if found else None)


def _sample(
    campaign: Campaign, model_version: str, parts: Sequence[Path], total: int
) -> tuple[pa.Array, NDArray[np.float16]]:
    """Ids and features of the most lens-like objects, and of as many at random among all."""
    logits = [_logits(campaign, model_version, part.name) for part in parts]
    flat = np.concatenate(logits)
    chosen = np.zeros(total, bool)
    half = UMAP_OBJECTS // 2
    chosen[np.argsort(-flat, kind="stable")[:half]] = True
    chosen[np.random.default_rng(_SEED).permutation(total)[:half]] = True
    ids, features, first = [], [], 0
    for part in parts:
        some_ids, some = read_features(part)
        here = chosen[first : first + len(some_ids)]
        first += len(some_ids)
        ids.append(some_ids.filter(pa.array(here)))
        features.append(some[here])
    return pa.concat_arrays(ids), np.concatenate(features)


def _logits(campaign: Campaign, model_version: str, name: str) -> NDArray[np.float64]:
    """Of the objects of one part of features, in its order; -inf where there is none."""
    scores = pq.read_table(
        campaign.scores_path(model_version) / name, columns=["object_id", "logit"], partitioning=None
    )
    ids = _ids(campaign.features_path(model_version) / name)
    places = pc.index_in(ids, scores["object_id"].combine_chunks())
    found = scores["logit"].combine_chunks().take(places).to_numpy(zero_copy_only=False)
    logits: NDArray[np.float64] = np.nan_to_num(found.astype(np.float64), nan=-np.inf)
    return logits


def _ids(part: Path) -> pa.Array:
    return pq.read_table(part, columns=["object_id"], partitioning=None)["object_id"].combine_chunks()
