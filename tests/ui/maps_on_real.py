"""`make figures`: what evidence-net's maps show on real images, for the README. Needs LENSVET_SHARED.

No image file of theirs is kept: the picture shows them as drawn. Each row is one object: its colours, or VIS alone; the
evidence map; and occlusion, orange where hiding a square takes p_lens down and blue where it raises it.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from bokeh.palettes import Inferno256
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont
from torch import Tensor

from dashboard.plots.thumbnails import composite
from lensmodel.explain import METHODS, explain
from lensmodel.models import ModelCard, default_model, load_network
from lensmodel.networks import LensNetwork
from tests.real_images import real_images

PROJECT = Path(__file__).resolve().parents[2]
OUT = PROJECT / "docs" / "maps-on-real.png"
# By the beginning of the object id: how it is called, and the side of the window about its centre in arcsec, at most.
SHOWN = {
    "102018665": ("Euclid Q1, galaxy-scale lens", 10.0),
    "DCLS0353": ("DCLS0353-1706, Hubble F200LP as VIS", 8.0),
    "102021016_NEG629685198482852633_f2": ("Euclid Q1, field galaxy (not vetted)", 8.0),
}
SIDE_PX, GAP_PX, TITLE_PX = 300, 8, 30
_INFERNO = np.array([ImageColor.getrgb(colour) for colour in Inferno256], np.uint8)
_FOR, _AGAINST = np.array([255, 150, 40]), np.array([70, 140, 255])


def main() -> None:
    """Judge, explain and draw."""
    torch.set_num_threads(1)
    shared = Path(os.environ.get("LENSVET_SHARED", PROJECT.parent / "shared")) / "real"
    card = default_model()
    network = load_network(card)
    with tempfile.TemporaryDirectory() as folder:
        flux_of = {image.object_id: image.flux for image in real_images(shared, card, Path(folder))}
    width = 3 * SIDE_PX + 2 * GAP_PX
    sheet = Image.new("RGB", (width, len(SHOWN) * (SIDE_PX + TITLE_PX)), (18, 20, 24))
    for row, (beginning, (title, side_arcsec)) in enumerate(SHOWN.items()):
        (object_id,) = (one for one in flux_of if one.startswith(beginning) and _is_shown(one, beginning))
        top = row * (SIDE_PX + TITLE_PX)
        window = _window(flux_of[object_id], round(side_arcsec / card.pixel_scale_arcsec))
        p_lens, pictures = _pictures(network, card, window)
        width_arcsec = window.shape[-1] * card.pixel_scale_arcsec
        said = f"{title}: p_lens {p_lens:.2f}; {width_arcsec:.1f} arcsec wide"
        ImageDraw.Draw(sheet).text(
            (6, top + 7), said, fill=(225, 228, 232), font=ImageFont.load_default(size=15)
        )
        for column, picture in enumerate(pictures):
            sheet.paste(_enlarged(picture), (column * (SIDE_PX + GAP_PX), top + TITLE_PX))
    sheet.save(OUT, optimize=True)
    print(OUT)


def _is_shown(object_id: str, beginning: str) -> bool:
    """Field galaxies beside a lens are called as the lens is, with a number."""
    return ("_f" in object_id) == ("_f" in beginning)


def _window(flux: Tensor, side: int) -> Tensor:
    first_y, first_x = ((length - side) // 2 for length in flux.shape[1:])
    return flux[:, max(first_y, 0) :, max(first_x, 0) :][:, :side, :side]


def _pictures(network: LensNetwork, card: ModelCard, flux: Tensor) -> tuple[float, list[NDArray[np.uint8]]]:
    with torch.no_grad():
        image = network.normalise(flux[None])[0]
        p_lens = float(network(image[None]).logit.sigmoid())
    maps = {
        method: METHODS[method].for_lens * explain(network, card, image, method)
        for method in ("evidence", "occlusion")
    }
    return p_lens, [_colours(flux, card), _heat(maps["evidence"]), _signed(maps["occlusion"])]


def _colours(flux: Tensor, card: ModelCard) -> NDArray[np.uint8]:
    """Bands above their sky in units of their noise; grey if there is only one."""
    there = [band for band in card.bands if flux[card.bands.index(band)].isfinite().any()]
    chosen = ["H", "Y", "VIS"] if {"H", "Y", "VIS"} <= set(there) else [there[0]] * 3
    planes = [np.nan_to_num(flux[card.bands.index(band)].numpy()) for band in chosen]
    levels = [plane - np.median(plane) for plane in planes]
    return composite(np.stack([level / np.median(np.abs(level)) for level in levels], axis=-1))


def _heat(map_: NDArray[np.float32]) -> NDArray[np.uint8]:
    level = np.clip(np.nan_to_num(map_) / np.nanmax(map_), 0, 1)
    return _INFERNO[np.rint(255 * level).astype(int)]


def _signed(map_: NDArray[np.float32]) -> NDArray[np.uint8]:
    level = np.nan_to_num(map_ / np.nanmax(np.abs(map_)))[..., None]
    return np.rint(np.where(level > 0, level * _FOR, -level * _AGAINST)).astype(np.uint8)


def _enlarged(picture: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture[::-1])).resize(
        (SIDE_PX, SIDE_PX), Image.Resampling.NEAREST
    )


if __name__ == "__main__":
    main()
