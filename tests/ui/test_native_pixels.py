"""Composites of bands with pixels of different sizes have the colours of composites on one grid."""

import base64

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Route

from data.surveys import SURVEYS
from tests.ui.beside_real import STAGE

_SCRIPT = """async ([planes, campaign]) => {
  const { Pictures, COMPOSITE } = await import('/scene.js');
  const { DEFAULTS, pixelSettings } = await import('/settings.js');
  for (const plane of planes) {
    plane.flux = new Float32Array(Uint8Array.from(atob(plane.flux), (c) => c.charCodeAt(0)).buffer);
  }
  const { bitmap } = new Pictures(campaign).picture({ planes, kind: 'flux' }, COMPOSITE, pixelSettings(DEFAULTS));
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  context.drawImage(bitmap, 0, 0);
  return Array.from(context.getImageData(62, 50, 1, 1).data.slice(0, 3));
}"""


def test_bands_in_larger_pixels_are_drawn_in_the_colours_of_the_sky(browser: Browser):
    page = browser.new_page()

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name:
            route.fulfill(path=STAGE / name, content_type="text/javascript")
        else:
            route.fulfill(body="<body></body>", content_type="text/html")

    page.route("http://stage/**", answer)
    page.goto("http://stage/")
    survey = SURVEYS["euclid"]
    campaign = {
        "composite": survey.composite,
        "composite_neutral_mag": survey.composite_neutral_mag,
        "reference_band": survey.reference_band,
        "psf_fwhm_arcsec": {},
    }
    one_grid = page.evaluate(_SCRIPT, [[_plane(band, 100, 0.1) for band in ("VIS", "J", "H")], campaign])
    native = page.evaluate(
        _SCRIPT, [[_plane("VIS", 100, 0.1), _plane("J", 34, 0.3), _plane("H", 34, 0.3)], campaign]
    )
    page.close()
    assert max(one_grid) > 40
    shares = [np.array(colour) / sum(colour) for colour in (one_grid, native)]
    assert shares[1] == pytest.approx(shares[0], abs=0.03)


def _plane(band: str, side: int, scale_arcsec: float) -> dict[str, object]:
    """A galaxy with a little noise; flux is per pixel."""
    offset = (np.arange(side) - (side - 1) / 2) * scale_arcsec
    light = np.exp(-0.5 * (offset[:, None] ** 2 + offset**2) / 1.2**2) * scale_arcsec**2
    noise = np.random.default_rng(1).normal(0, 1e-3 * scale_arcsec**2, light.shape)
    flux: NDArray[np.float32] = (light + noise).astype("<f4")
    return {
        "band": band,
        "width": side,
        "height": side,
        "pixel_scale_arcsec": scale_arcsec,
        "zero_point_mag": 25.0,
        "flux": base64.b64encode(flux.tobytes()).decode(),
    }
