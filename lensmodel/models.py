"""The networks we can run: `MODELS` has a row per architecture, a card describes one set of trained weights.

Importing this needs no torch. Cards are JSON files with the weights beside them (`ou-66.json`, `ou-66.pt`):
shipped ones in `lensmodel/weights`, added ones in `$LENSVET_HOME/models`.

To add your own: write a `LensNetwork` (see `lensmodel.networks`), give it a row in `MODELS`, save its state
dict as `NAME.pt` and its card as `NAME.json` (the fields of `ModelCard` without `weights_path`, and `sha256`
if you like), then run `lensvet models add NAME.json`.
"""

import hashlib
import importlib
import json
import math
import os
import re
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from data.files import write_json, written_atomically
from data.surveys import BELIEVABLE_SCALES, SURVEYS, is_believable_scale
from lensmodel.errors import ModelError, WeightsError

if TYPE_CHECKING:
    from lensmodel.networks import LensNetwork

SHIPPED = Path(__file__).parent / "weights"
DEFAULT_MODEL = "evidence-net"
_TRIAL_PX = 100
_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"  # it names folders
MODEL_NAMES = "lower-case letters, digits, dots, dashes"
_WILDE = "Wilde et al. 2022, MNRAS 512, 3464 (arXiv:2202.12776)"


@dataclass(frozen=True)
class Architecture:
    """A network that we have code for, and the images it expects.

    network : "module:Class", imported when weights are loaded. bands : in channel order.
    field_px : side of the square it sees, None for any size from least_px. has_evidence : its output has an evidence
        map.
    bands_may_be_missing : its `normalise` takes a plane of NaN for a band that was not observed.
    occlusion_px : side of the squares that occlusion hides, and from square to square, in an image that is not large,
        if none are asked for; None for squares that tile it, by its size.
    """

    name: str
    title: str
    network: str
    bands: tuple[str, ...]
    pixel_scale_arcsec: float
    field_px: int | None
    survey: str
    reference: str
    predicts_position: bool = False
    has_evidence: bool = False
    bands_may_be_missing: bool = False
    least_px: int = 1
    occlusion_px: tuple[int, int] | None = None


def _wilde(name: str, title: str, bands: tuple[str, ...], *, large: bool = False) -> Architecture:
    return Architecture(
        name=name,
        title=title,
        network="lensmodel.networks.wilde2022:" + ("OU200" if large else "OU66"),
        bands=bands,
        pixel_scale_arcsec=0.1 if large else 0.3,
        field_px=200 if large else 66,
        survey="euclid",
        reference=_WILDE,
    )


MODELS: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="evidence-net",
            title="Evidence network",
            network="lensmodel.networks.evidence_net:EvidenceNet",
            bands=("VIS", "Y", "J", "H"),
            pixel_scale_arcsec=0.1,
            field_px=None,
            survey="euclid",
            reference="LensVet",
            predicts_position=True,
            has_evidence=True,
            bands_may_be_missing=True,
            least_px=32,
            occlusion_px=(8, 4),  # a cell of its evidence is 4 px, and an arc is wider than 2
        ),
        _wilde("ou-j", "OU-J", ("J",)),
        _wilde("ou-y", "OU-Y", ("Y",)),
        _wilde("ou-h", "OU-H", ("H",)),
        _wilde("ou-jyh", "OU-JYH", ("J", "Y", "H")),
        _wilde("ou-66", "OU-66", ("J", "Y", "H", "VIS")),
        _wilde("ou-vis", "OU-VIS", ("VIS",), large=True),
        _wilde("ou-200", "OU-200", ("J", "Y", "H", "VIS"), large=True),
    )
}


@dataclass(frozen=True)
class ModelCard:
    """One set of trained weights: what it is, what it must see, and the file. Fields as in `Architecture`.

    prior : the share of lenses among objects for which sigmoid(logit) is a probability; None if nobody calibrated it.
    sha256 : hex digest of the weight file.
    bands_may_be_missing : whether these weights were trained to judge from some of the bands alone.
    agreement : weights of the map, of the light, and a constant, for `lensmodel.explain.agreement`; None if nobody
        fitted them, and `where_why` is not stated.
    """

    name: str
    title: str
    architecture: str
    bands: tuple[str, ...]
    pixel_scale_arcsec: float
    field_px: int | None
    predicts_position: bool
    prior: float | None
    survey: str
    reference: str
    weights_path: Path
    sha256: str
    bands_may_be_missing: bool = False
    agreement: tuple[float, float, float] | None = None

    @property
    def calibrated(self) -> bool:
        """Whether sigmoid(logit) is a probability, at the prior."""
        return self.prior is not None

    @property
    def version(self) -> str:
        """Name and digest of the weights: scores and maps are filed under it."""
        return f"{self.name}-{self.sha256[:8]}"


def models_folder() -> Path:
    """Where added models are kept."""
    home = os.environ.get("LENSVET_HOME")
    return (Path(home) if home else platformdirs.user_data_path("lensvet")) / "models"


def known_models() -> dict[str, ModelCard]:
    """Cards of all shipped and added models by name, the shipped ones first.

    Raises
    ------
    ModelError
        If a card cannot be read.
    """
    paths = [path for folder in (SHIPPED, models_folder()) for path in sorted(folder.glob("*.json"))]
    return {card.name: card for card in map(read_card, paths)}


def model_named(name_or_version: str) -> ModelCard:
    """The card of that name or version.

    Raises
    ------
    ModelError
        If there is none; the message lists what there is.
    """
    known = known_models()
    for card in known.values():
        if name_or_version in (card.name, card.version):
            return card
    listed = ", ".join(known) or "none"
    raise ModelError(f"model {name_or_version!r} is not known; known are {listed}: lensvet models add FILE")


def default_model() -> ModelCard:
    """Our own network, which scores when none is named."""
    return model_named(DEFAULT_MODEL)


def add_model(file: Path) -> ModelCard:
    """Keep a copy of a weight file, recognised by its layout, or of a card with its weights beside it.

    Raises
    ------
    WeightsError
        If the file is damaged, holds more than tensors, or fits no architecture that we know.
    ModelError
        If another model has its name.
    """
    if not file.is_file():
        raise WeightsError(f"{file} is not a file: give a weight file (.pt) or a card (.json)")
    card = read_card(file) if file.suffix == ".json" else _recognised(file)
    _try(card)
    return _kept(card)


def load_network(card: ModelCard) -> "LensNetwork":
    """The network with its weights, in evaluation mode.

    Raises
    ------
    WeightsError
        If the weights are not those of the card, or do not fit its architecture.
    """
    from lensmodel.checkpoint import fold_batch_norms, load_weights

    make_network = network_class(card.architecture)
    network = make_network(bands=len(card.bands), pixel_scale_arcsec=card.pixel_scale_arcsec)
    if sha256_of(card.weights_path) != card.sha256:
        raise WeightsError(
            f"{card.weights_path} has changed since {card.version} was added: restore it, or remove "
            f"{card.weights_path.with_suffix('.json')} and add the model again"
        )
    load_weights(network, card.weights_path)
    fold_batch_norms(network.eval().features)
    return network


def network_class(architecture: str) -> "type[LensNetwork]":
    """The class that an architecture names; imports torch."""
    module, _, name = MODELS[architecture].network.partition(":")
    found: type[LensNetwork] = getattr(importlib.import_module(module), name)
    return found


def sha256_of(file: Path) -> str:
    """Hex digest of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_card(path: Path) -> ModelCard:
    """Read a card; the weights are the `.pt` beside it.

    Raises
    ------
    ModelError
        If a field is missing or malformed, or the weights are not there.
    """
    weights_path = path.with_suffix(".pt")
    if not weights_path.is_file():
        raise ModelError(f"{path} has no weights: {weights_path.name} should lie beside it")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values.setdefault("sha256", sha256_of(weights_path))
        values.setdefault("prior", None)
        values.setdefault("bands_may_be_missing", False)
        values.setdefault("agreement", None)
        own = {field.name: values[field.name] for field in fields(ModelCard) if field.name != "weights_path"}
        if not isinstance(own["bands"], list):
            raise TypeError("bands is no list")
        numbers = own["agreement"]
        own |= {"bands": tuple(own["bands"]), "agreement": None if numbers is None else tuple(numbers)}
        card = ModelCard(**own, weights_path=weights_path)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is no model card ({error!r}): see ModelCard for its fields") from error
    _check(card, path)
    return card


def is_model_name(text: str) -> bool:
    """Whether a model may be called so; see `MODEL_NAMES`."""
    return re.fullmatch(_NAME, text) is not None


def check_survey(card: ModelCard, survey: str) -> None:
    """Refuse a network on a survey that it was not trained for: bands of one name differ between surveys.

    Raises
    ------
    ModelError
    """
    if card.survey != survey:
        raise ModelError(
            f"{card.title} is for survey {card.survey}, this campaign is of {survey}: choose another model "
            "(lensvet models), or set survey in campaign.toml if it is wrong"
        )


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card beside its weights."""
    values: dict[str, Any] = {name: value for name, value in asdict(card).items() if name != "weights_path"}
    write_json(path, values)


def _check(card: ModelCard, path: Path) -> None:
    if not isinstance(card.architecture, str) or card.architecture not in MODELS:
        raise ModelError(f"{path} is for architecture {card.architecture!r}; known are {', '.join(MODELS)}")
    for name, is_right, expected in _expectations(card):
        if not is_right:
            raise ModelError(f"{path} has {name} {getattr(card, name)!r}; expected {expected}")


def _expectations(card: ModelCard) -> list[tuple[str, bool, str]]:
    """Fields of a card, whether each is as it should be, and how it should be."""
    scale, field_px = card.pixel_scale_arcsec, card.field_px
    texts = ("title", "survey", "reference")
    prior = card.prior
    row = MODELS[card.architecture]
    return [
        ("name", is_model_name(str(card.name)), MODEL_NAMES),
        ("sha256", bool(re.fullmatch("[0-9a-f]{64}", str(card.sha256))), "64 hexadecimal digits"),
        (
            "bands",
            bool(card.bands) and all(isinstance(b, str) for b in card.bands) and _are_unique(card.bands),
            "a list of different names",
        ),
        ("pixel_scale_arcsec", _is_number(scale) and is_believable_scale(scale), BELIEVABLE_SCALES),
        ("field_px", field_px is None or (isinstance(field_px, int) and field_px > 0), "pixels, or null"),
        *((name, isinstance(getattr(card, name), str), "text") for name in texts),
        ("survey", card.survey in SURVEYS, f"one of {', '.join(SURVEYS)}"),
        ("predicts_position", isinstance(card.predicts_position, bool), "true or false"),
        (
            "bands_may_be_missing",
            card.bands_may_be_missing is False
            or (card.bands_may_be_missing is True and row.bands_may_be_missing),
            "true or false" if row.bands_may_be_missing else f"false, for {row.title} needs every band",
        ),
        (
            "prior",
            prior is None or (_is_number(prior) and 0 < prior < 1),
            "a share of lenses between 0 and 1, or null",
        ),
        (
            "agreement",
            card.agreement is None or (len(card.agreement) == 3 and all(map(_is_finite, card.agreement))),
            "three numbers, or null",
        ),
    ]


def _are_unique(values: tuple[str, ...]) -> bool:
    return len(set(values)) == len(values)


def _is_finite(value: object) -> bool:
    return _is_number(value) and math.isfinite(value)  # type: ignore[arg-type]  # it is a number


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _try(card: ModelCard) -> None:
    """Load the weights and judge an empty image, before anything is kept."""
    from lensmodel.checkpoint import judges_an_image

    side = card.field_px or _TRIAL_PX
    if not judges_an_image(load_network(card), bands=len(card.bands), side_px=side):
        raise ModelError(
            f"{card.name} cannot judge an image of {len(card.bands)} bands, {side}x{side} px: "
            "correct field_px on its card"
        )


def _recognised(file: Path) -> ModelCard:
    from lensmodel.checkpoint import recognise

    row = MODELS[recognise(file)]
    return ModelCard(
        name=row.name,
        title=row.title,
        architecture=row.name,
        bands=row.bands,
        pixel_scale_arcsec=row.pixel_scale_arcsec,
        field_px=row.field_px,
        predicts_position=row.predicts_position,
        prior=None,
        survey=row.survey,
        reference=row.reference,
        weights_path=file,
        sha256=sha256_of(file),
    )


def _kept(card: ModelCard) -> ModelCard:
    taken = known_models().get(card.name)
    if taken is not None and taken.sha256 != card.sha256:
        card_path = taken.weights_path.with_suffix(".json")
        or_remove = "" if card_path.parent == SHIPPED else f", or remove {card_path} to replace that one"
        raise ModelError(
            f"another model is called {card.name} ({taken.version}): give this one a name of its own on its card"
            f"{or_remove}"
        )
    if taken is not None:
        return taken
    weights_path = models_folder() / f"{card.name}.pt"
    with written_atomically(weights_path) as partial:
        shutil.copyfile(card.weights_path, partial)
    # The card comes last: a model counts once its card is there.
    write_card(card, weights_path.with_suffix(".json"))
    return read_card(weights_path.with_suffix(".json"))
