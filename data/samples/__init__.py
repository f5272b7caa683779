"""The demo's cutouts: 200 simulated objects, shipped, so that a first look needs no download.

`demo.npz` holds flux as whole steps of a quarter of each band's noise (as fpack does; Pence, White & Seaman
2010, PASP 122, 1065), `demo.parquet` the catalogue with its truth; `python -m data.samples.make` makes both.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.campaign import Campaign
from data.cutouts import Cutout, Plane
from data.errors import CampaignError
from data.files import held_alone

PIXELS = Path(__file__).with_name("demo.npz")
CATALOGUE = Path(__file__).with_name("demo.parquet")
_OWN = ("object_id", "ra_deg", "dec_deg", "cd_deg")


def install_samples(campaign: Campaign) -> int:
    """Fill an empty campaign with the shipped cutouts; the number of objects.

    Raises
    ------
    CampaignError
        If the campaign has objects already.
    """
    with held_alone(campaign.path / ".ingest.lock", doing="writing cutouts"):
        table = campaign.objects()
        if len(table):
            raise CampaignError(
                f"{campaign.path} holds {len(table)} objects already: samples go into a new campaign"
            )
        cutouts = read_samples()
        stored = campaign.cutouts_to_fill(table).append(cutouts)
        table.with_rows(stored).save(campaign.catalogue_path)
    return len(cutouts)


def read_samples() -> list[Cutout]:
    """The shipped cutouts, in the order of their catalogue."""
    with np.load(PIXELS) as packed:
        arrays = {name: packed[name] for name in packed.files}
    rows = pq.read_table(CATALOGUE).to_pylist()
    return [_cutout(row, index, arrays) for index, row in enumerate(rows)]


def _cutout(row: Mapping[str, object], index: int, arrays: Mapping[str, NDArray[np.generic]]) -> Cutout:
    planes = {
        str(band): Plane(
            flux=np.multiply(arrays[f"flux_{band}"][index], arrays[f"step_{band}"][index], dtype=np.float32),
            pixel_scale_arcsec=float(arrays["pixel_scale_arcsec"]),
            zero_point_mag=float(arrays["zero_points_mag"][channel]),
        )
        for channel, band in enumerate(arrays["bands"])
    }
    columns = {name: value for name, value in row.items() if name not in _OWN}
    ra_deg, dec_deg = float(str(row["ra_deg"])), float(str(row["dec_deg"]))
    cd_deg: tuple[float, float, float, float] = tuple(row["cd_deg"])  # type: ignore[arg-type,assignment]  # four numbers
    return Cutout(str(row["object_id"]), planes, ra_deg, dec_deg, cd_deg, columns=columns)
