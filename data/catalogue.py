"""The vetted catalogue: what people and a model said about each object, beside the survey's own columns.

Tables are Arrow, so that a long comment costs its own length and no more; columns as in `catalogue_columns`.
"""

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.campaign import Campaign
from data.catalogue_columns import CATALOGUE_COLUMNS, REAL, TEXT, VOTE_COLUMNS, free_name, own_column
from data.consensus import Remarks, gather_remarks, summarise
from data.crossmatch import DUPLICATES, HINTS, matches_of
from data.errors import CampaignError, ExportError, StoreError
from data.inspection_store import InspectionStore
from data.label_store import LabelStore
from data.objects import STORAGE_COLUMNS
from data.priors import p_lens_of_logit
from data.scores import SCORE_SCHEMA, read_part
from data.votes import FIELDS, FLAGS

Columns = dict[str, Any]

_CHUNK_ROWS = 20_000


def catalogue_rows(
    campaign: Campaign,
    store: LabelStore,
    *,
    model_version: str | None = None,
    object_ids: Collection[str] | None = None,
) -> pa.Table:
    """One row per object of the campaign, or per object named, in catalogue order.

    Columns are `CATALOGUE_COLUMNS`, then the survey's own: one whose name is taken gets the prefix `cat_`.
    model_version : whose scores; the newest that has any if none is named.

    Raises
    ------
    ExportError
        If the model version named has no scores here.
    """
    objects = campaign.objects().table
    if object_ids is not None:
        objects = objects.filter(pc.is_in(objects["object_id"], pa.array(list(object_ids), TEXT)))
    row_of = {object_id: row for row, object_id in enumerate(objects["object_id"].to_pylist())}
    scores = _scores(campaign, _version(campaign, model_version), objects["object_id"])
    values: Columns = {
        "object_id": objects["object_id"],
        "ra_deg": objects["ra_deg"],
        "dec_deg": objects["dec_deg"],
        **_grades(store, row_of),
        **_concluded(store, row_of),
        **_remarks(store, row_of),
        **scores,
        **_pixels(campaign, objects, scores),
        **_matches(campaign, objects["object_id"]),
    }
    fields = [column.field for column in CATALOGUE_COLUMNS]
    values["grade"] = [
        final or grade for final, grade in zip(values["final_grade"], values["grade"], strict=True)
    ]
    arrays = [_array(values[field.name], field.type) for field in fields]
    return _with_own_columns(pa.table(arrays, schema=pa.schema(fields)), objects)


def vote_rows(store: LabelStore, *, object_ids: Collection[str] | None = None) -> pa.Table:
    """One row per vote, oldest first, undone and superseded ones too; columns are `VOTE_COLUMNS`."""
    wanted = None if object_ids is None else set(object_ids)
    schema = pa.schema([column.field for column in VOTE_COLUMNS])
    rows = (row for row in store.history() if wanted is None or row[1] in wanted)
    return pa.Table.from_batches((_vote_batch(chunk, schema) for chunk in _chunks(rows)), schema)


def _vote_batch(rows: list[Any], schema: pa.Schema) -> pa.RecordBatch:
    values: Columns = dict(zip((*FIELDS, "is_current"), zip(*rows, strict=True), strict=True))
    values["tags"] = [";".join(json.loads(tags)) for tags in values["tags"]]
    values["marks"] = ["" if marks == "[]" else marks for marks in values["marks"]]
    values["kind"] = [
        "grade" if grade else "undo" if supersedes else "skip"
        for grade, supersedes in zip(values["grade"], values["supersedes"], strict=True)
    ]
    arrays = [_array(list(values[field.name]), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _version(campaign: Campaign, model_version: str | None) -> str | None:
    versions = campaign.scored_versions()
    if model_version is None:
        return versions[-1] if versions else None
    if model_version not in versions:
        raise ExportError(
            f"model {model_version} has no scores in {campaign.path}; there are scores of "
            f"{', '.join(versions) or 'no model'}: lensvet score {campaign.path} --model NAME"
        )
    return model_version


def _grades(store: LabelStore, row_of: dict[str, int]) -> Columns:
    numbers = np.zeros((len(row_of), 6), np.int64)
    for tally in store.grade_tallies():
        row = row_of.get(tally.object_id)
        if row is not None:
            numbers[row] = tally.n_a, tally.n_b, tally.n_c, tally.n_x, tally.n_blind, tally.n_skips
    summary = summarise(numbers[:, :4])
    return {
        "grade": summary.grade.tolist(),
        "mean_score": summary.mean,
        "score_error": summary.standard_error,
        "score_spread": summary.spread,
        "n_votes": summary.n_votes,
        **{name: numbers[:, n] for n, name in enumerate(("n_a", "n_b", "n_c", "n_x", "n_blind", "n_skips"))},
    }


def _concluded(store: LabelStore, row_of: dict[str, int]) -> Columns:
    """What group sessions concluded of objects, and which of them were known before."""
    inspections = InspectionStore(store.engine)
    values: Columns = {name: [None] * len(row_of) for name in ("final_grade", "final_comment", "known")}
    for object_id, said in inspections.final_grades().items():
        if object_id in row_of:
            values["final_grade"][row_of[object_id]] = said.grade
            values["final_comment"][row_of[object_id]] = said.comment
    for object_id, known in inspections.known_objects().items():
        if object_id in row_of:
            values["known"][row_of[object_id]] = known
    return values


def _remarks(store: LabelStore, row_of: dict[str, int]) -> Columns:
    names = ("contaminant", "tags", "flags", "comments", "marks")
    texts: Columns = {name: [None] * len(row_of) for name in names}
    counts = {f"n_{flag}": np.zeros(len(row_of), np.int64) for flag in FLAGS}
    for object_id, votes in groupby(store.remarks(), key=lambda vote: vote.object_id):
        row = row_of.get(object_id)
        if row is None:
            continue
        remarks = gather_remarks(votes)
        for name, text in zip(names, _texts(remarks), strict=True):
            texts[name][row] = text
        for flag, number in remarks.flags.items():
            counts[f"n_{flag}"][row] = number
    return {**texts, **counts}


def _texts(remarks: Remarks) -> tuple[str, ...]:
    return (
        next(iter(remarks.contaminants), ""),
        ";".join(remarks.tags),
        ";".join(remarks.flags),
        "\n".join(remarks.comments),
        json.dumps([vars(mark) for mark in remarks.marks]) if remarks.marks else "",
    )


def _scores(campaign: Campaign, version: str | None, object_ids: pa.ChunkedArray) -> Columns:
    """The last score of each object, null where there is none; p_lens at the campaign's prior."""
    parts = campaign.score_parts(version) if version else []
    tables = [read_part(part) for part in reversed(parts)]
    scores = pa.concat_tables(tables) if tables else SCORE_SCHEMA.empty_table()
    rows = pc.index_in(object_ids, value_set=scores["object_id"])
    found = (
        scores.take(rows) if len(scores) else pa.table({n: pa.nulls(len(rows)) for n in SCORE_SCHEMA.names})
    )
    scored = pc.is_valid(rows)
    if version:
        given = (np.asarray(found[name].cast(REAL)) for name in ("logit", "p_lens"))
        stated = pa.array(p_lens_of_logit(campaign, version, *given), REAL, from_pandas=True)
        found = found.set_column(found.column_names.index("p_lens"), "p_lens", stated)
    renamed = {"ra_deg": "predicted_ra_deg", "dec_deg": "predicted_dec_deg", "reason": "no_score_reason"}
    return {
        **{renamed.get(name, name): found[name] for name in SCORE_SCHEMA.names if name != "object_id"},
        "model_version": pc.if_else(scored, pa.scalar(version, TEXT), pa.scalar(None, TEXT)),
    }


def _matches(campaign: Campaign, object_ids: pa.ChunkedArray) -> Columns:
    """Which objects are known lenses, and which come twice."""
    matches, _ = matches_of(campaign)
    rows = pc.index_in(object_ids, value_set=matches["object_id"])
    return {name: matches[name].take(rows) for name in (*HINTS, *DUPLICATES)}


def _pixels(campaign: Campaign, objects: pa.Table, scores: Columns) -> Columns:
    """The predicted position in pixels of the reference band, from 0."""
    centre_x, centre_y, scale_arcsec = _reference_grids(campaign, objects)
    x_arcsec, y_arcsec = (np.asarray(scores[name].cast(REAL)) for name in ("x_arcsec", "y_arcsec"))
    return {"x_px": centre_x + x_arcsec / scale_arcsec, "y_px": centre_y + y_arcsec / scale_arcsec}


def _reference_grids(campaign: Campaign, objects: pa.Table) -> NDArray[np.float64]:
    """Centre (x, y) in px and arcsec per px of each object's reference band: (3, object), NaN if unknown."""
    groups, first_rows, group_of = np.unique(
        np.asarray(objects["cutout_group"], str), return_index=True, return_inverse=True
    )
    bands = [objects["bands"][int(row)].as_py() for row in first_rows]  # one layout, hence bands, per group
    grids = [_grid(campaign, *named) for named in zip(groups.tolist(), bands, strict=True)]
    return np.array(grids, float).reshape(-1, 3)[group_of].T


def _grid(campaign: Campaign, group: str, bands: list[str]) -> tuple[float, float, float]:
    band = campaign.survey.reference_among(bands)
    try:
        cutouts = campaign.cutouts()
        height, width = cutouts.shape(group, band)
    except (CampaignError, StoreError):  # votes can be taken away without the images
        return math.nan, math.nan, math.nan
    return (width - 1) / 2, (height - 1) / 2, cutouts.pixel_scale_arcsec(group, band)


def _with_own_columns(table: pa.Table, objects: pa.Table) -> pa.Table:
    for name in objects.column_names:
        if name not in STORAGE_COLUMNS:
            values = _plain(objects[name])
            printable = re.sub(r"[^\S ]|[\x00-\x1f\x7f]", "_", name).strip() or "column"
            field = own_column(free_name(printable, table.column_names), values.type)
            table = table.append_column(field, values)
    return table


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers, truth values and text as they are; anything else as text."""
    kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return values
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return values.cast(pa.int64())
    if pa.types.is_float16(kind):
        return values.cast(pa.float32())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        texts = [None if value is None else json.dumps(value, default=str) for value in values.to_pylist()]
        return pa.chunked_array([pa.array(texts, TEXT)])
    return values.cast(TEXT)


def _array(values: Any, kind: pa.DataType) -> Any:
    """An Arrow array of that type, null where there is NaN or empty text."""
    array = values.cast(kind) if isinstance(values, pa.ChunkedArray) else pa.array(values, kind)
    if kind not in (TEXT, REAL):
        return array
    missing = pc.equal(array, "") if kind == TEXT else pc.is_nan(array)
    return pc.if_else(missing, pa.scalar(None, kind), array)
