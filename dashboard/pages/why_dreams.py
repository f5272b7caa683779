"""The last section of `/why`: what networks imagine. Made outside of the event loop."""

from urllib.parse import quote

import numpy as np
from markupsafe import Markup

from dashboard.dreamer import Wish
from dashboard.judgements import Judgement
from dashboard.pages.why_sections import Contents
from dashboard.plots.dream_pictures import dream_pictures
from dashboard.state import ServerState
from data.dreams import Imagined, read_imagined

SIDE_PX = 240
WORDS = (
    "A class image is climbed from blank sky until the network is as sure of a lens as it can be; a deep dream makes "
    "what the last layer sees in a candidate stronger. As in Wilde et al. 2022. They show what the network likes among "
    "all images, also such as no telescope takes; they are no evidence about an object. Colours: normalised bands."
)


def wishes(state: ServerState, contents: Contents) -> list[Wish]:
    """What is not there yet of models that are at hand: each with the candidate that it is surest of."""
    return [
        Wish(one.model_version, _surest(contents, one))
        for one in contents.judged
        if state.card(one.model_version) is not None
        and read_imagined(state.campaign, one.model_version) is None
    ]


def dreams_html(state: ServerState, contents: Contents, problem: str = "") -> Markup:
    """What is there of each model, and what went wrong."""
    said = Markup('<p class="dim">{}</p>').format(WORDS)
    kept = [(one, read_imagined(state.campaign, one.model_version)) for one in contents.judged]
    shown = [_of_model(state, one, imagined) for one, imagined in kept if imagined is not None]
    wrong = (
        Markup('<p class="problem" data-testid="dreams-problem">{}</p>').format(problem)
        if problem
        else Markup()
    )
    return said + wrong + Markup("").join(shown)


def _surest(contents: Contents, one: Judgement) -> str:
    """The id of the candidate with the highest logit, empty if nothing is scored."""
    logit = one.scores.logit
    if not np.isfinite(logit).any():
        return ""
    ((object_id, _),) = contents.subjects.catalogue.listed(np.array([np.nanargmax(logit)]))
    return str(object_id)


def _of_model(state: ServerState, one: Judgement, imagined: Imagined) -> Markup:
    composite = state.campaign.survey.composite
    (lens,) = dream_pictures([imagined.class_image], imagined.bands, composite, side_px=SIDE_PX)
    figures = [_figure(lens, f"{one.name}: class image", imagined.class_logit, f"{one.name}-class-image")]
    if imagined.object_id:
        both = [imagined.before, imagined.after]
        before, after = dream_pictures(both, imagined.bands, composite, side_px=SIDE_PX)
        link = Markup('<a href="vet?object={}" title="Open {} on /vet">its surest candidate</a>').format(
            quote(imagined.object_id, safe=""), imagined.object_id
        )
        figures += [
            _figure(before, link, imagined.before_logit, f"{one.name}-candidate"),
            _figure(after, "its deep dream", imagined.after_logit, f"{one.name}-deep-dream"),
        ]
    return Markup('<div class="dreams" data-testid="dreams">{}</div>').format(Markup("").join(figures))


def _figure(picture: str, title: str, logit: float, name: str) -> Markup:
    return Markup(
        '<figure><img src="{}" alt="{}" width="{}" height="{}"><figcaption>{} · logit {}'
        ' · <a href="{}" download="{}.png">PNG</a></figcaption></figure>'
    ).format(picture, name, SIDE_PX, SIDE_PX, title, f"{logit:+.1f}".replace("-", "−"), picture, name)
