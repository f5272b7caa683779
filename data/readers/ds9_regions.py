"""DS9 region files that say where the lens is and which light is lensed, for objects of a campaign.

    icrs
    point(266.32314,65.93682) # text={EUCL J174517.55+655612.5} tag={lens}
    panda(266.32314,65.93682,170,330,1,1.0",1.6",1) # text={EUCL J174517.55+655612.5} tag={arc}

`text` is the object's id. `tag` is what the shape shows: `lens` (a point: the galaxy that lenses), `galaxy` (a point:
another one whose light is to be modelled), `arc` (lensed light). Without a tag a point is a lens and an area an arc;
a minus before a shape takes its pixels out of the arcs. Positions are `icrs`, `fk5` or `image`: pixels of the
reference band's cutout, the first is 1. Format: https://ds9.si.edu/doc/ref/region.html
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import RegionError
from data.region_shapes import Shape
from data.sky import TangentPlane

ROLES = ("lens", "galaxy", "arc")

_FRAMES = {"icrs": "sky", "fk5": "sky", "j2000": "sky", "image": "image"}
_OTHER_FRAMES = (
    *("physical", "fk4", "b1950", "galactic", "ecliptic", "linear", "detector", "amplifier", "tile"),
    *(f"wcs{letter}" for letter in ("", *"abcdefghijklmnopqrstuvwxyz")),
)
_DRAWINGS = ("text", "line", "vector", "ruler", "compass", "segment", "projection")
# Numbers after the position: how many there may be; sizes come in pairs in ellipses and boxes.
_SHAPES = {
    "point": (0,),
    "circle": (1,),
    "annulus": tuple(range(2, 20)),
    "ellipse": (3, 5, 7),
    "box": (2, 3),
    "panda": (6,),
    "polygon": tuple(range(4, 2000, 2)),
}
_UNITS_ARCSEC = {'"': 1.0, "'": 60.0, "d": 3600.0, "r": float(np.degrees(3600.0))}


@dataclass(frozen=True)
class Region:
    """One shape of one object, in the frame of the file.

    frame : `sky` or `image`. points : (a, b) in degrees, or pixels from 1. sizes : (value, whether in arcsec); else
        in pixels.
    """

    object_id: str
    role: str
    is_taken_out: bool
    frame: str
    kind: str
    points: tuple[tuple[float, float], ...]
    sizes: tuple[tuple[float, bool], ...]
    angles_deg: tuple[float, ...]
    place: str

    def on(self, *, shape: tuple[int, int], pixel_scale_arcsec: float, sky: TangentPlane | None) -> Shape:
        """The shape in arcsec from the centre of a cutout of that shape (y, x) and place on the sky.

        Raises
        ------
        RegionError
            If the region is on the sky and the cutout's place there is not known.
        """
        points = np.array(self.points, float)
        if self.frame == "image":
            centre = (np.array(shape[::-1]) + 1) / 2
            offsets, axes = (points - centre) * pixel_scale_arcsec, np.eye(2)
        elif sky is None:
            raise RegionError(
                f"{self.place}: the cutout of {self.object_id} has no WCS: give its regions as image, in pixels"
            )
        else:
            offsets = np.stack(sky.offsets_of(points[:, 0], points[:, 1]), axis=-1)
            # DS9 counts angles from the west to the north.
            axes = np.stack(sky.along_axes([-1.0, 0.0], [0.0, 1.0]), axis=-1)
            axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        sizes = tuple(value if is_arcsec else value * pixel_scale_arcsec for value, is_arcsec in self.sizes)
        turn = np.radians(0.0 if self.kind == "panda" else sum(self.angles_deg))
        turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ axes
        return Shape(self.kind, offsets, sizes, self.angles_deg if self.kind == "panda" else (), turned)


def read_regions(paths: Sequence[Path]) -> dict[str, list[Region]]:
    """The regions of each object. A path may be a folder of .reg files.

    Raises
    ------
    RegionError
        If a line cannot be understood, an object has no lens, or there is no region at all.
    """
    found: dict[str, list[Region]] = {}
    for file in _files(paths):
        for region in _regions_in(file):
            found.setdefault(region.object_id, []).append(region)
    if not found:
        raise RegionError(f"{', '.join(map(str, paths))}: no region; expected shapes with text={{object id}}")
    for object_id, regions in found.items():
        lenses = [region for region in regions if region.role == "lens"]
        if len(lenses) != 1:
            raise RegionError(
                f"{regions[0].place}: {object_id} has {len(lenses)} points tagged lens; expected one: "
                "tag={galaxy} is for other galaxies"
            )
    return found


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.glob("*.reg")) if path.is_dir() else (path,)


def _regions_in(file: Path) -> Iterator[Region]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RegionError(f"{file} is not text: expected a DS9 region file") from error
    frame = ""
    for number, line in enumerate(text.splitlines(), start=1):
        place = f"{file.name}, line {number}"
        commands, _, properties = line.partition("#")
        for command in filter(None, map(str.strip, commands.split(";"))):
            word = command.lower()
            if word in _FRAMES:
                frame = _FRAMES[word]
            elif word in _OTHER_FRAMES:
                raise RegionError(
                    f"{place}: the frame {word} is not read: save the regions as icrs, fk5 or image"
                )
            elif not word.startswith("global"):
                region = _region(command, properties, frame, place)
                if region is not None:
                    yield region


def _region(command: str, properties: str, frame: str, place: str) -> Region | None:
    matched = re.fullmatch(r"([+-]?)\s*([a-zA-Z]+)\s*(?:\((.*)\)|\s+(.*))", command)
    if matched is None:
        raise RegionError(
            f"{place}: {command[:60]!r} is no region; expected one like circle(x,y,r) # text={{id}}"
        )
    kind = matched[2].lower()
    if kind in _DRAWINGS:
        return None
    if kind not in _SHAPES:
        raise RegionError(f"{place}: the shape {kind!r} is not read; expected one of {', '.join(_SHAPES)}")
    if not frame:
        raise RegionError(f"{place}: no frame before the first shape; expected a line icrs, fk5 or image")
    object_id = _property("text", properties)
    if not object_id:
        raise RegionError(f"{place}: the {kind} names no object; expected # text={{object id}}")
    words = [word for word in re.split(r"[,\s]+", (matched[3] or matched[4] or "").strip()) if word]
    points, sizes, angles = _numbers(kind, words, frame, place)
    return Region(
        object_id=object_id,
        role=_role(kind, properties, place),
        is_taken_out=matched[1] == "-",
        frame=frame,
        kind=kind,
        points=points,
        sizes=sizes,
        angles_deg=angles,
        place=place,
    )


def _property(name: str, properties: str) -> str:
    found = re.search(rf"\b{name}\s*=\s*(?:\{{([^}}]*)\}}|\"([^\"]*)\"|'([^']*)')", properties)
    return next((value.strip() for value in found.groups() if value is not None), "") if found else ""


def _role(kind: str, properties: str, place: str) -> str:
    tags = re.findall(r"\btag\s*=\s*[{\"']([^}\"']*)[}\"']", properties)
    named = [tag.strip().lower() for tag in tags if tag.strip().lower() in ROLES]
    role = named[0] if named else ("lens" if kind == "point" else "arc")
    if (kind == "point") != (role != "arc"):
        raise RegionError(
            f"{place}: a {kind} is tagged {role}; a lens or a galaxy is a point, an arc an area"
        )
    return role


_Points = tuple[tuple[float, float], ...]
_Sizes = tuple[tuple[float, bool], ...]


def _numbers(
    kind: str, words: list[str], frame: str, place: str
) -> tuple[_Points, _Sizes, tuple[float, ...]]:
    if len(words) - 2 not in _SHAPES[kind]:
        raise RegionError(f"{place}: a {kind} does not have {len(words)} numbers; see DS9's region format")
    position = _sky_position if frame == "sky" else _pixel_position

    def number(read: Callable[[str], float], word: str) -> float:
        try:
            value = read(word)
        except ValueError:
            raise RegionError(f"{place}: {word[:40]!r} is not a number that a {kind} takes") from None
        if not np.isfinite(value):
            raise RegionError(f"{place}: {word[:40]!r} is not a finite number")
        return value

    def size(word: str) -> tuple[float, bool]:
        unit = word[-1] if word[-1] in "\"'drpi" else ("d" if frame == "sky" else "p")
        value = number(float, word.removesuffix(unit))
        if value < 0 or (value == 0 and kind not in ("annulus", "panda")):
            raise RegionError(f"{place}: {word[:40]!r} is not a size that a {kind} takes")
        return (value, False) if unit in "pi" else (value * _UNITS_ARCSEC[unit], True)

    ends = len(words) if kind == "polygon" else 2
    values = [number(lambda w, axis=at % 2: position(w, axis), word) for at, word in enumerate(words[:ends])]  # type: ignore[misc]  # the axis is bound early
    points = tuple(zip(values[::2], values[1::2], strict=True))
    rest = words[ends:]
    if kind == "panda":
        start, stop, _, inner, outer, _ = rest
        return points, (size(inner), size(outer)), (number(float, start), number(float, stop))
    has_angle = kind in ("ellipse", "box") and len(rest) % 2 == 1
    angles = (number(float, rest[-1]),) if has_angle else ()
    return points, tuple(size(word) for word in (rest[:-1] if has_angle else rest)), angles


def _pixel_position(word: str, axis: int) -> float:
    return float(word.removesuffix("i").removesuffix("p"))


def _sky_position(word: str, axis: int) -> float:
    """Degrees, or sexagesimal: hours of right ascension, degrees of declination."""
    if not re.search(r"[:hm]", word):
        value = float(word.removesuffix("d"))
    else:
        parts = [float(part) for part in re.split(r"[:hdms]", word.lstrip("+-")) if part]
        if len(parts) != 3:
            raise ValueError(word)
        value = parts[0] + parts[1] / 60 + parts[2] / 3600
        value = (-value if word.startswith("-") else value) * (15 if axis == 0 else 1)
    if not (-360 <= value <= 360 if axis == 0 else -90 <= value <= 90):
        raise ValueError(word)
    return value
