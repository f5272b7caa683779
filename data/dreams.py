"""What a network imagined, on disk: `maps/<model_version>/dreams.npz` in the campaign folder."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from data.campaign import Campaign
from data.files import written_atomically

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Imagined:
    """Images (band, y, x) on the network's normalised scale, and the logit that it gives to each.

    class_image : a lens from blank sky. object_id : of the candidate that was dreamt about; before, after : itself and
    its dream. Without a candidate they are empty, and their logits NaN.
    """

    bands: tuple[str, ...]
    class_image: Image
    class_logit: float
    object_id: str
    before: Image
    before_logit: float
    after: Image
    after_logit: float


def write_imagined(campaign: Campaign, model_version: str, imagined: Imagined) -> None:
    """Keep it; what was kept of this model before is replaced."""
    with written_atomically(_path(campaign, model_version)) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **vars(imagined))


def read_imagined(campaign: Campaign, model_version: str) -> Imagined | None:
    """What was kept of this model, None if nothing was or the file is damaged."""
    try:
        with (
            _path(campaign, model_version).open("rb") as file,
            np.load(file, allow_pickle=False) as kept,
        ):
            return Imagined(
                bands=tuple(map(str, kept["bands"])),
                object_id=str(kept["object_id"]),
                class_image=kept["class_image"],
                class_logit=float(kept["class_logit"]),
                before=kept["before"],
                before_logit=float(kept["before_logit"]),
                after=kept["after"],
                after_logit=float(kept["after_logit"]),
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        return None


def _path(campaign: Campaign, model_version: str) -> Path:
    return campaign.maps_path(model_version, "dreams").with_suffix(".npz")
