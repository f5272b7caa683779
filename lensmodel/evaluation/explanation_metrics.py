"""How well a map explains a verdict: one map and the truth in, numbers out. NumPy only.

Maps are (y, x), higher where the image speaks for a lens, NaN where the method says nothing: those pixels count neither
as weight nor as area. Positions are (x, y) in arcsec from the centre of the map. NaN means that there is no answer.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import rankdata

from data.maps import position_of
from data.region_shapes import offsets_arcsec
from lensmodel.evaluation.metrics import Claims, Numbers

Map = NDArray[np.floating]
Position = tuple[float, float]

_TIED = 1e-6  # of the peak: what differs less is one plateau


def map_position(map_: Map, pixel_scale_arcsec: float) -> tuple[float, float, float] | None:
    """(x, y, sigma) of what speaks for a lens, as `data.maps.position_of`; None if the map points nowhere.

    What lies below the map's median, such as a dark place in a bright map, is no place that it points to.
    """
    if not np.isfinite(map_).any():
        return None
    return position_of(np.maximum(map_, np.nanmedian(map_)), pixel_scale_arcsec)


def peak_of(map_: Map, pixel_scale_arcsec: float) -> Position | None:
    """(x, y) of the middle of the highest plateau; None where nothing speaks for a lens more than all the rest."""
    known = np.isfinite(map_)
    if not known.any() or np.nanmax(map_) <= max(0.0, float(np.nanmin(map_))):
        return None
    values = np.where(known, map_, -np.inf)
    plateaus, _ = ndimage.label(values >= values.max() * (1 - _TIED))
    rows, columns = np.nonzero(plateaus == plateaus[np.unravel_index(values.argmax(), values.shape)])
    y, x = (
        (axis.mean() - (length - 1) / 2) * pixel_scale_arcsec
        for axis, length in zip((rows, columns), map_.shape, strict=True)
    )
    return float(x), float(y)


def distance_to_mask_arcsec(place: Position, mask: Claims, pixel_scale_arcsec: float) -> float:
    """From a place to the centre of the nearest pixel of the mask; infinite if that is empty."""
    x, y = offsets_arcsec((mask.shape[0], mask.shape[1]), pixel_scale_arcsec)
    distance = np.hypot(x - place[0], y - place[1])[mask]
    return float(distance.min()) if len(distance) else float("inf")


def disc(shape: tuple[int, int], pixel_scale_arcsec: float, centre: Position, radius_arcsec: float) -> Claims:
    """(y, x): the pixels within a radius of a place."""
    x, y = offsets_arcsec(shape, pixel_scale_arcsec)
    return np.asarray(np.hypot(x - centre[0], y - centre[1]) <= radius_arcsec)


def weight_share(map_: Map, inside: Claims) -> float:
    """Share of the map's positive weight in a mask: the weighting game (Raatikainen & Rahtu 2022, arXiv:2208.00450).

    0 where the map has no weight at all.

    >>> weight_share(np.array([[3.0, 1.0], [-5.0, np.nan]]), np.array([[True, False], [True, True]]))
    0.75
    """
    weight = np.nan_to_num(np.clip(map_.astype(float), 0, None))
    total = weight.sum()
    return float(weight[inside].sum() / total) if total > 0 else 0.0


def area_share(map_: Map, inside: Claims) -> float:
    """Share of a mask in the pixels that the map speaks of: the weight it has there by chance."""
    known = np.isfinite(map_)
    return float(inside[known].mean()) if known.any() else float("nan")


def ranks_from_the_top(map_: Map, random: np.random.Generator) -> NDArray[np.int64]:
    """(y, x): 0 for the pixel that speaks most for a lens. Ties are drawn, and what the map leaves out comes last."""
    values = np.where(np.isfinite(map_), map_, -np.inf).ravel()
    order = np.lexsort((random.permutation(len(values)), -values))
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.arange(len(values))
    return ranks.reshape(map_.shape)


def area_under(p: Numbers) -> float:
    """Area under a curve (step,) whose steps divide the way from 0 to 1 evenly.

    >>> area_under(np.array([0.0, 1.0, 1.0]))
    0.75
    """
    return float(np.trapezoid(p, dx=1 / (len(p) - 1)))


def rank_correlation(first: Map, second: Map) -> float:
    """Spearman's, of the strength (absolute value) of two maps where both speak, as Adebayo et al. 2018 compare.

    0 if only one of them is constant: it says nothing of the other. 1 if both are: nothing changed.
    """
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return float("nan")
    ranks = [rankdata(np.abs(one[known])) for one in (first, second)]
    is_constant = [bool((one == one[0]).all()) for one in ranks]
    if any(is_constant):
        return float(all(is_constant))
    return float(np.corrcoef(*ranks)[0, 1])
