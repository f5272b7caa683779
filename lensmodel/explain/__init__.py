"""Explanations: maps of what made a network say so; `METHODS` is what menu, commands and tests read.

Importing this needs no torch, so that the web process can read the table; computing a map does.
"""

from dataclasses import dataclass

from lensmodel.models import MODELS, ModelCard


@dataclass(frozen=True)
class Method:
    """One way to explain a verdict.

    signed : values below zero mean the opposite of values above. module : where `explain` for it lives.
    """

    name: str
    title: str
    shows: str
    cannot_say: str
    unit: str
    signed: bool
    reference: str
    module: str


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="evidence",
            title="Evidence",
            shows="What each place adds to the verdict: the network sums this map into its score.",
            cannot_say="Which feature at that place it was: an arc, a colour or a neighbour.",
            unit="logit",
            signed=True,
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
        ),
    )
}


def methods_for(card: ModelCard) -> list[str]:
    """Names of the methods that can explain this model, the most direct first."""
    has_evidence = MODELS[card.architecture].has_evidence
    return [name for name in METHODS if has_evidence or name != "evidence"]
