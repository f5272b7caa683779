"""Pictures of a survey: every object counts once, where it is, in the colours of what it stands for."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation

from dashboard.plots import survey
from dashboard.plots.survey import View
from dashboard.survey_columns import CELL_ORDER, SurveyColumns
from data.filters import parsed
from data.sky_projection import SkyProjection
from data.survey_table import SurveyTable, write_survey_table
from tests.fixtures.campaigns import MODEL
from tests.test_queue_filter import measured_campaign

RNG = np.random.default_rng(1)


def test_the_projection_goes_there_and_back_and_keeps_areas():
    projection = SkyProjection(266.0)
    ra, dec = RNG.uniform(0, 360, 5000), np.degrees(np.arcsin(RNG.uniform(-1, 1, 5000)))
    x, y = (values.astype(float) for values in projection.project(ra, dec))
    again = projection.unproject(x, y)
    apart = angular_separation(*(np.radians(values) for values in (ra, dec, *again)))
    assert np.degrees(apart[np.abs(dec) < 89]).max() < 0.01
    assert abs(projection.project([266.0], [0.0])[0][0]) < 1e-5
    assert projection.project([267.0], [0.0])[0][0] == pytest.approx(-1, rel=1e-3)  # east is left
    # Points spread evenly over the sphere are spread evenly over the ellipse.
    inside = (x / (180 * 2 * np.sqrt(2) / np.pi)) ** 2 + (y / (180 * np.sqrt(2) / np.pi)) ** 2 < 0.25
    assert inside.mean() == pytest.approx(0.25, abs=0.02)


def test_outside_the_sky_there_are_no_coordinates():
    assert np.isnan(SkyProjection(0.0).unproject([170.0], [80.0])).all()


def test_the_middle_of_a_survey_that_crosses_zero_is_in_it():
    assert SkyProjection.about([350.0, 10.0, np.nan]).centre_ra_deg == pytest.approx(0, abs=0.01)
    assert SkyProjection.about([]).centre_ra_deg == 0


def test_every_object_counts_in_one_pixel():
    x, y = RNG.normal(size=(2, 20_000)).astype(np.float32)
    view = View(-10, 10, -10, 10, 200, 100)
    counts = survey.counted(x, y, view)
    assert counts.shape == (100, 200)
    assert np.nansum(counts) == 20_000
    expected = np.histogram2d(y, x, bins=(100, 200), range=((-10, 10), (-10, 10)))[0]
    assert np.abs(counts - expected).sum() < 20  # float32 at the edges of pixels


def test_what_is_selected_is_coloured_and_the_rest_grey():
    x, y = np.array([0.5, 0.5, 1.5, 2.5], np.float32), np.array([0.5, 0.5, 0.5, 0.5], np.float32)
    view = View(0, 4, 0, 1, 4, 1)
    made = survey.scatter(x, y, view, mask=np.array([True, True, False, True]))
    first, second, third, fourth = made.pixels[0]
    assert tuple(first) == (*survey.COLOURS[-1], 255)
    assert tuple(second[:3]) == (128, 128, 128)
    assert tuple(third) == (*survey.COLOURS[0], 255)
    assert fourth[3] == 0
    assert (made.low, made.high) == (1, 2)


def test_a_weight_colours_by_its_mean():
    x = y = np.array([0.5, 0.5, 1.5], np.float32)
    weight = np.array([0.0, 1.0, np.nan], np.float32)
    made = survey.scatter(x, y, View(0, 2, 0, 2, 2, 2), weight=weight, limits=(0.0, 1.0))
    assert tuple(made.pixels[0, 0, :3]) == tuple(survey.COLOURS[(len(survey.COLOURS) - 1) // 2])
    assert tuple(made.pixels[1, 1, :3]) == (128, 128, 128)  # there, but without the weight


def test_a_pixel_has_the_colour_of_the_category_that_most_are_of():
    x = np.array([0.5, 0.5, 0.5, 1.5, 0.5], np.float32)
    y = np.array([0.5, 0.5, 0.5, 0.5, 1.5], np.float32)
    codes = np.array([1, 2, 2, 1, 0], np.uint8)
    view = View(0, 2, 0, 2, 2, 2)
    made = survey.by_category(x, y, view, codes, ["#ff0000", "#0000ff"]).pixels
    assert made[0, 0].tolist() == [0, 0, 255, 255]
    assert made[0, 1].tolist() == [255, 0, 0, 255]
    assert made[1, 0, :3].tolist() == [128, 128, 128]
    assert made[1, 1].tolist() == [0, 0, 0, 0]
    masked = survey.by_category(x, y, view, codes, ["#ff0000", "#0000ff"], mask=codes != 2).pixels
    assert masked[0, 0].tolist() == [255, 0, 0, 255]


def test_where_there_are_few_objects_each_is_drawn_larger():
    x = y = np.array([50.5], np.float32)
    made = survey.scatter(x, y, View(0, 100, 0, 100, 100, 100))
    rows, columns = np.nonzero(made.pixels[..., 3])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (47, 53, 47, 53)
    weighted = survey.scatter(x, y, View(0, 100, 0, 100, 100, 100), weight=np.ones(1, np.float32))
    assert np.count_nonzero(weighted.pixels[..., 3]) == 49


def test_density_on_the_sky_is_in_objects_per_square_degree():
    counts = np.zeros(12 * 4**5, np.int64)
    position = SkyCoord(40 * u.deg, 10 * u.deg)
    from astropy_healpix import HEALPix

    healpix = HEALPix(2**5, order="nested")
    counts[healpix.lonlat_to_healpix(position.ra, position.dec)] = 70
    projection = SkyProjection(40.0)
    made = survey.sky_density(counts, counts, projection, View(-20, 20, -10, 30, 80, 80))
    area = healpix.pixel_area.to_value(u.deg**2)
    assert made.high == pytest.approx(70 / area)
    rows, columns = np.nonzero(made.pixels[..., 3])
    assert np.hypot(columns.mean() - 40, rows.mean() - 40) < 4  # a cell is some four pixels wide
    drawn_area = len(rows) * 0.25
    assert drawn_area == pytest.approx(area, rel=0.15)


def test_cells_are_never_smaller_than_pixels_and_close_by_there_are_points():
    for width_deg, order in ((360, 5), (40, 8), (0.5, None)):
        assert survey.cell_order(View(0, width_deg, 0, width_deg / 2, 800, 400), most=CELL_ORDER) == order


def test_a_histogram_counts_what_numpy_counts():
    values = np.concatenate([RNG.normal(size=10_000), [np.nan, np.inf, -np.inf, 50]]).astype(np.float32)
    mask = values > 0
    every, chosen = survey.histogram(values, -3, 3, 30, mask)
    expected = np.histogram(values[np.isfinite(values)], 30, (-3, 3))[0]
    assert np.abs(every - expected).sum() <= 4
    assert chosen[:15].sum() == 0
    assert chosen[15:].sum() == every[15:].sum()


def test_the_nearest_selected_object_is_found_within_reach():
    x, y = np.array([0, 1, 2], np.float32), np.array([0, 0, 0], np.float32)
    assert survey.nearest(x, y, (0.9, 0.1), (0.5, 0.5), None) == 1
    assert survey.nearest(x, y, (0.9, 0.1), (2, 2), np.array([True, False, False])) == 0
    assert survey.nearest(x, y, (9, 9), (0.5, 0.5), None) is None


@pytest.mark.parametrize("view", [View(-180, 180, -90, 90, 700, 300), View(3, 4, 2, 2.5, 700, 300)])
def test_lines_of_the_graticule_are_round_and_their_names_stand_inside(view):
    projection = SkyProjection(266.3)
    lines, names = survey.graticule(projection, view)
    assert 3 <= len(lines) <= 40
    for x, y, name in names:
        assert view.x0 <= x <= view.x1
        assert view.y0 <= y <= view.y1
        value = float(name.rstrip("°"))
        ra, dec = (float(values) for values in projection.unproject(x, y))
        assert min(abs(value - dec), abs(value - ra), abs(value - ra + 360)) < 0.05


@pytest.fixture
def columns(tmp_path):
    campaign = measured_campaign(tmp_path / "c")
    write_survey_table(campaign, MODEL, campaign.table_path(MODEL))
    table = SurveyTable(campaign.table_path(MODEL))
    yield SurveyColumns(table)
    table.close()


def test_masks_are_those_of_the_table_in_memory_or_asked_for(columns):
    assert columns.mask(parsed("")) is None
    ids = np.array(columns.table.page(columns=("object_id",))["object_id"].to_pylist())
    for text in ("mag_i < 22 and p_lens > 0.1", "object_id = 'c' or mag_i is missing", "class = 'ring'"):
        found = columns.table.page(parsed(text))["object_id"].to_pylist()
        assert ids[columns.mask(parsed(text))].tolist() == found


def test_a_thinned_survey_keeps_every_so_many_rows(columns):
    thinned = SurveyColumns(columns.table, most=3)
    assert (thinned.every, len(thinned)) == (2, 3)
    np.testing.assert_array_equal(thinned.column("logit"), columns.column("logit")[::2])
    assert thinned.mask(parsed("object_id != 'zz'")).tolist() == [True] * 3
    assert thinned.counts_on_sky(3, None).sum() == 6


def test_objects_are_in_their_cells(columns):
    counts = columns.counts_on_sky(CELL_ORDER, None)
    assert counts.sum() == 6
    assert (counts > 0).sum() == 1  # all are at one place
    assert columns.counts_on_sky(2, np.array([True] * 2 + [False] * 4)).sum() == 2
