"""Plots of `/why`: what is drawn is what was given."""

import base64
import io

import holoviews as hv
import numpy as np
import pytest
from PIL import Image

from dashboard.plots.completeness import Found, completeness_plot, source_of, sources_of, update
from dashboard.plots.map_pictures import map_picture
from dashboard.plots.stacks import stack_plot
from data.shares import Share
from lensmodel.evaluation.breakdowns import Group
from lensmodel.evaluation.responses import partition_of
from lensmodel.probes import offsets_theta_E

PLACES = ("x", "y", "left", "right", "top", "bottom", "x0", "y0", "x1", "y1")
SHARES = [Share(1, 4), Share(3, 4)]
KINDS = partition_of("subtype", "Subtype", [Group(name, True, np.array([True])) for name in ("arc", "ring")])
BINS = partition_of(
    "theta_E_arcsec",
    "Einstein radius",
    [Group("a", True, np.array([True]), 0.5, 1.0, 0.8), Group("b", True, np.array([True]), 1.0, 2.0, 1.5)],
    "arcsec",
)


@pytest.mark.parametrize("partition", [KINDS, BINS], ids=["kinds", "bins"])
def test_new_shares_replace_those_that_are_drawn(partition):
    figure = hv.render(completeness_plot(partition, [Found("net", SHARES, SHARES)], share="share"), "bokeh")
    drawn = source_of(figure, "data-0").data
    assert list(drawn["share"]) == [0.25, 0.75]
    update(figure, sources_of(partition, [Found("net", SHARES[::-1], SHARES)]))
    axis = "y" if partition.is_ordered else "x"
    assert list(source_of(figure, "data-0").data[axis]) == [0.75, 0.25]
    assert list(source_of(figure, "all-0").data[axis]) == [0.25, 0.75]


def test_every_glyph_finds_its_columns_in_the_new_data():
    for partition in (KINDS, BINS):
        found = [Found("net", SHARES, SHARES), Found("other", SHARES, SHARES)]
        figure = hv.render(completeness_plot(partition, found, share="share"), "bokeh")
        update(figure, sources_of(partition, found))
        for renderer in figure.renderers:
            places = [getattr(renderer.glyph, name, None) for name in PLACES]
            fields = {getattr(place, "field", place) for place in places if place is not None}
            assert fields
            assert fields <= set(renderer.data_source.data), renderer


def test_a_selection_moves_no_row():
    found = [Found("net", [Share(4, 4), Share(0, 4)], SHARES)]
    assert list(sources_of(KINDS, found)["data-0"]["y"]) == [0, 1]


def test_a_stack_is_drawn_with_y_up():
    axis = offsets_theta_E()
    stack = np.zeros((len(axis), len(axis)))
    above = int(np.argmin(np.abs(axis - 2.0)))
    stack[above, len(axis) // 2] = 1.0
    figure = hv.render(stack_plot(stack), "bokeh")
    source = source_of(figure, "data-stack").data
    image, bottom, height = source["image"][0], source["y"][0], source["dh"][0]
    row = int(np.argmax(image.max(axis=1)))
    assert bottom + (row + 0.5) * height / image.shape[0] == pytest.approx(2.0, abs=0.06)


def test_a_map_is_drawn_with_y_up_and_grey_where_it_says_nothing():
    map_ = np.full((8, 8), np.nan, np.float32)
    assert np.allclose(pixels_of(map_picture(map_)), 96, atol=2)
    map_[6] = 1.0
    bright = pixels_of(map_picture(map_)).sum(axis=(1, 2))
    assert np.argmax(bright) < len(bright) / 3


def pixels_of(uri: str) -> np.ndarray:
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    return np.asarray(picture.convert("RGB"), int)
