"""One unit of files into its objects: one per file, one for all files, or one for each plane of a stack."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.cutouts import Cutout
from data.errors import UnreadableCutoutError
from data.readers import read_file
from data.readers.assembly import Known, Source, cutout_of, flux_bands
from data.readers.parts import Content, Part, along_bands, bands_first
from data.readers.units import Rejected, SourceFile, Unit
from data.surveys import Survey

_MOST_BANDS = 12  # a cube with more planes, and no names for them, is a stack of objects


@dataclass(frozen=True)
class Found:
    """A cutout under its file's name. index : its place among the file's objects, None if it is alone."""

    cutout: Cutout
    index: int | None = None


def read_unit(unit: Unit, survey: Survey, known: Known) -> Iterator[Found | Rejected]:
    """The objects of a unit, and the files of it that cannot be read, with the reason."""
    beside: list[Source] = []
    for companion in unit.companions:
        try:
            beside += [_as_companion(companion, content) for content in read_file(companion.path)]
        except UnreadableCutoutError as error:
            yield Rejected(str(companion.path), str(error))
    if len(unit.files) == 1:
        yield from _read_alone(unit.files[0], unit.stem, beside, survey, known)
    else:
        yield from _read_together(unit, beside, survey, known)


def _read_alone(
    file: SourceFile, stem: str, beside: list[Source], survey: Survey, known: Known
) -> Iterator[Found | Rejected]:
    try:
        for number, content in enumerate(read_file(file.path)):
            is_one_of_many = bool(content.object_name) or number > 0
            name = content.object_name or (f"{stem}[{number}]" if is_one_of_many else stem)
            for found in _objects(name, [Source(file, content), *beside], survey, known):
                yield replace(found, index=number) if is_one_of_many else found
    except UnreadableCutoutError as error:
        yield Rejected(str(file.path), str(error))


def _read_together(
    unit: Unit, beside: list[Source], survey: Survey, known: Known
) -> Iterator[Found | Rejected]:
    """One object if every file brings bands of its own, else an object for each file."""
    sources: list[Source] = []
    unread: list[Rejected] = []
    for file in unit.files:
        try:
            sources += [Source(file, content) for content in read_file(file.path)]
        except UnreadableCutoutError as error:
            unread.append(Rejected(str(file.path), str(error)))
    yield from unread
    if not sources:
        return
    if not _are_one_object(sources, survey):
        for path in dict.fromkeys(source.file for source in sources):
            yield from _read_alone(path, path.path.stem, beside, survey, known)
        return
    missing = tuple(f"a file of this object was rejected: {Path(r.file).name}, {r.reason}" for r in unread)
    try:
        for found in _objects(unit.stem, [*sources, *beside], survey, known):
            warnings = (*found.cutout.warnings, *missing)
            yield replace(found, cutout=replace(found.cutout, warnings=warnings))
    except UnreadableCutoutError as error:
        yield from (Rejected(str(source.file.path), str(error)) for source in sources)


def _are_one_object(sources: Sequence[Source], survey: Survey) -> bool:
    files = {source.file for source in sources}
    bands = [band for source in sources for band in flux_bands(source, survey)]
    is_flux = all(source.content.kind == "flux" for source in sources)
    return is_flux and len(files) == len(sources) and len(set(bands)) == len(bands)


def _as_companion(file: SourceFile, content: Content) -> Source:
    """What lies in a noise map's or a PSF's own file has that role, whatever its label says."""
    parts = tuple(replace(part, role=file.role) if part.role == "flux" else part for part in content.parts)
    return Source(file, replace(content, parts=parts))


def _objects(stem: str, sources: Sequence[Source], survey: Survey, known: Known) -> Iterator[Found]:
    """One object, or one for each plane of a stack."""
    sources = [_taken_apart(source, known) for source in sources]
    flux = [part for source in sources for part in source.of_role("flux")]
    lengths = {len(part.values) if part.values.ndim == 3 else 1 for part in flux}
    if all(part.values.ndim == 2 for part in flux):
        yield Found(cutout_of(stem, sources, survey, known))
    elif len(lengths) == 1:
        for index in range(lengths.pop()):
            one = [_with_plane(source, index) for source in sources]
            yield Found(cutout_of(f"{stem}[{index}]", one, survey, known), index)
    else:
        raise UnreadableCutoutError(
            f"stacks of {', '.join(map(str, sorted(lengths)))} objects: every band needs the same objects"
        )


def _taken_apart(source: Source, known: Known) -> Source:
    parts = tuple(plane for part in source.content.parts for plane in _planes(part, source.file, known))
    return replace(source, content=replace(source.content, parts=parts))


def _planes(part: Part, file: SourceFile, known: Known) -> list[Part]:
    """Parts (y, x); (n, y, x) is left only where n counts objects."""
    if part.role != "flux" or part.values.ndim == 2:
        return [part]
    if part.values.ndim != 3 or 0 in part.values.shape:
        raise UnreadableCutoutError(f"an image of shape {part.values.shape}; expected (y, x) or (band, y, x)")
    values = bands_first(part.values, _MOST_BANDS)
    if len(values) == len(known.bands):
        return along_bands(replace(part, values=values), known.bands)
    if file.band or part.label or len(values) > _MOST_BANDS:
        return [replace(part, values=values)]
    return [replace(part, values=plane) for plane in values]


def _with_plane(source: Source, index: int) -> Source:
    parts = tuple(
        replace(part, values=part.values[index])
        if part.values.ndim == 3 and index < len(part.values)
        else part
        for part in source.content.parts
    )
    return replace(source, content=replace(source.content, parts=parts))
