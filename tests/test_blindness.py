"""Which catalogue columns give the answer away."""

import pytest

from dashboard.blindness import is_measured, is_truth, shown_columns, truth_of


@pytest.mark.parametrize(
    "column", ["class", "subtype", "theta_E_arcsec", "lens_x_arcsec", "lens_y_arcsec", "sim_z_source"]
)
def test_truth_is_recognised(column: str):
    assert is_truth(column)


@pytest.mark.parametrize(
    "column",
    [
        "expert_score",
        "grade",
        "GRADE",
        "p_lens",
        "cnn_prob",
        "is_lens",
        "expert_total_votes",
        "notes",
        "score_2",
        "rank",
        "file",
        "source_path",
    ],
)
def test_what_somebody_may_have_concluded_is_no_measurement(column: str):
    assert not is_measured(column)


@pytest.mark.parametrize("column", ["mag_vis", "tile_index", "z_phot", "flux_radius", "ellipticity"])
def test_measurements_are_recognised(column: str):
    assert is_measured(column)
    assert not is_truth(column)


def test_truth_is_never_among_the_shown_columns():
    columns = {"mag": 20.0, "class": "lens", "sim_seed": 1, "grade": "A", "empty": None}
    assert shown_columns(columns, withheld=False) == {"mag": 20.0, "grade": "A"}
    assert shown_columns(columns, withheld=True) == {"mag": 20.0}
    assert truth_of(columns) == {"class": "lens", "sim_seed": 1}
