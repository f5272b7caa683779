"""Which objects are known lenses, and which come twice: `crossmatch.parquet`, a row for each such object.

Made of the positions in `catalogue.parquet`. The file says of which catalogue, known lenses and radii it is made;
`bring_up_to_date` makes it anew when these are others, so that nobody reads what was true of an earlier catalogue.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.campaign import Campaign
from data.errors import CampaignError
from data.files import held_alone, written_atomically
from data.known_lenses import LENSCAT, KnownLenses, edition_of, known_lenses_in
from data.sky_neighbours import (
    LARGEST_RADIUS_ARCSEC,
    Degrees,
    first_of_groups,
    nearest_within,
    separations_arcsec,
)

# Of 344 real images with positions, 110 are this near to a lens of lenscat, and 3 more, arcs of groups, within 4"; from
# 10" on it is other galaxies of a field. By chance 8 of ten million positions are this near to one of 32,838 lenses.
KNOWN_RADIUS_ARCSEC = 2.0
# Surveys agree on positions to a tenth of that, and cutouts whose centres are this close show the same picture.
DUPLICATE_RADIUS_ARCSEC = 1.0

# What is known of a lens is a hint; that an object comes twice is none.
HINTS = ("known_lens", "known_lens_grading", "known_lens_arcsec", "known_lens_reference")
DUPLICATES = ("duplicate_of", "duplicate_arcsec")
SCHEMA = pa.schema(
    [
        ("object_id", pa.string()),
        ("known_lens", pa.string()),
        ("known_lens_grading", pa.string()),
        ("known_lens_type", pa.string()),
        ("known_lens_z", pa.float64()),
        ("known_lens_reference", pa.string()),
        ("known_lens_arcsec", pa.float64()),
        ("duplicate_of", pa.string()),
        ("duplicate_arcsec", pa.float64()),
    ]
)

_OF_LENS = {
    "known_lens": "name",
    "known_lens_grading": "grading",
    "known_lens_type": "type",
    "known_lens_z": "z_lens",
    "known_lens_reference": "reference",
}
_NOTE = b"lensvet.crossmatch"
_FORM = 1  # of the file; another one makes those of before out of date
_BATCH_ROWS = 100_000

Made = dict[str, Any]


@dataclass(frozen=True)
class Radii:
    """Within how many arcsec an object is a known lens, and within how many it is another object."""

    known_arcsec: float = KNOWN_RADIUS_ARCSEC
    duplicate_arcsec: float = DUPLICATE_RADIUS_ARCSEC


@dataclass(frozen=True)
class Matched:
    """What came of it, in objects. placed : with a position. against : what they were compared with, in words."""

    objects: int
    placed: int
    known: int
    duplicates: int
    against: str

    def in_words(self) -> str:
        """What a command says of it."""
        unplaced = self.objects - self.placed
        return (
            f"{self.placed:,} positions compared with {self.against}: "
            f"known lenses {self.known:,}, duplicates {self.duplicates:,}"
            + (f"; objects without a position {unplaced:,}" if unplaced else "")
        )


def crossmatch(
    campaign: Campaign, *, known: KnownLenses | None = None, radii: Radii | None = None
) -> Matched:
    """Compare a catalogue with known lenses and with itself; what it becomes later is compared in the same way.

    known : in place of the shipped ones. radii : in place of the default ones.

    Raises
    ------
    CampaignError
        If a radius is not one for single objects.
    """
    radii = radii or Radii()
    for radius_arcsec in (radii.known_arcsec, radii.duplicate_arcsec):
        if not 0 < radius_arcsec <= LARGEST_RADIUS_ARCSEC:
            raise CampaignError(
                f"the radius is {radius_arcsec:g} arcsec; expected more than 0 and at most {LARGEST_RADIUS_ARCSEC:g}"
            )
    with _held(campaign):
        if known is None:
            campaign.known_lenses_path.unlink(missing_ok=True)
        else:
            known.save(campaign.known_lenses_path)
        return _write(campaign, radii)


def bring_up_to_date(campaign: Campaign) -> Matched:
    """Compare them again if the catalogue is another one than was compared, or nothing was.

    Raises
    ------
    CatalogueError
        If the known lenses of the campaign are damaged.
    """
    with _held(campaign):
        note = _note_in(campaign.crossmatch_path)
        if note is not None and note["made_of"] == made_of(campaign):
            return Matched(**note["matched"])
        return _write(campaign, _radii(campaign))


def is_up_to_date(campaign: Campaign) -> bool:
    """Whether the file is there, and of the catalogue as it is now."""
    made = made_of_in(campaign.crossmatch_path)
    return made is not None and made == made_of(campaign)


def made_of(campaign: Campaign) -> Made:
    """What the file would be made of now."""
    return _made_of(campaign, _radii(campaign))


def made_of_in(path: Path) -> Made | None:
    """What a file is made of; None if there is no such file."""
    note = _note_in(path)
    return None if note is None else note["made_of"]


def in_words(made: Made) -> str:
    """What a catalogue was compared with.

    >>> radii = {"known_arcsec": 2.0, "duplicate_arcsec": 1.0}
    >>> in_words({"known_lenses": {"title": "lenscat", "version": "1.1.3"}, "radii": radii})
    'lenscat 1.1.3 within 2 arcsec, and itself within 1 arcsec'
    """
    known_arcsec, duplicate_arcsec = (made["radii"][name] for name in ("known_arcsec", "duplicate_arcsec"))
    return f"{edition_in_words(made)} within {known_arcsec:g} arcsec, and itself within {duplicate_arcsec:g} arcsec"


def edition_in_words(made: Made) -> str:
    """The known lenses that a catalogue was compared with, such as `lenscat 1.1.3`."""
    edition = made["known_lenses"]
    return f"{edition['title']} {edition['version']}".strip()


def matches_of(campaign: Campaign) -> tuple[pa.Table, Made]:
    """The rows of the file, and what they are made of: the catalogue as it is now."""
    bring_up_to_date(campaign)
    table = pq.read_table(campaign.crossmatch_path, partitioning=None)
    made: Made = json.loads(table.schema.metadata[_NOTE])["made_of"]
    return table, made


def _made_of(campaign: Campaign, radii: Radii) -> Made:
    catalogue = campaign.catalogue_path
    return {
        "form": _FORM,
        "catalogue": catalogue.stat().st_mtime_ns if catalogue.exists() else None,
        "known_lenses": asdict(edition_of(_known_lenses_path(campaign))),
        "radii": asdict(radii),
    }


def _note_in(path: Path) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads((pq.read_schema(path).metadata or {})[_NOTE])
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
    return note


def _radii(campaign: Campaign) -> Radii:
    """Those chosen last."""
    made = made_of_in(campaign.crossmatch_path)
    return Radii(**made["radii"]) if made else Radii()


def _known_lenses_path(campaign: Campaign) -> Path:
    return campaign.known_lenses_path if campaign.known_lenses_path.exists() else LENSCAT


def _held(campaign: Campaign) -> contextlib.AbstractContextManager[None]:
    return held_alone(campaign.path / ".crossmatch.lock", doing="crossmatching", in_turn=True)


def _write(campaign: Campaign, radii: Radii) -> Matched:
    for partial in campaign.path.glob(f".{campaign.crossmatch_path.name}.*.partial"):
        partial.unlink(missing_ok=True)  # of a process that was killed
    # Stated before it is read: if the catalogue is replaced in between, the file is out of date, and not wrong.
    made = _made_of(campaign, radii)
    lenses = known_lenses_in(_known_lenses_path(campaign))
    with _catalogue(campaign.catalogue_path) as catalogue:
        ra_deg, dec_deg = (_degrees(catalogue, name) for name in ("ra_deg", "dec_deg"))
        table = _matches(catalogue, ra_deg, dec_deg, lenses, radii) if catalogue else SCHEMA.empty_table()
        matched = Matched(
            objects=len(ra_deg),
            placed=int(np.isfinite(ra_deg + dec_deg).sum()),
            known=len(table) - table["known_lens"].null_count,
            duplicates=len(table) - table["duplicate_of"].null_count,
            against=in_words(made),
        )
    note = {
        "made_of": made,
        "matched": asdict(matched),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with written_atomically(campaign.crossmatch_path) as partial:
        pq.write_table(table.replace_schema_metadata({_NOTE: json.dumps(note)}), partial, compression="zstd")
    return matched


@contextlib.contextmanager
def _catalogue(path: Path) -> Iterator[pq.ParquetFile | None]:
    """One file all the while, also when it is replaced; None if there is none yet."""
    if not path.exists():
        yield None
        return
    with pq.ParquetFile(path) as opened:
        yield opened


def _degrees(catalogue: pq.ParquetFile | None, column: str) -> Degrees:
    if catalogue is None:
        return np.empty(0)
    return np.asarray(catalogue.read(columns=[column])[column].to_numpy(), np.float64)


def _matches(
    catalogue: pq.ParquetFile, ra_deg: Degrees, dec_deg: Degrees, lenses: KnownLenses, radii: Radii
) -> pa.Table:
    first = first_of_groups(ra_deg, dec_deg, radius_arcsec=radii.duplicate_arcsec)
    lens, lens_arcsec = nearest_within(
        ra_deg, dec_deg, of=(lenses.ra_deg, lenses.dec_deg), radius_arcsec=radii.known_arcsec
    )
    rows = np.flatnonzero((lens >= 0) | (first != np.arange(len(first))))
    is_known, is_duplicate = lens[rows] >= 0, first[rows] != rows
    matched = lenses.table.take(pa.array(lens[rows], mask=~is_known))
    ids = _ids(catalogue, np.concatenate((rows, first[rows])))
    between_arcsec = separations_arcsec(ra_deg, dec_deg, rows=rows, others=first[rows])
    nothing = pa.nulls(len(rows), pa.string())
    columns = {
        "object_id": ids[: len(rows)],
        **{name: matched[theirs] for name, theirs in _OF_LENS.items()},
        "known_lens_arcsec": pa.array(lens_arcsec[rows], from_pandas=True),
        "duplicate_of": pc.if_else(pa.array(is_duplicate), ids[len(rows) :], nothing),
        "duplicate_arcsec": pa.array(between_arcsec, mask=~is_duplicate),
    }
    return pa.table([columns[name] for name in SCHEMA.names], SCHEMA)


def _ids(catalogue: pq.ParquetFile, rows: NDArray[np.int64]) -> pa.Array:
    """The ids in these rows, read in batches: those of all objects may be gigabytes."""
    wanted, places = np.unique(rows, return_inverse=True)
    found, before = [pa.array([], pa.string())], 0
    for batch in catalogue.iter_batches(_BATCH_ROWS, columns=["object_id"]):
        low, high = np.searchsorted(wanted, (before, before + len(batch)))
        found.append(batch["object_id"].take(pa.array(wanted[low:high] - before)))
        before += len(batch)
    return pa.concat_arrays(found).take(pa.array(places))
