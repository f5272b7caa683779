"""Which files belong together: bands of one object in several files, noise maps and PSFs with them."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import CampaignError
from data.readers import is_image_name
from data.readers.naming import folder_band, split_stem
from data.readers.parts import Role

_PACKED_SUFFIXES = (".gz", ".fz")
_PICTURE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg"))


@dataclass(frozen=True)
class SourceFile:
    """A file with what its name and folder say: band, "" if nothing, and role."""

    path: Path
    band: str = ""
    role: Role = "flux"


@dataclass(frozen=True)
class Unit:
    """Files that are one object, or one stack of objects. stem : its name, if no catalogue gives one."""

    stem: str
    files: tuple[SourceFile, ...]
    companions: tuple[SourceFile, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(file.path for file in (*self.files, *self.companions))


@dataclass(frozen=True)
class Rejected:
    """A file that could not be ingested, or not wholly, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class _Named:
    """A file and the three things that tell which others belong to it."""

    file: SourceFile
    folder: Path
    rest: str
    stem: str


def list_files(sources: Sequence[Path], *, leave_out: Iterable[Path] = ()) -> list[Path]:
    """All files below the sources, in a fixed order, without hidden ones, Zarr stores and `leave_out`.

    Raises
    ------
    CampaignError
        If a source does not exist.
    """
    for source in sources:
        if not source.exists():
            raise CampaignError(f"source {source} does not exist: give files or folders with cutouts")
    passed_over = {str(path.resolve()) for path in leave_out}
    found = {path for source in sources for path in _below(str(source.resolve()), passed_over)}
    return [Path(path) for path in sorted(found)]


def find_units(paths: Iterable[Path]) -> tuple[list[Unit], list[Rejected]]:
    """The units among these files, and the noise maps and PSFs that belong to none of them."""
    named = [_named(path) for path in paths]
    groups: dict[tuple[Path, str, str], list[_Named]] = defaultdict(list)
    for entry in named:
        if entry.file.role == "flux":
            groups[entry.folder, entry.rest, entry.file.path.suffix].append(entry)
    units = [unit for group in groups.values() for unit in _units_of(group)]
    companions = [entry for entry in named if entry.file.role != "flux"]
    joined, alone = _with_companions(units, companions)
    return sorted(joined, key=_order), alone


def _below(source: str, passed_over: set[str]) -> Iterator[str]:
    if Path(source).is_file():
        yield from () if source in passed_over else (source,)
        return
    seen = set()  # folders by what they are, since a link may lead back up
    for folder, names, files in os.walk(source, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or real in passed_over:
            names.clear()
            continue
        seen.add(real)
        names[:] = [name for name in names if not name.startswith(".") and not name.endswith(".zarr")]
        paths = (f"{folder}/{name}" for name in files if not name.startswith("."))
        # A pipe or a device would be waited for without end.
        yield from (path for path in paths if path not in passed_over and os.path.isfile(path))  # noqa: PTH113


def _named(path: Path) -> _Named:
    stem = _stem(path)
    rest, band, role = split_stem(stem)
    folder_says = folder_band(path.parent.name)
    folder = path.parent if folder_says is None else path.parent.parent
    file = SourceFile(path, band or folder_says or "", role)
    return _Named(file, folder, rest, stem if rest else folder.name or stem)


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() in _PACKED_SUFFIXES else path.stem


def _units_of(group: list[_Named]) -> list[tuple[_Named, Unit]]:
    """One unit if the files are different bands of one name, else one for each file."""
    bands = {entry.file.band for entry in group}
    if len(group) > 1 and len(bands) == len(group) and "" not in bands:
        first = group[0]
        stem = first.rest or first.stem
        return [(first, Unit(stem, tuple(entry.file for entry in group)))]
    return [(entry, Unit(entry.stem, (entry.file,))) for entry in group]


def _with_companions(
    units: list[tuple[_Named, Unit]], companions: list[_Named]
) -> tuple[list[Unit], list[Rejected]]:
    by_folder: dict[Path, list[tuple[_Named, Unit]]] = defaultdict(list)
    for name, unit in units:
        by_folder[name.folder].append((name, unit))
    attached: dict[int, list[SourceFile]] = defaultdict(list)
    alone = []
    for companion in companions:
        partners = _partners(companion, by_folder[companion.folder])
        for unit in partners:
            attached[id(unit)].append(companion.file)
        if not partners and is_image_name(companion.file.path):
            alone.append(Rejected(str(companion.file.path), _why_alone(companion)))
    return [
        Unit(unit.stem, unit.files, tuple(file for file in attached[id(unit)] if file.role != "ignored"))
        for _, unit in units
    ], alone


def _partners(companion: _Named, beside: list[tuple[_Named, Unit]]) -> list[Unit]:
    """The units of the same name; if there is none, the only one whose name goes on from there."""
    fitting = [
        (name, unit)
        for name, unit in beside
        if is_image_name(name.file.path)
        and (not companion.file.band or companion.file.band in {"", *(file.band for file in unit.files)})
    ]
    same = [unit for name, unit in fitting if name.rest == companion.rest]
    longer = [unit for name, unit in fitting if name.rest.startswith(companion.rest)]
    return same or (longer if len(longer) == 1 else [])


def _why_alone(companion: _Named) -> str:
    kind = {"psf": "a PSF", "ignored": "a mask"}.get(companion.file.role, "a noise map")
    return f"named like {kind}, and no image of that name is beside it: rename it if it is an object"


def _order(unit: Unit) -> tuple[Path, bool, Path]:
    """Pictures come last in their folder: of a FITS file and its preview, the first is the object."""
    path = unit.files[0].path
    return path.parent, path.suffix.lower() in _PICTURE_SUFFIXES, path
