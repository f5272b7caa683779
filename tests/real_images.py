"""`make real`: what evidence-net says of the real images, as its model card lists it. Needs LENSVET_SHARED.

Each image is judged in its central 10", there from VIS alone, in windows moved by up to 3" as far as there is room, and
whole. Positions are compared with those of `docs/euclid-q1-arcs.reg`, drawn before any network judged the images; of
two galaxies as bright as each other the nearer one counts. Erased arcs: `lensvet counterfactual`.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from data.campaign import Campaign, create_campaign, open_campaign, remember_filters
from data.ingest import ingest
from data.readers.ds9_regions import read_regions
from lensmodel.counterfactuals.subjects import Position, subjects_from_regions
from lensmodel.models import ModelCard, load_network, model_named
from lensmodel.networks import LensNetwork
from lensmodel.preprocessing import flux_batch

PROJECT = Path(__file__).resolve().parents[1]
Q1_REGIONS = PROJECT / "docs" / "euclid-q1-arcs.reg"
WINDOW_ARCSEC, SHIFT_ARCSEC, STEPS = 10.0, 3.0, 5
SMALL_WINDOW_ARCSEC = 8.0  # in images that leave a larger one no room
# Lenses of two galaxies of which neither is brighter.
PAIRS = ("102021016_NEG629685198482852633", "102042913_NEG520471782290867053")
HUBBLE = {
    "hst_slacs/SDSSJ1250+0523_F814W_data.fits": ("F814W", 0.05),
    "compound/DCLS0353-1706_F200LP.fits": ("F200LP", None),
}


@dataclass(frozen=True)
class RealImage:
    """flux : (band, y, x) in the model's pixels. lenses_arcsec : where a lens may be said to be, from the centre."""

    object_id: str
    flux: Tensor
    lenses_arcsec: tuple[Position, ...]


@dataclass(frozen=True)
class Opinion:
    """error_arcsec : of the position, NaN where nobody knows it."""

    logit: float
    error_arcsec: float

    @property
    def p_lens(self) -> float:
        return float(torch.sigmoid(torch.tensor(self.logit)))


def main(names: Sequence[str]) -> None:
    """Print the table of each model named, of evidence-net if none is."""
    torch.set_num_threads(1)
    shared = Path(os.environ.get("LENSVET_SHARED", PROJECT.parent / "shared")) / "real"
    if not (shared / "euclid_q1").is_dir():
        raise SystemExit(f"real images are not at {shared}: set LENSVET_SHARED")
    for card in map(model_named, names or ["evidence-net"]):
        with tempfile.TemporaryDirectory() as folder:
            images = list(real_images(shared, card, Path(folder)))
        Console(width=150).print(table_of(load_network(card), card, images))


def real_images(shared: Path, card: ModelCard, folder: Path) -> Iterator[RealImage]:
    """Euclid Q1's lenses and field galaxies, and Hubble's lenses, which have VIS alone."""
    q1 = create_campaign(folder / "q1", survey="euclid")
    ingest(q1, [shared / "euclid_q1", shared / "euclid_q1_field"], catalogue=shared / "MANIFEST.csv")
    yield from _images_of(q1, card, [Q1_REGIONS])
    hubble = create_campaign(folder / "hubble", survey="euclid")
    remember_filters(hubble, [(name, "VIS") for name, _ in HUBBLE.values()])
    for file, (_, scale) in HUBBLE.items():
        ingest(open_campaign(hubble.path), [shared / file], pixel_scale_arcsec=scale)
    yield from _images_of(open_campaign(hubble.path), card, [])


def _images_of(campaign: Campaign, card: ModelCard, regions: list[Path]) -> Iterator[RealImage]:
    for subject in subjects_from_regions(campaign, read_regions(regions) if regions else {}):
        stored = subject.stored
        rows = np.array([stored.cutout_row])
        flux, _ = flux_batch(card, campaign.cutouts(), stored.cutout_group, rows)
        places = subject.galaxies_arcsec[: 2 if stored.object_id in PAIRS else 1]
        yield RealImage(stored.object_id, flux[0], places if regions else (_brightest(flux[0, 0], card),))


def _brightest(vis: Tensor, card: ModelCard) -> Position:
    """The brightest 3x3 pixels within 1" of the centre, from there."""
    smooth = torch.nn.functional.avg_pool2d(vis.nan_to_num()[None, None], 3, stride=1, padding=1)[0, 0]
    reach = round(1 / card.pixel_scale_arcsec)
    first_y, first_x = ((length - 1) // 2 - reach for length in vis.shape)
    near = smooth[first_y : first_y + 2 * reach + 1, first_x : first_x + 2 * reach + 1]
    row, column = divmod(int(near.argmax()), near.shape[1])
    y, x = (first_y + row, first_x + column)
    height, width = vis.shape
    return (x - (width - 1) / 2) * card.pixel_scale_arcsec, (y - (height - 1) / 2) * card.pixel_scale_arcsec


def table_of(network: LensNetwork, card: ModelCard, images: Sequence[RealImage]) -> Table:
    """A row for each image."""
    columns = (
        "central 10″",
        "error ″",
        "VIS alone",
        "windows: least",
        "median",
        "error ″",
        "whole",
        "error ″",
    )
    table = Table("object", "px", *columns)
    for image in images:
        central = judged(network, card, image, (0.0, 0.0))
        alone = judged(network, card, image, (0.0, 0.0), bands=("VIS",))
        middle = image.lenses_arcsec[0] if image.lenses_arcsec else (0.0, 0.0)
        steps = np.linspace(-SHIFT_ARCSEC, SHIFT_ARCSEC, STEPS)
        is_large = image.flux.shape[-1] * card.pixel_scale_arcsec >= WINDOW_ARCSEC + SHIFT_ARCSEC
        side = WINDOW_ARCSEC if is_large else SMALL_WINDOW_ARCSEC
        places = [(middle[0] + x, middle[1] + y) for x in steps for y in steps]
        moved = [judged(network, card, image, place, side_arcsec=side) for place in places]
        whole = judged(network, card, image, (0.0, 0.0), side_arcsec=1e3)
        p_lens = [one.p_lens for one in moved]
        table.add_row(
            image.object_id,
            str(image.flux.shape[-1]),
            f"{central.p_lens:.3f}",
            f"{central.error_arcsec:.2f}",
            f"{alone.p_lens:.3f}",
            f"{min(p_lens):.2f}",
            f"{np.median(p_lens):.2f}",
            f"{np.median([one.error_arcsec for one in moved]):.2f}",
            f"{whole.p_lens:.3f}",
            f"{whole.error_arcsec:.2f}",
        )
    return table


@torch.inference_mode()
def judged(
    network: LensNetwork,
    card: ModelCard,
    image: RealImage,
    centre: Position,
    *,
    side_arcsec: float = WINDOW_ARCSEC,
    bands: Sequence[str] | None = None,
) -> Opinion:
    """A window about a place, moved where it would leave the image; from some of the bands if they are named."""
    scale = card.pixel_scale_arcsec
    starts, sides = [], []
    for length, offset in zip(image.flux.shape[1:], reversed(centre), strict=True):
        side = min(length, round(side_arcsec / scale))
        start = round((length - side) / 2 + offset / scale)
        starts.append(min(max(start, 0), length - side))
        sides.append(side)
    (first_y, first_x), (height, width) = starts, sides
    flux = image.flux[:, first_y : first_y + height, first_x : first_x + width].clone()
    if bands:
        flux[[band not in bands for band in card.bands]] = torch.nan
    output = network(network.normalise(flux[None]))
    assert output.x_arcsec is not None
    assert output.y_arcsec is not None
    x = float(output.x_arcsec) + (first_x + (width - image.flux.shape[2]) / 2) * scale
    y = float(output.y_arcsec) + (first_y + (height - image.flux.shape[1]) / 2) * scale
    errors = [float(np.hypot(x - at_x, y - at_y)) for at_x, at_y in image.lenses_arcsec]
    return Opinion(float(output.logit), min(errors, default=float("nan")))


if __name__ == "__main__":
    main(sys.argv[1:])
