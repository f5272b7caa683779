"""Make the demo's cutouts again: `python -m data.samples.make`. The result depends on the seed alone."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from data.cutouts import Cutout
from data.files import written_atomically
from data.samples import CATALOGUE, PIXELS
from data.simulations.instrument import BANDS, OPTICS, PIXEL_SCALE_ARCSEC
from data.simulations.recipes import CHUNK, simulate_chunks
from data.simulations.writing import cutouts_of

NUMBER = 200
SEED = 20250319  # the day Euclid Q1 came out
STEPS_PER_NOISE = 4
_LARGEST = 32_000  # of a 16-bit step count


def make() -> None:
    """Simulate the demo recipe and write pixels and catalogue beside this module."""
    torch.set_num_threads(1)  # the sums of a batch depend on how many threads share it
    chunks = enumerate(simulate_chunks(NUMBER, seed=SEED, recipe="demo"))
    cutouts = [
        c for index, chunk in chunks for c in cutouts_of(chunk, seed=SEED, recipe="demo", first=index * CHUNK)
    ]
    with written_atomically(PIXELS) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **packed(cutouts))  # type: ignore[arg-type]  # names are not its options
    with written_atomically(CATALOGUE) as partial:
        pq.write_table(
            pa.Table.from_pylist([_row(cutout) for cutout in cutouts]), partial, compression="zstd"
        )


def packed(cutouts: Sequence[Cutout]) -> dict[str, NDArray[np.generic]]:
    """Arrays by name: bands, zero points, pixel scale, and per band the steps (object,) and their counts."""
    arrays: dict[str, NDArray[np.generic]] = {
        "bands": np.array(BANDS),
        "zero_points_mag": np.array([OPTICS[band].zero_point_mag for band in BANDS]),
        "pixel_scale_arcsec": np.array(PIXEL_SCALE_ARCSEC),
    }
    for band in BANDS:
        flux = np.stack([cutout.planes[band].flux for cutout in cutouts])
        largest = np.abs(flux).max(axis=(1, 2)) / _LARGEST
        step = np.maximum(OPTICS[band].noise_rms / STEPS_PER_NOISE, largest).astype(np.float32)
        arrays[f"step_{band}"] = step
        arrays[f"flux_{band}"] = np.rint(flux / step[:, None, None]).astype(np.int16)
    return arrays


def _row(cutout: Cutout) -> dict[str, object]:
    own = {"object_id": cutout.object_id, "ra_deg": cutout.ra_deg, "dec_deg": cutout.dec_deg}
    return {**own, "cd_deg": list(cutout.cd_deg or ()), **cutout.columns}


if __name__ == "__main__":
    make()
