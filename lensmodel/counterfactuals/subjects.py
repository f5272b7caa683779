"""What is to be erased from which objects: drawn by somebody as regions, or known from a simulation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.objects import StoredObject
from data.readers.ds9_regions import Region
from data.region_shapes import offsets_arcsec
from data.surveys import Survey
from data.truth import TruthMasks
from lensmodel.counterfactuals.galaxy_light import Mask
from lensmodel.errors import EvaluationError

Position = tuple[float, float]


@dataclass(frozen=True)
class Subject:
    """An object and what is to be erased from it.

    lens_arcsec : (x, y) of the lens from the cutout's centre, None if nobody knows. galaxies_arcsec : of all galaxies
    whose light is modelled, the lens first. arcs : (y, x) on the reference band's pixels, None if there are none.
    """

    stored: StoredObject
    lens_arcsec: Position | None = None
    galaxies_arcsec: tuple[Position, ...] = ()
    arcs: Mask | None = None

    def arcs_reach_arcsec(self, pixel_scale_arcsec: float) -> float:
        """How far the arcs are from the lens at most; 0 if there are none."""
        if self.arcs is None or self.lens_arcsec is None or not self.arcs.any():
            return 0.0
        x, y = offsets_arcsec((self.arcs.shape[0], self.arcs.shape[1]), pixel_scale_arcsec)
        return float(np.hypot(x - self.lens_arcsec[0], y - self.lens_arcsec[1])[self.arcs].max())


def subjects_from_regions(campaign: Campaign, regions: Mapping[str, list[Region]]) -> list[Subject]:
    """All objects of the campaign; those that have regions, with their arcs.

    Raises
    ------
    EvaluationError
        If there are regions of an object that the campaign has not.
    RegionError
        If a region cannot be placed on its cutout.
    """
    objects = campaign.objects()
    for object_id, drawn in regions.items():
        if object_id not in objects:
            raise EvaluationError(
                f"{drawn[0].place}: {campaign.path} has no object {object_id}: text={{…}} is its object_id"
            )
    store = campaign.cutouts()
    return [
        _drawn_subject(store, stored, campaign.survey, regions[stored.object_id])
        if stored.object_id in regions
        else Subject(stored)
        for stored in objects.rows_of(objects.ids)
    ]


def subjects_from_truth(campaign: Campaign, object_ids: Iterable[str] | None = None) -> Iterator[Subject]:
    """The simulated lenses that have lensed light, of all objects or of these; a mask is read when its turn comes.

    Raises
    ------
    EvaluationError
        If one of these objects has no lensed light; when all were looked at, if none has any.
    """
    objects = campaign.objects()
    masks = TruthMasks(campaign.truth_path)
    has_any = False
    for stored in objects.rows_of(objects.ids if object_ids is None else object_ids):
        lens = _true_place(stored)
        arcs = None if lens is None else masks.read(stored)
        if lens is not None and arcs is not None and arcs.any():
            has_any = True
            yield Subject(stored, lens, (lens,), arcs)
        elif object_ids is not None:
            raise EvaluationError(
                f"{stored.object_id} has no mask of lensed light: give --regions, or a lens of lensvet simulate"
            )
    if not has_any:
        raise EvaluationError(
            f"{campaign.path} has no masks of lensed light: give --regions, or a campaign of lensvet simulate"
        )


def _true_place(stored: StoredObject) -> Position | None:
    x, y = (stored.columns.get(f"lens_{axis}_arcsec") for axis in ("x", "y"))
    if not isinstance(x, float) or not isinstance(y, float) or not np.isfinite(x + y):
        return None
    return x, y


def _drawn_subject(
    store: CutoutStore, stored: StoredObject, survey: Survey, regions: list[Region]
) -> Subject:
    band = survey.reference_among(stored.bands)
    shape = store.shape(stored.cutout_group, band)
    scale = store.pixel_scale_arcsec(stored.cutout_group, band)
    x, y = offsets_arcsec(shape, scale)
    arcs = np.zeros(shape, bool)
    points: dict[str, list[Position]] = {"lens": [], "galaxy": []}
    # What is taken out is so whatever the order of the lines.
    for region in sorted(regions, key=lambda region: region.is_taken_out):
        drawn = region.on(shape=shape, pixel_scale_arcsec=scale, sky=stored.sky)
        if region.role == "arc":
            covered = drawn.covers(x, y)
            arcs = arcs & ~covered if region.is_taken_out else arcs | covered
        else:
            place = float(drawn.points_arcsec[0, 0]), float(drawn.points_arcsec[0, 1])
            if not (x.min() <= place[0] <= x.max() and y.min() <= place[1] <= y.max()):
                raise EvaluationError(
                    f"{region.place}: the {region.role} is outside the cutout of {stored.object_id}: is it on another "
                    "image?"
                )
            points[region.role].append(place)
    (lens,) = points["lens"]
    if not arcs.any():
        raise EvaluationError(
            f"{regions[0].place}: no pixel of {stored.object_id} is in its arcs: are they on another image?"
        )
    return Subject(stored, lens, (lens, *points["galaxy"]), arcs)
