"""What a network would say if the arcs were not there: how much of its score they carry, and how much the galaxy.

Each object is judged as it is, with its arcs erased, and with a control erased: as large a part of the image where no
arc is. All three as a whole and in windows that move about the lens.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.cutouts import Cutout, Plane
from data.surveys import Survey
from lensmodel.counterfactuals.erasing import control_mask, erased
from lensmodel.counterfactuals.galaxy_light import Mask
from lensmodel.counterfactuals.subjects import Position, Subject
from lensmodel.counterfactuals.verdicts import (
    ARCS_ERASED,
    AS_IS,
    CONTROL_ERASED,
    WINDOW_ARCSEC,
    Counterfactual,
    Judged,
    Verdict,
    cut,
)
from lensmodel.models import ModelCard
from lensmodel.networks import LensNetwork
from lensmodel.preprocessing import why_not
from lensmodel.verdicts import ScoreRow, score_rows

SHIFT_ARCSEC = 3.0
_SMALLEST_WINDOW_ARCSEC = 8.0  # a cutout too small to move 10 arcsec in is cut to no less
_STEPS = 5  # of the window, along each axis


def counterfactuals(
    campaign: Campaign,
    networks: Mapping[str, tuple[ModelCard, LensNetwork]],
    subjects: Sequence[Subject],
    *,
    seed: int,
) -> Iterator[Counterfactual]:
    """Erase and judge, one object after the other. networks : by the name under which their verdicts go.

    An object's noise depends on the seed, its id and the bands that are read, not on other objects.
    """
    # Pictures are made of the composite.
    wanted = {band for card, _ in networks.values() for band in card.bands} | {*campaign.survey.composite}
    store = campaign.cutouts()
    for subject in subjects:
        stored = subject.stored
        # The mask lies on the pixels of the reference band, whether a network looks at it or not.
        bands = wanted | {campaign.survey.reference_among(stored.bands)}
        planes = {band: p for band, p in store.read(stored).items() if band in bands}
        random = np.random.default_rng([seed, _number_of(stored.object_id)])
        variants, share, turn = _variants(planes, subject, campaign.survey, random)
        judged = {
            name: _judged(network, card, store, subject, variants)
            for name, (card, network) in networks.items()
        }
        yield Counterfactual(subject, variants, judged, share, turn)


def _number_of(object_id: str) -> int:
    """The same in every process, as `hash` is not."""
    return int.from_bytes(hashlib.blake2b(object_id.encode(), digest_size=8).digest(), "big")


def _variants(
    planes: dict[str, Plane], subject: Subject, survey: Survey, random: np.random.Generator
) -> tuple[dict[str, dict[str, Plane]], float | None, float | None]:
    """The planes as they are and with light erased, and how the control was made."""
    if subject.arcs is None or subject.lens_arcsec is None:
        return {AS_IS: planes}, None, None
    known = {band.name: band.psf_fwhm_arcsec for band in survey.bands if band.name in planes}
    band = survey.reference_among(subject.stored.bands)
    reference = planes[band]
    control, turn = control_mask(
        reference,
        subject.arcs,
        galaxies_arcsec=subject.galaxies_arcsec,
        fwhm_arcsec=known.get(band, 0.0),
        widest_arcsec=max(known.values(), default=0.0),
    )

    def without(mask: Mask, arcs: Mask | None) -> dict[str, Plane]:
        return erased(
            planes,
            mask,
            mask_scale_arcsec=reference.pixel_scale_arcsec,
            arcs=arcs,
            galaxies_arcsec=subject.galaxies_arcsec,
            fwhm_arcsec=known,
            random=random,
        )

    variants = {AS_IS: planes, ARCS_ERASED: without(subject.arcs, None)}
    if control.any():
        variants[CONTROL_ERASED] = without(control, subject.arcs)
    return variants, float(control.sum() / subject.arcs.sum()), turn


@dataclass(frozen=True)
class _Windows:
    """Windows of one size: where they stand, (x, y) from the cutout's centre, and how far from the middle one."""

    side_arcsec: float
    centres_arcsec: list[Position]
    shifts_arcsec: list[Position]


def _judged(
    network: LensNetwork,
    card: ModelCard,
    store: CutoutStore,
    subject: Subject,
    variants: Mapping[str, Mapping[str, Plane]],
) -> Judged:
    """The whole image and the windows go through the same door as every score."""
    stored = subject.stored
    if (reason := why_not(card, stored, store)) is not None:
        return Judged(reason)
    windows = _windows_of(card, subject, variants[AS_IS])
    images = [("whole", name, (0.0, 0.0), planes) for name, planes in variants.items()]
    for name, planes in variants.items():
        for centre in windows.centres_arcsec:
            window, place = cut(planes, centre, windows.side_arcsec)
            images.append(("window", name, place, window))
    rows = _scored(network, card, [planes for *_, planes in images])
    reasons = [str(row["reason"]) for row in rows if "logit" not in row]
    if reasons:
        return Judged(reason=reasons[0])
    whole: dict[str, Verdict] = {}
    moved: dict[str, list[Verdict]] = {name: [] for name in variants}
    for (kind, name, place, _), row in zip(images, rows, strict=True):
        verdict = _verdict(row, place)
        if kind == "whole":
            whole[name] = verdict
        else:
            moved[name].append(verdict)
    return Judged(None, whole, moved, windows.side_arcsec, windows.shifts_arcsec)


def _windows_of(card: ModelCard, subject: Subject, planes: Mapping[str, Plane]) -> _Windows:
    """A grid of windows about the lens, as far apart as the cutout allows, up to SHIFT_ARCSEC to each side."""
    seen = [planes[band] for band in card.bands if band in planes]
    width = min(plane.flux.shape[1] * plane.pixel_scale_arcsec for plane in seen)
    height = min(plane.flux.shape[0] * plane.pixel_scale_arcsec for plane in seen)
    extent = min(width, height)
    if card.field_px:
        side = card.field_px * card.pixel_scale_arcsec
    else:
        side = min(WINDOW_ARCSEC, max(_SMALLEST_WINDOW_ARCSEC, extent - 2 * SHIFT_ARCSEC), extent)
    middle = subject.lens_arcsec or (0.0, 0.0)
    room = min((width - side) / 2 - abs(middle[0]), (height - side) / 2 - abs(middle[1]))
    reach = min(SHIFT_ARCSEC, room)
    if reach < card.pixel_scale_arcsec:
        return _Windows(side, [middle], [(0.0, 0.0)])
    steps = np.linspace(-reach, reach, _STEPS)
    shifts = [(float(x), float(y)) for y in steps for x in steps]
    return _Windows(side, [(middle[0] + x, middle[1] + y) for x, y in shifts], shifts)


def _scored(
    network: LensNetwork,
    card: ModelCard,
    images: Sequence[Mapping[str, Plane]],
) -> list[ScoreRow]:
    """A row for each image, as the command `score` writes them."""
    with tempfile.TemporaryDirectory(prefix="lensvet-") as folder:
        written = CutoutStore(Path(folder) / "cutouts.zarr", {})
        cutouts = [
            Cutout(str(index), {band: planes[band] for band in card.bands if band in planes})
            for index, planes in enumerate(images)
        ]
        rows: dict[str, ScoreRow] = {}
        kept = written.append(cutouts)
        for group in dict.fromkeys(one.cutout_group for one in kept):
            members = [one for one in kept if one.cutout_group == group]
            for row in score_rows(network, card, written, None, members).rows:
                rows[str(row["object_id"])] = row
        return [rows[str(index)] for index in range(len(images))]


def _verdict(row: ScoreRow, place: Position) -> Verdict:
    def number(name: str) -> float | None:
        value = row.get(name)
        return float(value) if isinstance(value, int | float) else None

    x, y = number("x_arcsec"), number("y_arcsec")
    logit, p_lens = number("logit"), number("p_lens")
    assert logit is not None
    assert p_lens is not None
    return Verdict(logit, p_lens, None if x is None else x + place[0], None if y is None else y + place[1])
