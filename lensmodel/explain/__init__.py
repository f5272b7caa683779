"""Explanations: maps of what made a network say so; `METHODS` is what menu, commands and tests read.

Importing this needs no torch, so that the web process can read the table; computing a map does.
"""

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    "METHODS",
    "ExplanationMap",
    "ExplanationReport",
    "Method",
    "explain",
    "explain_objects",
    "explain_one",
    "find_method",
    "methods_for",
    "takes_layer",
]


@dataclass(frozen=True)
class Method:
    """One way to explain a verdict.

    signed : values below zero mean the opposite of values above. module : where `explain` for it lives.
    for_lens : the sign of the values where the image speaks for a lens; -1 of what hiding a place does to p.
    """

    name: str
    title: str
    shows: str
    cannot_say: str
    unit: str
    signed: bool
    reference: str
    module: str
    for_lens: int = 1


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
            for_lens=-1,
        ),
    )
}


def methods_for(card: ModelCard) -> list[str]:
    """Names of the methods that can explain this model, the most direct first."""
    has_evidence = MODELS[card.architecture].has_evidence
    return [name for name in METHODS if has_evidence or name != "evidence"]


def explain(
    network: "LensNetwork", card: ModelCard, normalised: "Tensor", method: str, **options: object
) -> "NDArray[np.float32]":
    """A map (y, x) on the network's input pixels, NaN where the method says nothing.

    normalised : (band, y, x), as `network.normalise` gives it. options : of the method's own `explain`.
    The network is explained as it judges, in evaluation mode, and left as it was.

    Raises
    ------
    ExplanationError
        If there is no such method, or it cannot explain this network.
    """
    if method not in methods_for(card):
        raise ExplanationError(f"{card.title} has no {method!r}; it has {', '.join(methods_for(card))}")
    module = importlib.import_module(METHODS[method].module)
    with _evaluating(network):
        map_: NDArray[np.float32] = module.explain(network, normalised, **options)
    return map_


def find_method(name: str, card: ModelCard | None = None) -> Method | None:
    """The method of that name; None if no method of the model, or of any, is called so."""
    return METHODS.get(name) if card is None or name in methods_for(card) else None


def takes_layer(method: Method) -> bool:
    """Whether `explain` for this method has an option `layer`: its number in `network.features`."""
    module = importlib.import_module(method.module)
    return "layer" in inspect.signature(module.explain).parameters


@contextmanager
def _evaluating(network: "LensNetwork") -> Iterator[None]:
    was_training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in was_training:
            module.training = True


def __getattr__(name: str) -> Any:
    # What works on a campaign needs torch: it is imported when it is first asked for.
    if name in __all__:
        return getattr(importlib.import_module("lensmodel.explain.objects"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
