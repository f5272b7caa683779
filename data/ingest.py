"""Files into a campaign: find, read, check, name, pack. What cannot be read is rejected, the rest goes on.

Running it again reads only what is new. An object's id is the catalogue's, else the file's stem.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.campaign import (
    Campaign,
    open_campaign,
    remember_filters,
    remember_pixel_scale,
    remember_source,
)
from data.cutouts import Cutout
from data.errors import CampaignError
from data.files import held_alone
from data.packing import Packer
from data.readers.assembly import Known
from data.readers.mosaics import cut_mosaics, holds_positions
from data.readers.naming import split_stem
from data.readers.parts import UNKNOWN
from data.readers.pool import Job, read_jobs
from data.readers.unit_reader import Found
from data.readers.units import Rejected, SourceFile, Unit, find_units, list_files
from data.rejections import Rejections
from data.source_catalogue import SourceCatalogue, described
from data.surveys import BELIEVABLE_SCALES, is_believable_scale

_QUIET_S = 2.0  # a file that changed later than that may still be written


@dataclass(frozen=True)
class IngestProgress:
    """How far it is. A unit is an object's files, a stack of objects, or a position in a mosaic."""

    units_done: int
    units_total: int
    added: int
    rejected: int


@dataclass(frozen=True)
class IngestReport:
    """What came of it, in objects. warnings : how often each was given; an object's own say how much."""

    added: int
    already_there: int
    rejected: list[Rejected]
    warnings: Counter[str]


def ingest(
    campaign: Campaign,
    sources: Sequence[Path],
    *,
    catalogue: Path | None = None,
    filters: Sequence[tuple[str, str]] = (),
    pixel_scale_arcsec: float | None = None,
    workers: int | None = None,
    on_progress: Callable[[IngestProgress], None] | None = None,
    remember: bool = True,
) -> IngestReport:
    """Read all that is new in these files and folders.

    catalogue : CSV, FITS, VOTable, ECSV or Parquet with ids, positions and columns of the objects. At its
        positions, cutouts are taken from images that are larger than one.
    filters : of other instruments, and the band that each is taken for in this campaign from now on.
    pixel_scale_arcsec : of images for which neither their file nor the catalogue states one.
    workers : processes that read; None chooses, 0 reads in this one.
    remember : whether `ingest_new` shall look at these sources from now on, with this pixel scale.

    Raises
    ------
    CampaignError
        If a source does not exist, the pixel scale is no positive number, a filter cannot be taken for its band, or
        another ingest is running. The settings are then as they were.
    CatalogueError
        If the catalogue cannot be read.
    """
    if pixel_scale_arcsec is not None and not is_believable_scale(pixel_scale_arcsec):
        raise CampaignError(f"the pixel scale is {pixel_scale_arcsec:g}; expected {BELIEVABLE_SCALES}")
    paths = list_files(sources, leave_out=_no_sources(campaign, catalogue))
    known = SourceCatalogue.open(catalogue) if catalogue is not None else None
    with held_alone(campaign.path / ".ingest.lock", doing="ingesting"):
        # As they are now: what another ingest wrote while this one waited must not be written over.
        campaign = remember_filters(open_campaign(campaign.path), filters)
        for source in sources if remember else ():
            campaign = remember_source(campaign, source)
            if pixel_scale_arcsec is not None:
                _check_scale(campaign, source, pixel_scale_arcsec)
                campaign = remember_pixel_scale(campaign, source, pixel_scale_arcsec)
        _remove_leftovers(campaign)
        rejections = Rejections(campaign.rejected_path)
        rejections.forget_missing()
        run = _Run(campaign, known, rejections, on_progress, pixel_scale_arcsec)
        return run.over(paths, lambda _: True, workers)


def ingest_new(campaign: Campaign, *, catalogue: Path | None = None) -> IngestReport:
    """Read what is new in the campaign's sources; a file still being written waits for the next time.

    Files that were rejected are read again if they changed since. Bands of one object in files of their own
    have to arrive together: the planes of an object never change.

    Raises
    ------
    CampaignError, CatalogueError
        As in `ingest`.
    """
    sources = [source for text in campaign.sources if (source := Path(text)).exists()]
    paths = list_files(sources, leave_out=_no_sources(campaign, catalogue))
    known = SourceCatalogue.open(catalogue) if catalogue is not None else None
    with held_alone(campaign.path / ".ingest.lock", doing="ingesting"):
        rejections = Rejections(campaign.rejected_path)
        quiet_since = time.time() - _QUIET_S

        def is_ready(unit: Unit) -> bool:
            rejections.forget_changed(unit.paths)
            is_known = all(rejections.earlier_reason(file.path) for file in unit.files)
            return not is_known and all(_changed_s(path) < quiet_since for path in unit.paths)

        return _Run(campaign, known, rejections, None).over(paths, is_ready, None)


class _Run:
    """One ingest under the campaign's lock."""

    def __init__(
        self,
        campaign: Campaign,
        catalogue: SourceCatalogue | None,
        rejections: Rejections,
        on_progress: Callable[[IngestProgress], None] | None,
        pixel_scale_arcsec: float | None = None,
    ) -> None:
        self._pixel_scale_arcsec = pixel_scale_arcsec
        self._scale_of_source = {Path(text): scale for text, scale in campaign.pixel_scales_arcsec}
        self._survey = campaign.survey
        self._catalogue = catalogue
        self._rejections = rejections
        self._on_progress = on_progress
        self._packer = Packer(campaign)
        self._file_of_id, self._ids_of_file = _ingested(campaign)
        self._rows_used: set[int] = set()
        self._bands: Counter[str] = Counter()
        self._warnings: Counter[str] = Counter()
        self._already_there = self._units_done = self._units_total = self._added = 0

    def over(
        self, paths: Sequence[Path], is_ready: Callable[[Unit], bool], workers: int | None
    ) -> IngestReport:
        """Read the units and the mosaics among these files that are new and ready."""
        mosaics = self._mosaics(paths)
        units, alone = find_units(path for path in paths if path not in mosaics)
        for rejected in alone:
            self._rejections.add(rejected)
        jobs = [Job(unit, self._known(unit)) for unit in units if self._is_new(unit) and is_ready(unit)]
        self._units_total = len(jobs)
        try:
            for unit, results in read_jobs(jobs, self._survey, workers=workers):
                self._take_unit(unit, results)
            self._take_mosaics([path for path in mosaics if is_ready(_unit_of(path))])
        finally:
            self._save()
        self._warn_of_the_whole()
        return IngestReport(self._added, self._already_there, self._rejections.of_this_run(), self._warnings)

    def _mosaics(self, paths: Iterable[Path]) -> dict[Path, None]:
        """Large images that the catalogue does not name, with positions of the catalogue in them."""
        catalogue = self._catalogue
        if catalogue is None or not catalogue.has_positions:
            return {}
        positions = catalogue.positions(range(len(catalogue)))
        unnamed = (path for path in paths if not catalogue.rows_of([path], [path.stem]))
        return dict.fromkeys(path for path in unnamed if holds_positions(path, positions))

    def _is_new(self, unit: Unit) -> bool:
        """Whether nothing of the unit was ingested. A file that came late to an object is rejected."""
        there = [file.path for file in unit.files if str(file.path) in self._ids_of_file]
        if not there:
            return True
        ids = self._ids_of_file[str(there[0])]
        self._already_there += len(ids)
        for file in unit.files:
            if file.path not in there:
                reason = self._rejections.earlier_reason(file.path) or (
                    f"belongs to {ids[0][:100]!r}, which was ingested without it, and planes never change: "
                    "make a new campaign to have both"
                )
                self._rejections.add(Rejected(str(file.path), reason))
        return False

    def _known(self, unit: Unit) -> Known:
        stated = Known(pixel_scale_arcsec=self._stated_scale_arcsec(unit.files[0].path))
        if self._catalogue is None:
            return stated
        files, stems = [file.path for file in unit.files], _stems(unit)
        rows = self._catalogue.rows_of(files, stems) or self._catalogue.rows_of(files, stems, 0)
        known = self._catalogue.entry(rows).known if rows else stated
        return known if known.pixel_scale_arcsec > 0 else replace(stated, bands=known.bands)

    def _stated_scale_arcsec(self, path: Path) -> float:
        """Of this run, else of the innermost source that the file is in."""
        if self._pixel_scale_arcsec is not None:
            return self._pixel_scale_arcsec
        found = (self._scale_of_source.get(place) for place in (path, *path.parents))
        return next((scale for scale in found if scale is not None), UNKNOWN)

    def _take_unit(self, unit: Unit, results: Iterable[Found | Rejected]) -> None:
        self._rejections.forget(unit.paths)
        for result in results:
            if isinstance(result, Rejected):
                self._rejections.add(result)
            else:
                files = [file.path for file in unit.files if str(file.path) in result.cutout.source_files]
                stems = (result.cutout.object_id, *_stems(unit))
                self._take(result.cutout, files, stems, result.index)
        self._finish_unit()

    def _take_mosaics(self, mosaics: Sequence[Path]) -> None:
        if self._catalogue is None or not mosaics:
            return
        self._already_there += len({i for path in mosaics for i in self._ids_of_file.get(str(path), ())})
        rows = [row for row in range(len(self._catalogue)) if row not in self._rows_used]
        positions = self._catalogue.positions(rows, without=self._file_of_id)
        self._units_total += len(positions)
        for place, result in cut_mosaics(mosaics, positions, self._survey):
            if isinstance(result, Rejected):
                self._rejections.add(result)
            else:
                cutout = described(result.cutout, self._catalogue.entry([positions.rows[place]]))
                self._add(cutout, mosaics[:1])
            self._finish_unit()

    def _take(self, cutout: Cutout, files: Sequence[Path], stems: Sequence[str], index: int | None) -> None:
        """Name and describe a cutout as the catalogue does, then add it."""
        if self._catalogue is not None:
            rows = self._catalogue.rows_of(files, stems, index)
            if rows:
                self._rows_used.update(rows)
                cutout = described(cutout, self._catalogue.entry(rows))
            else:
                self._warnings["not in the catalogue"] += 1
        self._add(cutout, files)

    def _add(self, cutout: Cutout, files: Sequence[Path]) -> None:
        object_id = cutout.object_id
        reason = why_not_an_id(object_id)
        if reason is None and object_id in self._file_of_id:
            reason = f"the id {object_id[:100]!r} is that of {self._file_of_id[object_id]} already"
        if reason is not None:
            for file in files:
                self._rejections.add(Rejected(str(file), reason))
            return
        self._file_of_id[object_id] = cutout.source_files[0]
        self._packer.add(cutout)
        self._added += 1
        self._bands.update(cutout.bands if cutout.kind == "flux" else ())
        self._warnings.update(warning.split(":")[0] for warning in cutout.warnings)

    def _finish_unit(self) -> None:
        self._units_done += 1
        if self._packer.is_due():
            self._save()
        if self._on_progress is not None:
            done = min(self._units_done, self._units_total)
            self._on_progress(IngestProgress(done, self._units_total, self._added, len(self._rejections)))

    def _save(self) -> None:
        self._rejections.save()
        self._packer.save()

    def _warn_of_the_whole(self) -> None:
        """Bands that most objects have and some have not; what is wrong with the catalogue."""
        having = {band.name: self._bands[band.name] for band in self._survey.bands}
        most = max(having.values())
        lacking = {band: most - count for band, count in having.items() if most / 2 < count < most}
        self._warnings.update({f"{band} is missing": count for band, count in lacking.items()})
        if self._catalogue is not None:
            self._warnings.update(self._catalogue.warnings)


def why_not_an_id(object_id: str) -> str | None:
    """Why a text cannot be an object's id, else None. Everything that a URL can carry can."""
    if not object_id.strip():
        return "its id is empty: give it one in a catalogue"
    if object_id in {".", ".."}:
        return f"its id is {object_id!r}, which is a folder: give it another in a catalogue"
    if "\0" in object_id:
        return "its id holds a NUL character: give it another in a catalogue"
    if not _is_unicode(object_id):
        return "its id is not valid Unicode: rename the file, or give it an id in a catalogue"
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _stems(unit: Unit) -> tuple[str, ...]:
    """By what a catalogue may call the object of a unit: the stem, whole or without the band."""
    stems = [file.path.stem for file in unit.files]
    return (unit.stem, *stems, *(split_stem(stem).rest for stem in stems))


def _unit_of(path: Path) -> Unit:
    return Unit(path.stem, (SourceFile(path),))


def _no_sources(campaign: Campaign, catalogue: Path | None) -> list[Path]:
    return [campaign.path] if catalogue is None else [campaign.path, catalogue]


def _changed_s(path: Path) -> float:
    """When the system last saw a change; a copied file's own date may be years ago."""
    try:
        return path.stat().st_ctime
    except OSError:
        return float("inf")


def _ingested(campaign: Campaign) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The first file of each object, and the objects of each file."""
    table = campaign.objects().table
    file_of_id: dict[str, str] = {}
    ids_of_file: dict[str, list[str]] = {}
    for object_id, files in zip(
        table["object_id"].to_pylist(), table["source_files"].to_pylist(), strict=True
    ):
        file_of_id[object_id] = files[0] if files else "an object without a file"
        for file in files:
            ids_of_file.setdefault(file, []).append(object_id)
    return file_of_id, ids_of_file


def _check_scale(campaign: Campaign, source: Path, pixel_scale_arcsec: float) -> None:
    """Refuse another pixel scale for a source of which there are objects already: planes never change."""
    place = source.resolve()
    before = dict(campaign.pixel_scales_arcsec).get(str(place), pixel_scale_arcsec)
    if before != pixel_scale_arcsec and any(
        place in (Path(file), *Path(file).parents) for file in _ingested(campaign)[1]
    ):
        raise CampaignError(
            f"{source} was ingested with a pixel scale of {before:g} arcsec, not {pixel_scale_arcsec:g}, and planes "
            "never change: make a new campaign"
        )


def _remove_leftovers(campaign: Campaign) -> None:
    """What a killed ingest was writing when it was killed; nothing refers to it."""
    for folder in (campaign.cutouts_path,):
        for partial in folder.rglob("*.partial"):
            partial.unlink(missing_ok=True)
    for path in (campaign.catalogue_path, campaign.rejected_path):
        for partial in campaign.path.glob(f".{path.name}.*.partial"):
            partial.unlink(missing_ok=True)
