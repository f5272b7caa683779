"""`make figures`: real Euclid Q1 cutouts among simulated ones, drawn as /vet draws them, and a key below.

Needs the real images (LENSVET_SHARED). No image file of theirs is kept: the picture shows them as drawn.
"""

import base64
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from playwright.sync_api import Page, Route
from scipy.ndimage import gaussian_filter, maximum_filter

from data.campaign import create_campaign
from data.cutouts import Plane
from data.ingest import ingest
from data.simulations.instrument import BANDS, FIELD_PX, OPTICS, PIXEL_SCALE_ARCSEC
from data.simulations.recipes import SimulatedChunk, draw_chunk
from data.surveys import SURVEYS
from tests.fixtures.browsers import open_chromium

PROJECT = Path(__file__).resolve().parents[2]
OUT = PROJECT / "docs" / "simulated-beside-real.png"
STAGE = PROJECT / "dashboard" / "components" / "stage"
SEED = 20250319
SIDE_PX, COLUMNS, ROWS, SHOWN_PX = 64, 6, 4, 176
LENSES, OTHERS = 5, 7  # of the real and of the simulated ones each
MAGS = (18.5, 23.3)  # VIS, of what is no lens
_FROM_EDGE_PX, _APART_PX, _FROM_LENS_PX = 34, 36, 48
_NO_GALAXIES = (
    *("star or quasar", "star with spikes", "ghost", "cosmic ray", "satellite trail", "bad column"),
    "twin",
)

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Tile:
    """A cutout of four bands (band, y, x) and what it is, in a word or two."""

    planes: Image
    what: str
    is_real: bool


def main() -> None:
    """Choose, shuffle and draw."""
    torch.set_num_threads(1)
    random = np.random.default_rng(SEED)
    folder = Path(os.environ.get("LENSVET_SHARED", PROJECT.parent / "shared")) / "real"
    real = real_tiles(folder, random)
    tiles = [*real, *simulated_tiles(draw_chunk(SEED, 0, "held-out"), real)]
    order = random.permutation(len(tiles))
    _draw([tiles[index] for index in order])


def real_tiles(folder: Path, random: np.random.Generator) -> list[Tile]:
    """Lenses and galaxies near them.

    Raises
    ------
    SystemExit
        If the real images are not there.
    """
    if not (folder / "euclid_q1").is_dir():
        raise SystemExit(f"real images are not at {folder}: set LENSVET_SHARED")
    lenses, others = [], []
    for planes in _read(folder / "euclid_q1"):
        is_group = planes.shape[-1] > FIELD_PX  # of the Q1 files, those of groups show 30 arcsec
        lenses.append(Tile(_central(planes), "group lens" if is_group else "galaxy lens", True))
        if is_group:
            others += [Tile(_cut(planes, *place), "galaxy", True) for place in _galaxies(planes)]
    fields = [Tile(_central(planes), "galaxy", True) for planes in _read(folder / "euclid_q1_field")]
    bright = [tile for tile in fields if _mag(tile.planes) < MAGS[1]]
    others = bright + [tile for tile in others if not any(_overlap(tile, field) for field in fields)]
    chosen = random.choice(len(others), OTHERS, replace=False)
    return [*lenses[:LENSES], *(others[index] for index in sorted(chosen))]


def simulated_tiles(chunk: SimulatedChunk, real: list[Tile]) -> list[Tile]:
    """For each real lens or galaxy the simulated one whose brightness comes closest, groups for groups' lenses."""
    subtype, lens = np.array(chunk.subtypes), chunk.is_lens.numpy()
    seen = lens & (chunk.truth["sim_arc_is_detectable"].numpy() == 1)
    candidates = {
        "group lens": seen & (subtype == "group"),
        "galaxy lens": seen & (subtype != "group"),
        "galaxy": ~lens & ~np.isin(subtype, _NO_GALAXIES),
    }
    cuts = [_about_target(chunk, row) for row in range(len(chunk))]
    mags = np.array([_mag(cut) for cut in cuts])
    tiles = []
    for tile in real:
        free = candidates[tile.what]
        row = int(np.where(free, np.abs(mags - _mag(tile.planes)), np.inf).argmin())
        free[row] = False
        what = f"{subtype[row]} lens" if lens[row] else str(subtype[row])
        tiles.append(Tile(cuts[row], what, False))
    return tiles


def _about_target(chunk: SimulatedChunk, row: int) -> Image:
    middle = (chunk.images.shape[-1] - 1) / 2
    y, x = (
        round(middle + float(chunk.truth[f"sim_target_{axis}_arcsec"][row]) / PIXEL_SCALE_ARCSEC)
        for axis in "yx"
    )
    return _cut(chunk.images[row].numpy(), y, x)


def _read(folder: Path) -> Iterator[Image]:
    """The four bands (band, y, x) of each object that has them, in the units of the simulation."""
    with tempfile.TemporaryDirectory() as place:
        campaign = create_campaign(Path(place) / "real", survey="euclid")
        ingest(campaign, [folder])
        table = campaign.objects()
        for stored in table.rows_of(table.ids):
            planes = campaign.cutouts().read(stored)
            if set(BANDS) <= set(planes):
                yield np.stack([_in_our_unit(planes[band], band) for band in BANDS])


def _in_our_unit(plane: Plane, band: str) -> Image:
    factor = 10 ** (-0.4 * (plane.zero_point_mag - OPTICS[band].zero_point_mag))
    return plane.flux * np.float32(factor)


def _central(planes: Image) -> Image:
    middle = planes.shape[-1] // 2
    return _cut(planes, middle, middle)


def _cut(planes: Image, y: int, x: int) -> Image:
    half = SIDE_PX // 2
    return planes[:, y - half : y + half, x - half : x + half]


def _galaxies(planes: Image) -> Iterator[tuple[int, int]]:
    """Places (y, x) of galaxies away from the edges, the central lens and each other, brightest first."""
    smooth = gaussian_filter(np.nan_to_num(planes[0]), 2.0)
    peaks = (smooth == maximum_filter(smooth, 9)) & (smooth > 8 * OPTICS["VIS"].noise_rms)
    middle = planes.shape[-1] // 2
    kept: list[tuple[int, int]] = []
    for y, x in sorted(zip(*peaks.nonzero(), strict=True), key=lambda place: -smooth[place]):
        from_lens = np.hypot(y - middle, x - middle)
        near = min((np.hypot(y - other[0], x - other[1]) for other in kept), default=np.inf)
        edge = min(y, x, planes.shape[-1] - 1 - y, planes.shape[-1] - 1 - x)
        apart = near > _APART_PX and from_lens > _FROM_LENS_PX and edge > _FROM_EDGE_PX
        if apart and MAGS[0] < _mag(_cut(planes, y, x)) < MAGS[1]:
            kept.append((int(y), int(x)))
            yield int(y), int(x)


def _mag(planes: Image) -> float:
    """VIS magnitude within 1 arcsec of the centre."""
    offset = np.arange(SIDE_PX) - (SIDE_PX - 1) / 2
    within = np.hypot(offset[:, None], offset) < 10
    return float(OPTICS["VIS"].zero_point_mag - 2.5 * np.log10(max(planes[0][within].sum(), 1e-9)))


def _overlap(tile: Tile, other: Tile) -> bool:
    """Whether both show the same galaxy: the same pixels about the brightest one."""
    peak = np.unravel_index(np.nanargmax(tile.planes[0]), tile.planes[0].shape)
    return bool(np.isclose(other.planes[0], tile.planes[0][peak], rtol=1e-5).any())


_HTML = """<body style="margin:0;width:{width}px;background:#14161a;color:#c9ccd3;font:12px sans-serif">
<div id="grid" style="display:grid;grid-template-columns:repeat({columns},{shown}px);gap:4px;padding:4px"></div>
<p style="margin:6px 8px;font-size:13px">Half of these are Euclid Q1, half are simulated
and as bright. Each is 6.4″ wide, drawn as /vet draws it.</p>
<p style="margin:6px 8px;font-size:9px;color:#8b8f99">Key, by row from the top left:<br>{key}<br>
Real images: ESA/Euclid/Euclid Consortium/NASA, Q1.</p></body>"""

_SCRIPT = """async ([tiles, campaign, shown]) => {
  const { Pictures, COMPOSITE } = await import('/scene.js');
  const { DEFAULTS, pixelSettings } = await import('/settings.js');
  const pictures = new Pictures(campaign);
  for (const planes of tiles) {
    for (const plane of planes) {
      plane.flux = new Float32Array(Uint8Array.from(atob(plane.flux), (c) => c.charCodeAt(0)).buffer);
    }
    const { bitmap } = pictures.picture({ planes, kind: 'flux' }, COMPOSITE, pixelSettings(DEFAULTS));
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = shown;
    const context = canvas.getContext('2d');
    context.imageSmoothingEnabled = false;
    context.drawImage(bitmap, 0, 0, shown, shown);
    document.getElementById('grid').append(canvas);
  }
}"""


def _draw(tiles: list[Tile]) -> None:
    survey = SURVEYS["euclid"]
    campaign = {
        "composite": survey.composite,
        "composite_neutral_mag": survey.composite_neutral_mag,
        "reference_band": survey.reference_band,
        "psf_fwhm_arcsec": {band.name: band.psf_fwhm_arcsec for band in survey.bands},
    }
    with open_chromium() as browser:
        page = browser.new_page(viewport={"width": COLUMNS * (SHOWN_PX + 4) + 4, "height": 100})
        _serve(page, tiles)
        page.evaluate(_SCRIPT, [[_told(tile) for tile in tiles], campaign, SHOWN_PX])
        page.screenshot(path=OUT, full_page=True)


def _serve(page: Page, tiles: list[Tile]) -> None:
    """The stage's own modules, and a page that holds the pictures."""
    html = _HTML.format(
        width=COLUMNS * (SHOWN_PX + 4) + 4, columns=COLUMNS, shown=SHOWN_PX, key=key_of(tiles)
    )

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if not name:
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        else:
            route.fulfill(path=STAGE / name, content_type="text/javascript")

    page.route("http://stage/**", answer)
    page.goto("http://stage/")


def key_of(tiles: list[Tile]) -> str:
    """Row by row: what is real and what each is."""
    rows = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    words = (
        " · ".join(f"{'real' if tile.is_real else 'simulated'} {tile.what}" for tile in row) for row in rows
    )
    return "<br>".join(f"{number}: {row}" for number, row in enumerate(words, start=1))


def _told(tile: Tile) -> list[dict[str, object]]:
    return [
        {
            "band": band,
            "width": SIDE_PX,
            "height": SIDE_PX,
            "pixel_scale_arcsec": PIXEL_SCALE_ARCSEC,
            "zero_point_mag": OPTICS[band].zero_point_mag,
            "flux": base64.b64encode(np.ascontiguousarray(plane, "<f4").tobytes()).decode(),
        }
        for band, plane in zip(BANDS, tile.planes, strict=True)
    ]


if __name__ == "__main__":
    main()
