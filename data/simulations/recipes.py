"""The scenes, and how a recipe's mixture of them becomes images with truth."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from data.errors import CampaignError
from data.simulations import artefacts, contaminants, groups, impostors, lenses, strong_lenses
from data.simulations.arcs import arc_mask, arc_truth
from data.simulations.configurations import CONFIGURATIONS
from data.simulations.dice import Dice
from data.simulations.instrument import BANDS, OPTICS, PsfShape, blur, draw_psf_shapes, kernels, record
from data.simulations.light import Sky
from data.simulations.menu import LARGEST, NIR, RECIPES, Recipe
from data.simulations.native import NIR_BANDS, blur_native, native_marks, native_px, record_native
from data.simulations.populations import POPULATIONS

__all__ = ["LENS_SCENES", "RECIPES", "SCENES", "SimulatedChunk", "draw_chunk", "simulate_chunks"]

CHUNK = 256  # objects that share one seed: the first N of a recipe and seed are the same for any larger N
TWIN = "twin"  # subtype of a lens's deflector without the source
_OF_NATIVE = 2**62  # turns a chunk's seed into that of its noise in native pixels
_AT_ONCE = 16  # painted together; small enough for the processor's caches
_OF_TWINS_TOO = (
    *("mag_vis", "z_phot", "sim_redshift", "sim_target_x_arcsec", "sim_target_y_arcsec"),
    "sim_psf_fwhm_arcsec",
)

Truth = dict[str, Tensor]
Scene = Callable[[Dice, Sky], Truth]

LENS_SCENES: dict[str, Scene] = {
    "arc": lenses.arc,
    "red arc": lenses.red_arc,
    "ring": lenses.ring,
    "group": lenses.group,
    "compound": lenses.compound,
}
LENS_SCENES |= {
    f"{name} ({population})": partial(scene, population=POPULATIONS[population])
    for population in POPULATIONS
    for name, scene in (
        ("galaxy lens", strong_lenses.galaxy_lens),
        ("group lens", strong_lenses.group_lens),
        ("compound lens", strong_lenses.compound_lens),
        ("double ring lens", strong_lenses.double_ring_lens),
        ("rich group lens", groups.rich_group_lens),
    )
}
CONTAMINANT_SCENES: dict[str, Scene] = {
    "elliptical": contaminants.elliptical,
    "elliptical with companions": contaminants.elliptical_with_companions,
    "group with companions": groups.group_with_companions,
    "spiral": contaminants.spiral,
    "nearby galaxy": contaminants.nearby_galaxy,
    "disc galaxy": contaminants.disc_galaxy,
    "blank sky": contaminants.blank_sky,
    "ring galaxy": contaminants.ring_galaxy,
    "edge-on disc": contaminants.edge_on_disc,
    "merger": contaminants.merger,
    "star or quasar": contaminants.star,
    "blend": contaminants.blend,
    "barred disc": impostors.barred_disc,
    "tidal arms": impostors.tidal_arms,
    "companions on a circle": impostors.companions_on_circle,
    "star with spikes": artefacts.star_with_spikes,
    "ghost": artefacts.ghost,
    "cosmic ray": artefacts.cosmic_ray,
    "satellite trail": artefacts.satellite_trail,
    "bad column": artefacts.bad_column,
}
SCENES = LENS_SCENES | CONTAMINANT_SCENES


@dataclass(frozen=True)
class SimulatedChunk:
    """Images and truth of some objects, in order.

    images : (object, band, y, x) float32, bands as in `instrument.BANDS`, each in its band's unit.
    lensed : (object, y, x) bool, where lensed light stands out (`arcs.arc_mask`).
    subtypes : what each object is. is_lens : (object,) bool.
    twin : (object,) place of its twin in the chunk that was drawn, -1 if it has none.
    truth : by column name, (object,), NaN where it does not apply.
    native : (object, band, y, x) float32, Y, J, H of the same skies in native pixels (`native`), if asked for.
    """

    images: Tensor
    lensed: Tensor
    subtypes: list[str]
    is_lens: Tensor
    twin: Tensor
    truth: Truth
    native: Tensor | None = None

    def __len__(self) -> int:
        return len(self.subtypes)

    def first(self, number: int) -> "SimulatedChunk":
        """The first objects only; the twin of the last may be left behind."""
        return SimulatedChunk(
            self.images[:number],
            self.lensed[:number],
            self.subtypes[:number],
            self.is_lens[:number],
            self.twin[:number],
            {name: values[:number] for name, values in self.truth.items()},
            None if self.native is None else self.native[:number],
        )


@dataclass(frozen=True)
class _Painted:
    """Some objects of one scene; twins : their images without sources, None if nobody asked.

    native, native_twins : the same in native pixels.
    """

    images: Tensor
    lensed: Tensor
    subtypes: list[str]
    truth: Truth
    twins: Tensor | None
    native: Tensor | None = None
    native_twins: Tensor | None = None


def simulate_chunks(
    number: int, *, seed: int, recipe: str, nir: str = "resampled"
) -> Iterator[SimulatedChunk]:
    """Draw `number` objects, twins counted, chunk by chunk.

    Raises
    ------
    CampaignError
        As in `check_request`.
    """
    check_request(number, seed=seed, recipe=recipe, nir=nir)
    for index, start in enumerate(range(0, number, CHUNK)):
        yield draw_chunk(seed, index, recipe, nir=nir).first(number - start)


def check_request(number: int, *, seed: int, recipe: str, nir: str = "resampled") -> None:
    """Raise a CampaignError if there is no such recipe or kind of pixels, or the number or the seed is negative."""
    if nir not in NIR:
        raise CampaignError(f"the pixels of Y, J, H are {nir!r}; expected {' or '.join(NIR)}")
    if recipe not in RECIPES:
        raise CampaignError(f"recipe {recipe!r} is not known; known are {', '.join(RECIPES)}")
    for name, value in (("number", number), ("seed", seed)):
        if not 0 <= value <= LARGEST:
            raise CampaignError(f"{name} is {value}; expected a whole number from 0 to {LARGEST}")


def draw_chunk(seed: int, index: int, recipe: str, *, nir: str = "resampled") -> SimulatedChunk:
    """The `index`-th chunk of a recipe and seed; depends on nothing else.

    nir : "native" adds Y, J, H in native pixels; all else is the same.
    """
    mixture = RECIPES[recipe]
    chunk_seed = _seed_of(f"{recipe} {seed} {index}")
    generator = torch.Generator().manual_seed(chunk_seed)
    # Noise of native pixels has a generator of its own, so that whoever asks for them gets the same skies.
    natively = torch.Generator().manual_seed(chunk_seed ^ _OF_NATIVE) if nir == "native" else None
    names, dice = list(mixture.weights), Dice(CHUNK, generator)
    drawn = [names[kind] for kind in dice.pick(list(mixture.weights.values())).tolist()]
    scenes = with_twins(drawn, dice.chance(mixture.twins).tolist(), CHUNK) if mixture.twins else drawn
    chunk = _blank(mixture, native=natively is not None)
    followed = torch.tensor([after == TWIN for after in scenes[1:]] + [False])
    for name in names:
        rows = torch.tensor([row for row, scene in enumerate(scenes) if scene == name], dtype=torch.long)
        for some in rows.split(_AT_ONCE) if len(rows) else ():  # type: ignore[no-untyped-call]  # torch leaves it untyped
            dice = Dice(len(some), generator, centred=mixture.centred, reach_arcsec=mixture.reach_arcsec)
            painted = _paint(name, mixture, dice, Dice(len(some), natively) if natively else None)
            _keep(chunk, some, name, painted, followed[some])
    return chunk


def _seed_of(name: str) -> int:
    """A generator's seed from a name: other recipes draw other images, with the same seed too."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % 2**62


def with_twins(scenes: list[str], followed: list[bool], number: int) -> list[str]:
    """The first `number` places of a sequence in which some lenses are followed by their twins, which are never
    cut off.

    followed : for each scene, whether its twin follows if it is a lens.
    """
    placed: list[str] = []
    for scene, has_twin in zip(scenes, followed, strict=True):
        twin = [TWIN] if has_twin and scene in LENS_SCENES else []
        if len(placed) + len(twin) < number:
            placed += [scene, *twin]
    return placed[:number]


def _paint(name: str, mixture: Recipe, dice: Dice, natively: Dice | None) -> _Painted:
    sky = Sky(dice.number, mixture.field_px)
    truth = SCENES[name](dice, sky)
    subtypes = _subtypes(name, truth.pop("configuration", None), dice.number)
    shapes = draw_psf_shapes(dice)
    truth["sim_psf_fwhm_arcsec"] = torch.full((dice.number,), shapes[0].width * OPTICS["VIS"].psf_fwhm_arcsec)
    has_twins = mixture.twins > 0
    native = _native_pair(sky, shapes, natively, has_twins) if natively else (None, None)
    psfs = kernels(shapes, sky.nir.shape[-1])
    marks = 0.0 if sky.detector is None else sky.detector
    foreground = blur(sky.vis, sky.nir, psfs)
    if sky.lensed is None:
        nothing = torch.zeros(dice.number, mixture.field_px, mixture.field_px, dtype=torch.bool)
        return _Painted(record(foreground, dice) + marks, nothing, subtypes, truth, None, *native)
    lensed = blur(*sky.lensed, psfs)
    mask = arc_mask(lensed)
    at = truth["sim_target_x_arcsec"], truth["sim_target_y_arcsec"]
    truth |= arc_truth(lensed, foreground, mask, *at)
    before = dice.generator.get_state()
    images = record(foreground + lensed, dice) + marks
    twins = None
    if has_twins:
        dice.generator.set_state(before)  # the same noise once more, which draws as many numbers
        twins = record(foreground, dice) + marks
    return _Painted(images, mask, subtypes, truth, twins, *native)


def _native_pair(
    sky: Sky, shapes: list[PsfShape], dice: Dice, has_twins: bool
) -> tuple[Tensor, Tensor | None]:
    """Y, J, H in native pixels with the sources and, if twins are wanted, without."""
    marks = 0.0 if sky.detector is None else native_marks(sky.detector)
    foreground = blur_native(sky.nir, shapes, sky.field_px)
    if sky.lensed is None:
        return record_native(foreground, dice) + marks, None
    before = dice.generator.get_state()
    images = record_native(foreground + blur_native(sky.lensed[1], shapes, sky.field_px), dice) + marks
    if not has_twins:
        return images, None
    dice.generator.set_state(before)
    return images, record_native(foreground, dice) + marks


def _subtypes(scene: str, configuration: Tensor | None, number: int) -> list[str]:
    """By what the images look like, where the scene says so; groups stay groups."""
    if configuration is None or "group lens" in scene:
        return [scene.removesuffix(" lens").partition(" lens (")[0].removeprefix("rich ")] * number
    return [CONFIGURATIONS[index] for index in configuration.tolist()]


def _blank(mixture: Recipe, *, native: bool) -> SimulatedChunk:
    side, native_side = mixture.field_px, native_px(mixture.field_px)
    return SimulatedChunk(
        images=torch.empty(CHUNK, len(BANDS), side, side),
        lensed=torch.zeros(CHUNK, side, side, dtype=torch.bool),
        subtypes=[TWIN] * CHUNK,
        is_lens=torch.zeros(CHUNK, dtype=torch.bool),
        twin=torch.full((CHUNK,), -1),
        truth={},
        native=torch.empty(CHUNK, len(NIR_BANDS), native_side, native_side) if native else None,
    )


def _keep(chunk: SimulatedChunk, rows: Tensor, name: str, painted: _Painted, followed: Tensor) -> None:
    """Put painted objects into their places, twins one place after their lens where they are wanted."""
    chunk.images[rows], chunk.lensed[rows] = painted.images, painted.lensed
    if chunk.native is not None and painted.native is not None:
        chunk.native[rows] = painted.native
    chunk.is_lens[rows] = name in LENS_SCENES
    for row, subtype in zip(rows.tolist(), painted.subtypes, strict=True):
        chunk.subtypes[row] = subtype
    _keep_truth(chunk, rows, painted.truth)
    if painted.twins is not None:
        _keep_twins(chunk, rows[followed], painted, followed)


def _keep_twins(chunk: SimulatedChunk, rows: Tensor, painted: _Painted, followed: Tensor) -> None:
    assert painted.twins is not None
    chunk.images[rows + 1] = painted.twins[followed]
    if chunk.native is not None and painted.native_twins is not None:
        chunk.native[rows + 1] = painted.native_twins[followed]
    chunk.twin[rows], chunk.twin[rows + 1] = rows + 1, rows
    shared = {k: v for k, v in painted.truth.items() if k in _OF_TWINS_TOO or k.startswith("sim_mag_")}
    _keep_truth(chunk, rows + 1, {name: values[followed] for name, values in shared.items()})


def _keep_truth(chunk: SimulatedChunk, rows: Tensor, values: Truth) -> None:
    for name, value in values.items():
        chunk.truth.setdefault(name, torch.full((CHUNK,), torch.nan))[rows] = value.float()
