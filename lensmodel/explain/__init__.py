"""Explanations: maps of what made a network say so; `METHODS` is what menu, commands and tests read.

`find_method` knows besides them a method per band of a model, such as `occlusion-vis`; `methods_for` lists all that a
model has. Importing this needs no torch, so that the web process can read the table; computing a map does.
"""

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lensmodel.errors import ExplanationError
from lensmodel.models import MODELS, ModelCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from lensmodel.explain.objects import ExplanationMap, ExplanationReport, explain_objects, explain_one
    from lensmodel.networks import LensNetwork

__all__ = [
    "BASELINES",
    "METHODS",
    "UNITS",
    "ExplanationMap",
    "ExplanationReport",
    "Method",
    "explain",
    "explain_objects",
    "explain_one",
    "find_method",
    "methods_for",
    "store_name",
    "with_options",
]

BASELINES = ("zero", "median", "noise")  # what occlusion hides a square by
UNITS = ("probability", "logit")  # of a verdict that occlusion changes


@dataclass(frozen=True)
class Method:
    """One way to explain a verdict.

    signed : values below zero mean the opposite of values above. module : where `explain` for it lives.
    options : of this `explain`, those that a person may set.
    for_lens : the sign of the values where the image speaks for a lens; -1 of what hiding a place does to p.
    has_coarse : whether the module has `coarse_options`, for a map that is there soon.
    """

    name: str
    title: str
    shows: str
    cannot_say: str
    unit: str
    signed: bool
    reference: str
    module: str
    options: tuple[str, ...] = ()
    for_lens: int = 1
    has_coarse: bool = False


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="evidence",
            title="Evidence",
            shows="How probable a lens is at each place: the network adds up these odds, and their sum is its score.",
            cannot_say="Which feature at that place it was: an arc, a colour or a neighbour.",
            unit="p of a lens at this place",
            signed=False,
            reference="built into the network",
            module="lensmodel.explain.evidence",
        ),
        Method(
            name="grad-cam",
            title="Grad-CAM",
            shows="Where the last feature maps speak for a lens; each cell is drawn where it looks.",
            cannot_say="What speaks against a lens, finer detail than a cell, or the rim where no cell lies.",
            unit="logit, relative",
            signed=False,
            reference="Selvaraju et al. 2017, ICCV, arXiv:1610.02391",
            module="lensmodel.explain.grad_cam",
            options=("layer",),
        ),
        Method(
            name="occlusion",
            title="Occlusion",
            shows="How p changes when a small square is hidden: negative where the square spoke for a lens.",
            cannot_say="What squares do together: of two arcs, hiding one may change nothing.",
            unit="change of p",
            signed=True,
            reference="Zeiler & Fergus 2014, ECCV, arXiv:1311.2901; as in Wilde et al. 2022, MNRAS 512, 3464",
            module="lensmodel.explain.occlusion",
            options=("window_px", "stride_px", "baseline", "unit"),
            for_lens=-1,
            has_coarse=True,
        ),
        Method(
            name="saliency",
            title="Saliency",
            shows="How much a small change of each pixel moves the verdict, in the band where it moves it most.",
            cannot_say="In which direction, or what a change that is not small would do.",
            unit="|change of logit| per normalised unit",
            signed=False,
            reference="Simonyan et al. 2013, arXiv:1312.6034",
            module="lensmodel.explain.saliency",
        ),
        Method(
            name="integrated-gradients",
            title="Integrated gradients",
            shows="What each pixel, its bands summed, adds to the logit on the way from blank sky to this image.",
            cannot_say="What pixels do together, or whether the images on the way look like any sky.",
            unit="change of logit",
            signed=True,
            reference="Sundararajan et al. 2017, ICML, arXiv:1703.01365",
            module="lensmodel.explain.integrated_gradients",
            has_coarse=True,
        ),
        Method(
            name="guided-grad-cam",
            title="Guided Grad-CAM",
            shows="Edges and blobs that the network reacts to, summed over bands, where Grad-CAM is bright.",
            cannot_say="What the network learned: it fails the model-randomisation check (Adebayo et al. 2018).",
            unit="relative",
            signed=True,
            reference="Selvaraju et al. 2017, ICCV, arXiv:1610.02391; as in Wilde et al. 2022, MNRAS 512, 3464",
            module="lensmodel.explain.guided_grad_cam",
            options=("layer",),
        ),
        Method(
            name="hirescam",
            title="HiResCAM",
            shows="Where the last feature maps speak for a lens or, negative, against it, weighed cell by cell.",
            cannot_say="Finer detail than a cell, or the rim where no cell lies.",
            unit="logit, relative",
            signed=True,
            reference="Draelos & Carin 2020, arXiv:2011.08891",
            module="lensmodel.explain.hirescam",
            options=("layer",),
        ),
        Method(
            name="layercam",
            title="LayerCAM",
            shows="Where the feature maps speak for a lens, each cell by its own gradient.",
            cannot_say="What speaks against a lens, or the rim where no cell lies.",
            unit="logit, relative",
            signed=False,
            reference="Jiang et al. 2021, IEEE TIP 30, 5875",
            module="lensmodel.explain.layercam",
            options=("layer",),
        ),
    )
}

_IN_A_BAND = "occlusion-"


def methods_for(card: ModelCard) -> list[str]:
    """Names of the methods that can explain this model, the most direct first."""
    has_evidence = MODELS[card.architecture].has_evidence
    return [*(name for name in METHODS if has_evidence or name != "evidence"), *_band_methods(card)]


def find_method(name: str, card: ModelCard | None = None) -> Method | None:
    """The method of that name, also one that hides squares in one band alone; None if no method is called so.

    card : of the model, if it is at hand, so that the method can call the band by its own name.
    """
    if name in METHODS:
        return METHODS[name]
    if not re.fullmatch(_IN_A_BAND + "[a-z0-9]+(-[a-z0-9]+)*", name):
        return None
    slug = name.removeprefix(_IN_A_BAND)
    band = _band_methods(card).get(name, slug) if card else slug
    return replace(
        METHODS["occlusion"],
        name=name,
        title=f"Occlusion in {band}",
        shows=f"How p changes when a small square is hidden in {band} alone: negative where it spoke for a lens.",
        cannot_say="What bands do together: a colour is two bands, and hiding one changes it.",
    )


def with_options(method: Method, options: Mapping[str, object]) -> tuple[Method, dict[str, object]]:
    """The method as these options make it, and the options that are not what it does anyway.

    Raises
    ------
    ExplanationError
        If the method has no such option.
    """
    for name in options:
        if name not in method.options:
            has = f"it has {', '.join(method.options)}" if method.options else "it has none"
            raise ExplanationError(f"{method.title} has no option {name}; {has}")
    usual = inspect.signature(importlib.import_module(method.module).explain).parameters
    other = {name: options[name] for name in sorted(options) if options[name] != usual[name].default}
    return (replace(method, unit="change of logit") if other.get("unit") == "logit" else method), other


def store_name(method: str, options: Mapping[str, object] | None = None) -> str:
    """Name of the store of a method's maps; maps that options have changed are not among those of the method alone."""
    return ",".join([method, *(f"{option}={value}" for option, value in (options or {}).items())])


COARSE: Mapping[str, object] = {"coarse": True}  # what sets the store of coarse maps apart


def explain(
    network: "LensNetwork",
    card: ModelCard,
    normalised: "Tensor",
    method: str,
    *,
    coarse: bool = False,
    **options: object,
) -> "NDArray[np.float32]":
    """A map (y, x) on the network's input pixels, NaN where the method says nothing.

    normalised : (band, y, x), as `network.normalise` gives it. options : of the method's own `explain`.
    coarse : a map with less detail in a fraction of the time, of a method that has it.
    The network is explained as it judges, in evaluation mode, and left as it was.

    Raises
    ------
    ExplanationError
        If there is no such method, or it cannot explain this network.
    """
    from lensmodel.networks import evaluating

    found = find_method(method, card)
    if found is None or method not in methods_for(card):
        raise ExplanationError(f"{card.title} has no {method!r}; it has {', '.join(methods_for(card))}")
    if len(normalised) != len(card.bands):
        raise ExplanationError(
            f"an image of {len(normalised)} bands; {card.title} needs {', '.join(card.bands)}"
        )
    if method not in METHODS:
        options["band"] = card.bands.index(_band_methods(card)[method])
    module = importlib.import_module(found.module)
    length = max(normalised.shape[1:])
    if coarse:
        options = module.coarse_options(length) | options
    elif found.module == METHODS["occlusion"].module and "window_px" not in options:
        options = module.usual_squares(length, MODELS[card.architecture].occlusion_px) | options
    with evaluating(network):
        map_: NDArray[np.float32] = module.explain(network, normalised, **options)
    return map_


def _band_methods(card: ModelCard) -> dict[str, str]:
    """The bands of a model by the name of the method that hides squares in one of them; it names files."""
    names: dict[str, str] = {}
    for band in card.bands:
        plain = re.sub("[^a-z0-9]+", "-", band.lower()).strip("-") or "band"
        alike = (plain, *(f"{plain}-{number}" for number in range(2, len(card.bands) + 1)))
        names[next(_IN_A_BAND + slug for slug in alike if _IN_A_BAND + slug not in names)] = band
    return names


def __getattr__(name: str) -> Any:
    # What works on a campaign needs torch: it is imported when it is first asked for.
    if name in __all__:
        return getattr(importlib.import_module("lensmodel.explain.objects"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
