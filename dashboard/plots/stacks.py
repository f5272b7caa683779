"""Maps of many lenses laid on one another in Einstein radii, and the colours of what mattered in them."""

from collections.abc import Mapping, Sequence

import holoviews as hv
import numpy as np

from dashboard.plots.completeness import DATA, named
from dashboard.plots.style import GUIDE, bars, colour_of, dots, framed, line
from lensmodel.probes import REACH_THETA_E, STEP_THETA_E, Profile, offsets_theta_E

_SIDE_PX = 290


def stack_plot(stack: np.ndarray) -> hv.Overlay:
    """The mean map (y, x) about the lens; the circle is the Einstein radius. Scale: 0 to its highest value."""
    reach = REACH_THETA_E + STEP_THETA_E / 2
    highest = float(np.nanmax(stack, initial=1e-6))
    axis = offsets_theta_E()
    image = hv.Image((axis, axis, stack), ["x", "y"], "strength").opts(
        cmap="inferno",
        clim=(0.0, highest),
        tools=["hover"],
        hover_tooltips=[("x, y / θ_E", "$x{0.0}, $y{0.0}"), ("strength", "@image{0.00}")],
    )
    angle = np.linspace(0, 2 * np.pi, 121)
    circle = hv.Curve((np.cos(angle), np.sin(angle)), "x", "y").opts(color="#ffffff", line_width=1.5)
    return framed(
        [named(image, f"{DATA}-stack"), circle],
        x=f"x / θ_E    (black 0, pale yellow {highest:.2f} of a map's peak)",
        y="y / θ_E",
        responsive=False,
        height=None,
        frame_width=_SIDE_PX,
        frame_height=_SIDE_PX,
        xlim=(-reach, reach),
        ylim=(-reach, reach),
        show_grid=False,
    )


def profile_plot(profiles: Mapping[str, Profile]) -> hv.Overlay:
    """Strength against the distance from the lens, by name, with its 95 % interval; dashed: the Einstein radius."""
    drawn: list[hv.Element] = [hv.VLine(1.0).opts(color=GUIDE, line_width=1, line_dash="dashed")]
    for index, (name, profile) in enumerate(profiles.items()):
        colour = colour_of(index)
        columns = {
            "x": profile.radius,
            "y": profile.strength,
            "maps": [name] * len(profile.radius),
            "low_95": profile.low,
            "high_95": profile.high,
        }
        area = hv.Area((profile.radius, profile.low, profile.high), "x", ["y", "y2"])
        drawn += [
            area.opts(color=colour, fill_alpha=0.18, line_alpha=0),
            line(profile.radius, profile.strength, name=name, colour=colour),
            named(
                dots(
                    columns,
                    told={"maps": "maps", "x": "r / θ_E", "y": "strength"},
                    colour=colour,
                    size=4,
                    name=name,
                ),
                f"{DATA}-{index}",
            ),
        ]
    return framed(
        drawn,
        x="distance from the lens / θ_E",
        y="strength of the map / its peak",
        height=_SIDE_PX,
        xlim=(-0.05, REACH_THETA_E),
        ylim=(0, None),
        show_legend=len(profiles) > 1,
    )


def colours_plot(rows: Mapping[str, Sequence[tuple[str, float, float, float, int]]], *, x: str) -> hv.Overlay:
    """Median colours with intervals: by kind of light, (outcome, median, low, high, objects), first outcome on top."""
    outcomes = list(dict.fromkeys(row[0] for some in rows.values() for row in some))[::-1]
    drawn: list[hv.Element] = []
    for index, (light, some) in enumerate(rows.items()):
        known = [row for row in some if np.isfinite(row[1])]
        if not known:
            continue
        colour = colour_of(index)
        place = np.array([outcomes.index(row[0]) for row in known]) + 0.14 * (1 - 2 * index)
        _, median, low, high, number = zip(*known, strict=True)
        columns = {
            "x": np.array(median),
            "y": place,
            "light": [light] * len(known),
            "outcome": [row[0] for row in known],
            "low_95": np.array(low),
            "high_95": np.array(high),
            "objects": np.array(number),
        }
        shown = {"outcome": "of", "light": "light", "x": "median / mag", "objects": "objects"}
        drawn += [
            bars(low, place, high, place, colour=colour, name=light),
            named(dots(columns, told=shown, colour=colour, name=light), f"{DATA}-{index}"),
        ]
    return framed(
        drawn,
        x=x,
        y="",
        height=_SIDE_PX,
        ylim=(-0.6, len(outcomes) - 0.4),
        yticks=list(enumerate(outcomes)),
        show_legend=True,
    )
