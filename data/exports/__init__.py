"""Vetted catalogues as files, with units, UCDs and provenance; the suffix is the format.

    from data.exports import export
    export(campaign, store, Path("q1.fits"))                 one row per object
    export(campaign, store, Path("votes.parquet"), votes=True)

A new format is a module with a function `(table, path)` and a row in `FORMATS`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from data.campaign import Campaign
from data.catalogue import catalogue_rows, vote_rows
from data.errors import ExportError
from data.exports.delimited import spreadsheet_safe, write_csv, write_ecsv
from data.exports.fits_table import write_fits
from data.exports.parquet_table import write_parquet
from data.exports.provenance import provenance_of, with_provenance
from data.exports.regions import write_regions
from data.exports.votable import write_votable
from data.files import written_atomically
from data.label_store import LabelStore


@dataclass(frozen=True)
class Format:
    """A file format. write : (table, path). takes_any_table : or only a catalogue with its own columns."""

    title: str
    write: Callable[[pa.Table, Path], None]
    takes_any_table: bool = True


FORMATS: dict[str, Format] = {
    ".fits": Format("FITS binary table", write_fits),
    ".vot": Format("VOTable", write_votable),
    ".ecsv": Format("ECSV: CSV with units and provenance above it", write_ecsv),
    ".csv": Format("CSV: values only", write_csv),
    ".parquet": Format("Parquet", write_parquet),
    ".reg": Format("regions for DS9", write_regions, takes_any_table=False),
}

# Column names of published catalogues, and which of our columns they are.
PRESETS: dict[str, Mapping[str, str]] = {
    "q1": {
        "object_id": "object_id",
        "right_ascension": "ra_deg",
        "declination": "dec_deg",
        "expert_score": "mean_score",
        "grade": "grade",
        "expert_total_votes": "n_votes",
        "notes": "comments",
    },
}


def export(
    campaign: Campaign,
    store: LabelStore,
    out: Path,
    *,
    preset: str | None = None,
    votes: bool = False,
    model_version: str | None = None,
    object_ids: Collection[str] | None = None,
    spreadsheet: bool = False,
    now: datetime | None = None,
) -> None:
    """Write the vetted catalogue, or with `votes` every vote, of all objects or of those named.

    model_version : whose scores; the newest that has any if none is named. now : the date in the header.
    preset, spreadsheet : as in `write_catalogue`.

    Raises
    ------
    ExportError
        If the format or the preset is not known, they do not go together, or the file cannot be written.
    """
    _check(out, preset=preset, votes=votes, spreadsheet=spreadsheet)
    if votes:
        table = vote_rows(store, object_ids=object_ids)
    else:
        table = catalogue_rows(campaign, store, model_version=model_version, object_ids=object_ids)
    provenance = provenance_of(campaign, store, table, now=now or datetime.now(UTC))
    write_catalogue(with_provenance(table, provenance), out, preset=preset, spreadsheet=spreadsheet)


def write_catalogue(
    table: pa.Table, out: Path, *, preset: str | None = None, spreadsheet: bool = False
) -> None:
    """Write a table of `data.catalogue`; the file is whole or absent.

    preset : the columns of a published catalogue, under its names, and no others.
    spreadsheet : in CSV, put ' before text that a spreadsheet would run as a formula (`=1+1`). Without it,
    values stay as they are: a program that reads the file back must find what was written.

    Raises
    ------
    ExportError
        As `export`.
    """
    _check(out, preset=preset, spreadsheet=spreadsheet)
    if preset is not None:
        table = _renamed(table, PRESETS[preset])
    if spreadsheet:
        table = spreadsheet_safe(table)
    try:
        with written_atomically(out) as partial:
            FORMATS[out.suffix.lower()].write(table, partial)
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error.strerror or error}") from error


def _check(out: Path, *, preset: str | None, spreadsheet: bool, votes: bool = False) -> None:
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise ExportError(f"{out.name} has suffix {suffix!r}; expected one of {' '.join(FORMATS)}")
    if preset is not None and preset not in PRESETS:
        raise ExportError(f"preset {preset!r} is not known; known are {', '.join(PRESETS)}")
    if preset is not None and votes:
        raise ExportError(
            f"preset {preset} is a catalogue of objects, votes have other columns: give one or the other"
        )
    if spreadsheet and suffix != ".csv":
        raise ExportError(
            f"a spreadsheet runs formulas in CSV only, not in {suffix}: choose .csv, or leave it out"
        )
    if not FORMATS[suffix].takes_any_table and (votes or preset is not None):
        raise ExportError(
            f"{suffix} shows objects on the sky, not votes or other columns: choose another format"
        )


def _renamed(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    fields = [table.schema.field(old).with_name(new) for new, old in names.items()]
    return pa.table([table[old] for old in names.values()], schema=pa.schema(fields, table.schema.metadata))
