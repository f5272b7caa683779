"""Groups of galaxies: their members are where the truth says, their arcs where lenstronomy puts them."""

import pytest
import torch
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.Util.param_util import phi_q2_ellipticity

from data.simulations import groups, strong_lenses
from data.simulations.dice import Dice
from data.simulations.lensing import Mass
from data.simulations.light import Sersic, Sky
from data.simulations.populations import POPULATIONS
from data.simulations.recipes import SCENES
from data.simulations.strong_lenses import LARGEST_THETA_E_ARCSEC, SMALLEST_THETA_E_ARCSEC
from tests.fixtures.one_thread import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")


def dice(number: int, seed: int = 1) -> Dice:
    return Dice(number, torch.Generator().manual_seed(seed))


class RecordingSky(Sky):
    """Remembers which galaxies were painted."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.painted: list[tuple[Sersic, torch.Tensor]] = []

    def add_galaxy(self, shape: Sersic, flux: torch.Tensor) -> None:
        self.painted.append((shape, flux))
        super().add_galaxy(shape, flux)


@pytest.mark.parametrize(("scene", "members"), [("rich group lens (survey)", 4), ("group lens (survey)", 3)])
def test_members_are_painted_where_the_truth_says(scene: str, members: int):
    sky = RecordingSky(12)
    truth = SCENES[scene](dice(12), sky)
    named = 0
    for row in range(12):
        painted = [
            (float(shape.x[row]), float(shape.y[row]))
            for shape, flux in sky.painted
            if float(flux[row, 0]) > 1e-3
        ]
        for number in range(1, members + 1):
            x, y = (float(truth[f"sim_member_{number}_{axis}_arcsec"][row]) for axis in ("x", "y"))
            if x == x:
                named += 1
                assert (x, y) in painted
    assert f"sim_member_{members + 1}_x_arcsec" not in truth
    assert 12 < named < 12 * members


def test_the_light_of_a_member_peaks_where_the_truth_says():
    sky = Sky(24)
    truth = SCENES["rich group lens (survey)"](dice(24, 3), sky)
    first = torch.hypot(truth["sim_member_1_x_arcsec"], truth["sim_member_1_y_arcsec"])
    rows = (first.isfinite() & (first < 4)).nonzero()[:, 0].tolist()
    assert len(rows) > 10
    for row in rows:
        x, y = truth["sim_member_1_x_arcsec"][row], truth["sim_member_1_y_arcsec"][row]
        near = torch.hypot(sky.x - x, sky.y - y)
        peak = float(sky.vis[row][near < 0.06].max())
        assert peak > 3 * float(sky.vis[row][(near > 0.25) & (near < 0.4)].median())


def test_arcs_of_a_rich_group_lie_where_lenstronomy_puts_them(monkeypatch: pytest.MonkeyPatch):
    used = {}

    def recording(masses: list[Mass], x: torch.Tensor, y: torch.Tensor):
        used["masses"], used["beta"] = masses, source_position(masses, x, y)
        return used["beta"]

    source_position = groups.source_position
    monkeypatch.setattr(groups, "source_position", recording)
    sky = Sky(3)
    truth = SCENES["rich group lens (survey)"](dice(3, 5), sky)
    halo, first, *members = used["masses"]
    assert len(members) == 4
    assert torch.allclose(halo.theta_e_arcsec + first.theta_e_arcsec, truth["theta_E_arcsec"])
    assert torch.equal(first.x, truth["lens_x_arcsec"])
    step = 7
    x, y = sky.x[::step, ::step].numpy().astype(float), sky.y[::step, ::step].numpy().astype(float)
    for row in range(3):
        names, kwargs = _lenstronomys(used["masses"], row)
        theirs = LensModel(names).ray_shooting(x, y, kwargs)
        away = torch.ones(x.shape, dtype=torch.bool)
        for mass in used["masses"]:
            away &= torch.hypot(torch.tensor(x) - mass.x[row], torch.tensor(y) - mass.y[row]) > 0.1
        for ours, expected in zip(used["beta"], theirs, strict=True):
            difference = (ours[row, ::step, ::step] - torch.tensor(expected)).abs()
            assert float(difference[away].max()) < 3e-3


def _lenstronomys(masses: list[Mass], row: int) -> tuple[list[str], list[dict[str, float]]]:
    names: list[str] = []
    kwargs: list[dict[str, float]] = []
    for mass in masses:
        value = {name: float(field[row]) for name, field in vars(mass).items() if field is not None}
        e1, e2 = phi_q2_ellipticity(value["angle"], value["axis_ratio"])
        names += ["EPL", "SHEAR"]
        kwargs += [
            {
                "theta_E": value["theta_e_arcsec"],
                "gamma": value.get("slope", 2.0),
                "e1": e1,
                "e2": e2,
                "center_x": value["x"],
                "center_y": value["y"],
            },
            {
                "gamma1": value["shear_1"],
                "gamma2": value["shear_2"],
                "ra_0": value["x"],
                "dec_0": value["y"],
            },
        ]
    return names, kwargs


def test_a_group_without_a_source_has_companions_where_arcs_would_lie():
    sky = RecordingSky(64)
    truth = SCENES["group with companions"](dice(64, 2), sky)
    assert sky.lensed is None
    assert "theta_E_arcsec" not in truth
    distances = torch.cat(
        [
            torch.hypot(shape.x - truth["sim_target_x_arcsec"], shape.y - truth["sim_target_y_arcsec"])[
                flux[:, 0] > 1e-3
            ]
            for shape, flux in sky.painted
        ]
    )
    assert int(((distances > 0.5) & (distances < 6)).sum()) > 64 * 3


def test_einstein_radii_do_not_pile_up_at_the_limits_of_what_vis_resolves():
    some = dice(4000, 7)
    z_lens, sigma, z_source, _ = strong_lenses.deflector_and_source(some, POPULATIONS["survey"])
    theta_e = strong_lenses.einstein_radius_arcsec(sigma, z_lens, z_source)
    beyond = (theta_e < SMALLEST_THETA_E_ARCSEC) | (theta_e > LARGEST_THETA_E_ARCSEC)
    assert float(beyond.float().mean()) < 0.01
    lowest = (theta_e >= SMALLEST_THETA_E_ARCSEC) & (theta_e < SMALLEST_THETA_E_ARCSEC + 0.02)
    next_ones = (theta_e >= SMALLEST_THETA_E_ARCSEC + 0.02) & (theta_e < SMALLEST_THETA_E_ARCSEC + 0.1)
    assert float(lowest.float().mean()) < 2 * float(next_ones.float().mean()) / 4
