"""What is close to what on the sky, against Astropy and against all pairs."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky

from data import sky_neighbours
from data.sky import separation_arcsec
from data.sky_neighbours import first_of_groups, nearest_within, separations_arcsec

NAN = np.nan
ARCSEC = 1 / 3600


def crowd(number: int, seed: int, *, spread_arcsec: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Positions so close that many are neighbours: at RA 0, at both poles, and in a field."""
    random = np.random.default_rng(seed)
    centres = np.array([(0.0, 0.0), (123.4, 90.0), (10.0, -90.0), (269.7, 66.0)])[
        random.integers(0, 4, number)
    ]
    angle, distance = random.uniform(0, 2 * np.pi, number), random.uniform(0, spread_arcsec, number)
    places = SkyCoord(*centres.T, unit="deg").directional_offset_by(angle * u.rad, distance * u.arcsec)
    return places.ra.deg, places.dec.deg


def groups_of_all_pairs(ra_deg, dec_deg, radius_arcsec: float) -> list[int]:
    """The first row of each group, by pairs that are followed until nothing changes."""
    first = list(range(len(ra_deg)))
    places = list(zip(ra_deg, dec_deg, strict=True))
    pairs = [
        (one, other)
        for one in range(len(places))
        for other in range(one)
        if separation_arcsec(places[one], places[other]) <= radius_arcsec
    ]
    while any(first[one] != first[other] for one, other in pairs):
        for one, other in pairs:
            first[one] = first[other] = min(first[one], first[other])
    return first


@pytest.mark.parametrize("seed", [1, 2])
def test_the_nearest_is_astropys(seed: int):
    ours, others = crowd(300, seed), crowd(60, seed + 10)
    found, separation = nearest_within(*ours, of=others, radius_arcsec=2.0)
    index, angle, _ = SkyCoord(*ours, unit="deg").match_to_catalog_sky(SkyCoord(*others, unit="deg"))
    near = angle.arcsec <= 2.0
    assert 20 < near.sum() < 280
    np.testing.assert_array_equal(found, np.where(near, index, -1))
    np.testing.assert_allclose(separation[near], angle.arcsec[near], atol=1e-8)
    assert np.isnan(separation[~near]).all()


@pytest.mark.parametrize("radius_arcsec", [0.3, 1.0, 3.0])
def test_groups_are_those_that_astropys_pairs_connect(radius_arcsec: float):
    ra_deg, dec_deg = crowd(400, 3)
    places = SkyCoord(ra_deg, dec_deg, unit="deg")
    one, other, _, _ = search_around_sky(places, places, radius_arcsec * u.arcsec)
    first = np.arange(400)
    for _ in range(400):
        np.minimum.at(first, one, first[other])
    found = first_of_groups(ra_deg, dec_deg, radius_arcsec=radius_arcsec)
    assert 0 < (found != np.arange(400)).sum() < 399
    np.testing.assert_array_equal(found, first)


def test_groups_are_those_of_all_pairs_in_every_order():
    ra_deg, dec_deg = crowd(120, 4)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(120)
        found = first_of_groups(ra_deg[order], dec_deg[order], radius_arcsec=1.0)
        assert found.tolist() == groups_of_all_pairs(ra_deg[order], dec_deg[order], 1.0)


def test_ra_0_and_the_poles_are_places_like_any_other():
    ra_deg = np.array([359.9999, 0.0001, 0.0, 180.0, 77.0])
    dec_deg = np.array([0.0, 0.0, 90 - 0.1 * ARCSEC, 90 - 0.1 * ARCSEC, 90.0])
    assert first_of_groups(ra_deg, dec_deg, radius_arcsec=1.0).tolist() == [0, 0, 2, 2, 2]
    found, separation = nearest_within(
        np.array([359.9999, 200.0]),
        np.array([0.0, -90.0]),
        of=(np.array([0.0001, 10.0]), np.array([0.0, -90.0])),
        radius_arcsec=1.0,
    )
    assert found.tolist() == [0, 1]
    np.testing.assert_allclose(separation, [0.72, 0.0], atol=1e-6)


def test_a_chain_is_one_group_of_its_first_row():
    steps = np.arange(6)[::-1] * 0.9 * ARCSEC
    assert first_of_groups(np.full(6, 30.0), steps, radius_arcsec=1.0).tolist() == [0] * 6
    assert first_of_groups(np.full(6, 30.0), steps, radius_arcsec=0.8).tolist() == [*range(6)]


def test_the_radius_counts_as_within_it():
    ra_deg, dec_deg = np.array([30.0, 30.0, 30.0]), np.array([0.0, ARCSEC, 2.001 * ARCSEC])
    assert first_of_groups(ra_deg, dec_deg, radius_arcsec=1.0).tolist() == [0, 0, 2]
    found, _ = nearest_within(ra_deg, dec_deg, of=(ra_deg[:1], dec_deg[:1]), radius_arcsec=1.0)
    assert found.tolist() == [0, 0, -1]


def test_what_has_no_position_is_close_to_nothing():
    ra_deg, dec_deg = np.array([NAN, 5.0, NAN, 5.0]), np.array([NAN, NAN, 5.0, 5.0])
    assert first_of_groups(ra_deg, dec_deg, radius_arcsec=60.0).tolist() == [0, 1, 2, 3]
    for of in ((ra_deg[:3], dec_deg[:3]), (ra_deg[:0], dec_deg[:0])):
        found, separation = nearest_within(ra_deg, dec_deg, of=of, radius_arcsec=60.0)
        assert found.tolist() == [-1] * 4
        assert np.isnan(separation).all()
    nothing = np.empty(0)
    assert len(first_of_groups(nothing, nothing, radius_arcsec=1.0)) == 0


def test_many_objects_at_one_made_up_position_are_one_group():
    number = 200_000  # 2e10 pairs
    first = first_of_groups(np.zeros(number), np.zeros(number), radius_arcsec=1.0)
    assert not first.any()


def test_strips_and_crowds_change_no_group(monkeypatch):
    ra_deg, dec_deg = crowd(2_000, 5, spread_arcsec=20.0)
    whole = first_of_groups(ra_deg, dec_deg, radius_arcsec=1.0)
    nearest = nearest_within(ra_deg, dec_deg, of=(ra_deg[:50], dec_deg[:50]), radius_arcsec=1.0)
    monkeypatch.setattr(sky_neighbours, "_CHUNK", 37)
    np.testing.assert_array_equal(first_of_groups(ra_deg, dec_deg, radius_arcsec=1.0), whole)
    again = nearest_within(ra_deg, dec_deg, of=(ra_deg[:50], dec_deg[:50]), radius_arcsec=1.0)
    np.testing.assert_array_equal(again[0], nearest[0])
    monkeypatch.setattr(sky_neighbours, "_CHUNK", 500)
    monkeypatch.setattr(sky_neighbours, "_MOST_PAIRS", 20)
    np.testing.assert_array_equal(first_of_groups(ra_deg, dec_deg, radius_arcsec=1.0), whole)


def test_separations_are_those_of_the_haversine():
    ra_deg, dec_deg = crowd(50, 6)
    rows, others = np.arange(50), np.arange(50)[::-1]
    found = separations_arcsec(ra_deg, dec_deg, rows=rows, others=others)
    for row, other in zip(rows, others, strict=True):
        expected = separation_arcsec((ra_deg[row], dec_deg[row]), (ra_deg[other], dec_deg[other]))
        assert found[row] == pytest.approx(expected, rel=1e-10, abs=1e-7)
