"""What lies close to what on the sky: the nearest of other positions, and groups of positions. Pure.

Positions become unit vectors in SciPy's KD-tree, for which neither the poles nor RA 0 are special. What is held
beside the positions does not grow with how many there are, but for a few numbers each.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Degrees = NDArray[np.float64]
Rows = NDArray[np.int64]

LARGEST_RADIUS_ARCSEC = 60.0  # beyond which it is no more about one object
_CHUNK = 500_000
_MOST_PAIRS = 5_000_000  # at once, of 16 to 40 bytes


def nearest_within(
    ra_deg: Degrees, dec_deg: Degrees, *, of: tuple[Degrees, Degrees], radius_arcsec: float
) -> tuple[Rows, Degrees]:
    """For each position, which of others is nearest within a radius, and how far away in arcsec; -1 and NaN if none is.

    of : ra_deg, dec_deg of the others. NaN is no position.
    """
    others = np.flatnonzero(np.isfinite(of[0]) & np.isfinite(of[1]))
    found, separation_arcsec = np.full(len(ra_deg), -1, np.int64), np.full(len(ra_deg), np.nan)
    if not len(others):
        return found, separation_arcsec
    tree = cKDTree(unit_vectors(of[0][others], of[1][others]))
    for first in range(0, len(ra_deg), _CHUNK):
        some = slice(first, first + _CHUNK)
        there = first + np.flatnonzero(np.isfinite(ra_deg[some]) & np.isfinite(dec_deg[some]))
        chord, place = tree.query(
            unit_vectors(ra_deg[there], dec_deg[there]), distance_upper_bound=_chord(radius_arcsec)
        )
        near = np.isfinite(chord)
        found[there[near]] = others[place[near]]
        separation_arcsec[there[near]] = _arcsec(chord[near])
    return found, separation_arcsec


def first_of_groups(ra_deg: Degrees, dec_deg: Degrees, *, radius_arcsec: float) -> Rows:
    """For each position, the first row of its group, its own if it is alone or no position.

    Two are in one group if they are within the radius of each other, or a chain of such pairs connects them (friends of
    friends).
    """
    there = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    there = there[np.lexsort((ra_deg[there], dec_deg[there]))]
    # Equal positions are one place: a million objects at a made-up position would be 5e11 pairs.
    is_new = np.ones(len(there), bool)
    for values in (ra_deg[there], dec_deg[there]):
        is_new[1:] &= values[1:] == values[:-1]
    is_new[1:] = ~is_new[1:]
    places = there[is_new]
    group = _groups(ra_deg[places], dec_deg[places], radius_arcsec)[np.cumsum(is_new) - 1]
    lowest = np.full(len(places), len(ra_deg))
    np.minimum.at(lowest, group, there)
    first = np.arange(len(ra_deg))
    first[there] = lowest[group]
    return first


def separations_arcsec(ra_deg: Degrees, dec_deg: Degrees, *, rows: Rows, others: Rows) -> Degrees:
    """How far each of some rows is from another."""
    vectors = (unit_vectors(ra_deg[some], dec_deg[some]) for some in (rows, others))
    return _arcsec(np.linalg.norm(np.subtract(*vectors), axis=1))


def _groups(ra_deg: Degrees, dec_deg: Degrees, radius_arcsec: float) -> NDArray[np.int32]:
    """The number of the group of each position; they come sorted by declination, and no two are equal."""
    number = len(ra_deg)
    reach_deg = radius_arcsec / 3600 * (1 + 1e-9)
    links = [np.empty((0, 2), np.int64)]
    for start in range(0, number, _CHUNK):
        last = min(start + _CHUNK, number) - 1
        # Who is further off in declination than the radius is further off on the sky.
        end = int(np.searchsorted(dec_deg, dec_deg[last] + reach_deg, side="right"))
        points = unit_vectors(ra_deg[start:end], dec_deg[start:end])
        links += [start + pairs for pairs in _links(points, _chord(radius_arcsec))]
    return _components(np.concatenate(links), number)


def _links(points: Degrees, chord: float) -> Iterator[Rows]:
    """Pairs that connect what is within a chord of each other: not all of them, and few for each point."""
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    if tree.count_neighbors(tree, chord) <= 2 * _MOST_PAIRS:
        yield _spanning(tree.query_pairs(chord, output_type="ndarray"), len(points))
        return
    for some in _parts(tree, points, np.arange(len(points)), chord):
        near = cKDTree(points[some]).sparse_distance_matrix(tree, chord, output_type="coo_matrix")
        yield _spanning(np.column_stack((some[near.row], near.col)), len(points))


def _parts(tree: cKDTree, points: Degrees, some: Rows, chord: float) -> Iterator[Rows]:
    """Some points in parts of which none has too many pairs."""
    if len(some) == 1 or cKDTree(points[some]).count_neighbors(tree, chord) <= _MOST_PAIRS:
        yield some
        return
    for half in np.array_split(some, 2):
        yield from _parts(tree, points, half, chord)


def _spanning(pairs: Rows, number: int) -> Rows:
    """Fewer pairs that connect the same: each point with the first of its group."""
    group = _components(pairs, number)
    lowest = np.full(number, number)
    np.minimum.at(lowest, group, np.arange(number))
    first = lowest[group]
    linked = np.flatnonzero(first != np.arange(number))
    return np.column_stack((first[linked], linked))


def _components(pairs: Rows, number: int) -> NDArray[np.int32]:
    ones = np.ones(len(pairs), bool)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(number, number))
    group: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return group


def unit_vectors(ra_deg: Degrees, dec_deg: Degrees) -> Degrees:
    """(position, 3)"""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.column_stack((np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)))


def _chord(radius_arcsec: float) -> float:
    """The distance of unit vectors this far apart, and a little more, since the tree's bound is not within it."""
    return float(2 * np.sin(np.radians(radius_arcsec / 3600) / 2) * (1 + 1e-9))


def _arcsec(chord: Degrees) -> Degrees:
    separation: Degrees = 3600 * np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1)))
    return separation
