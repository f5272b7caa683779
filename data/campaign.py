"""The campaign folder: where everything of one vetting campaign lies, and its settings in `campaign.toml`."""

import hashlib
import re
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data.cutout_store import CutoutStore
from data.errors import CampaignError
from data.files import written_atomically
from data.objects import ObjectTable
from data.surveys import SURVEYS, Survey, canonical_band, is_believable_scale, survey_named

REVEAL_POLICIES = ("open", "after-grade")

_KEYS = (
    *("id", "title", "survey", "reveal", "quorum", "database", "models", "shown_columns", "sources"),
    *("band_of_filter", "pixel_scale_of_source", "prior", "sign_in", "cutouts"),
)

_SETTINGS = """\
# What this campaign is. Read when a command starts; edit it with any editor.
id = "{identifier}"
title = {title}
survey = "{survey}"            # {surveys}
# open: scores and maps at any time, and the vote says that they were seen.
# after-grade: the server withholds them until the inspector's blind grade is stored.
reveal = "{reveal}"
quorum = {quorum}                   # independent grades per object
# Share of lenses among the objects, for which p_lens is stated: 1e-4 on the sky, 0.1 in an enriched queue.
# Without it, p_lens is stated for the share that the model was calibrated for.
# prior = 0.1
# Where the packed cutouts are, if they were copied elsewhere: an address that fsspec knows, which is only read.
# cutouts = "s3://bucket/campaign/cutouts.zarr"
# Where votes go: a file in this folder, or "postgresql://user@host/name".
database = "labels.sqlite"
# Catalogue columns that inspectors may see before their blind grade, beside magnitudes, redshifts and positions.
shown_columns = []
# Networks by name, the first one first: what score runs and the page shows if nothing else is asked for.
models = []
# Files and folders that ingest has read; score --follow watches them.
sources = []
# Filters of other instruments and the band that each is taken for when it is read, such as {{ F814W = "VIS" }}.
band_of_filter = {{}}
# Pixel scales in arcsec of sources whose images state none, such as {{ "/data/bare" = 0.05 }}.
pixel_scale_of_source = {{}}
"""


@dataclass(frozen=True)
class SignInService:
    """An account elsewhere with which people sign in. kind : `openid`, or `github`, which speaks OAuth alone."""

    title: str
    kind: str
    issuer: str
    client_id: str


@dataclass(frozen=True)
class Campaign:
    """One campaign folder and its settings. Paths are made here and nowhere else.

    identifier : tells campaigns apart in a browser that has seen several under one address.
    models : names of networks, the preferred one first.
    survey : with the filters that this campaign takes for bands of it.
    pixel_scales_arcsec : (source, pixel scale of its images where neither they nor a catalogue state one).
    prior : share of lenses among the objects; None if nobody stated it.
    sign_in : services by name, beside passwords.
    cutouts_address : of an object store that the packed cutouts were copied to; empty if they are in the folder.
    shown_columns : catalogue columns that conclude nothing, and may be seen before a blind grade.
    """

    path: Path
    identifier: str
    title: str
    survey: Survey
    reveal: str
    quorum: int
    database: str
    models: tuple[str, ...]
    shown_columns: tuple[str, ...]
    sources: tuple[str, ...]
    pixel_scales_arcsec: tuple[tuple[str, float], ...] = ()
    prior: float | None = None
    sign_in: tuple[tuple[str, SignInService], ...] = ()
    cutouts_address: str = ""

    @property
    def settings_path(self) -> Path:
        return self.path / "campaign.toml"

    @property
    def cutouts_path(self) -> Path:
        return self.path / "cutouts.zarr"

    @property
    def catalogue_path(self) -> Path:
        return self.path / "catalogue.parquet"

    @property
    def truth_path(self) -> Path:
        """Masks of lensed light, for simulated objects."""
        return self.path / "truth.zarr"

    @property
    def rejected_path(self) -> Path:
        return self.path / "rejected.csv"

    def scores_path(self, model_version: str) -> Path:
        return self.path / "scores" / model_version

    def mosaics_path(self, model_version: str) -> Path:
        """Scores of positions in mosaics, of which few become objects."""
        return self.path / "mosaics" / model_version

    def features_path(self, model_version: str) -> Path:
        """What the network made of each image, beside its scores."""
        return self.path / "features" / model_version

    def embedding_path(self, model_version: str, *, umap: bool = False) -> Path:
        """Where each image is among the others, by its features."""
        return self.path / "embeddings" / f"{model_version}{'.umap' if umap else ''}.parquet"

    def maps_path(self, model_version: str, method: str) -> Path:
        return self.path / "maps" / model_version / f"{method}.zarr"

    def table_path(self, model_version: str) -> Path:
        return self.path / "tables" / f"{model_version}.parquet"

    @property
    def crossmatch_path(self) -> Path:
        """Which objects are known lenses, and which come twice."""
        return self.path / "crossmatch.parquet"

    @property
    def known_lenses_path(self) -> Path:
        """Known lenses that the campaign has in place of the shipped ones."""
        return self.path / "known_lenses.parquet"

    @property
    def selections_path(self) -> Path:
        return self.path / "selections"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the label store; a plain name is a SQLite file in the campaign folder."""
        if "://" in self.database:
            return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", self.database)
        return f"sqlite:///{(self.path / self.database).resolve()}"

    def objects(self) -> ObjectTable:
        """The objects as they are on disk now."""
        return ObjectTable.load(self.catalogue_path)

    def cutouts(self, *, keep_bytes: int = 0) -> CutoutStore:
        """The packed cutouts, for reading; keep_bytes as `CutoutStore` has it.

        Raises
        ------
        CampaignError
            If nothing was ingested yet.
        StoreError
            If they are in an object store that does not answer.
        """
        if self.cutouts_address:
            return CutoutStore(self.cutouts_address, keep_bytes=keep_bytes)
        if not self.cutouts_path.exists():
            raise CampaignError(f"{self.path} has no cutouts yet: lensvet ingest {self.path} SOURCE")
        return CutoutStore(self.cutouts_path, keep_bytes=keep_bytes)

    def cutouts_to_fill(self, table: ObjectTable) -> CutoutStore:
        """The packed cutouts, for adding to those that a table claims.

        Raises
        ------
        CampaignError
            If they are in an object store.
        """
        if self.cutouts_address:
            raise CampaignError(
                f"the cutouts of {self.path} are read from {self.cutouts_address}: add to the campaign that they were "
                "copied from, and copy them again"
            )
        return CutoutStore(self.cutouts_path, table.next_rows())

    def scored_versions(self) -> list[str]:
        """Model versions that have a finished part of scores here, the one that scored last comes last."""
        newest: dict[str, int] = {}
        for part in (self.path / "scores").glob("*/part-*.parquet"):
            version = part.parent.name
            newest[version] = max(newest.get(version, 0), part.stat().st_mtime_ns)
        return sorted(newest, key=lambda version: newest[version])

    def score_parts(self, model_version: str) -> list[Path]:
        """Finished score files of a model version, by name."""
        return sorted(self.scores_path(model_version).glob("part-*.parquet"))


def create_campaign(path: Path, *, survey: str, title: str | None = None, reveal: str = "open") -> Campaign:
    """Make the folder and its settings.

    Raises
    ------
    CampaignError
        If there is a campaign already, or the survey or the reveal policy is not known.
    """
    survey_named(survey)
    if reveal not in REVEAL_POLICIES:
        raise CampaignError(f"reveal is {reveal!r}; expected one of {', '.join(REVEAL_POLICIES)}")
    settings = path / "campaign.toml"
    if settings.exists():
        raise CampaignError(f"{path} is a campaign already: choose another folder")
    text = _SETTINGS.format(
        identifier=uuid.uuid4(),
        title=_toml_string(title or path.resolve().name),
        survey=survey,
        surveys=", ".join(SURVEYS),
        reveal=reveal,
        quorum=1 if reveal == "open" else 6,
    )
    with written_atomically(settings) as partial:
        partial.write_text(text, encoding="utf-8")
    return open_campaign(path)


def open_campaign(path: Path) -> Campaign:
    """Read the settings of an existing campaign.

    Raises
    ------
    CampaignError
        If the folder is no campaign, or a setting is malformed.
    """
    settings = path / "campaign.toml"
    if not settings.is_file():
        raise CampaignError(
            f"{path} is not a campaign (no campaign.toml): lensvet new {path} --survey euclid"
        )
    try:
        values = tomllib.loads(settings.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CampaignError(f"{settings} is not valid TOML: {error}") from error
    problems = list(_problems(values))
    if problems:
        raise CampaignError(f"{settings}: " + "; ".join(problems))
    return Campaign(
        path=path,
        identifier=str(values.get("id") or _identifier_of(path)),
        title=str(values.get("title", path.resolve().name)),
        survey=_survey(values),
        reveal=values.get("reveal", "open"),
        quorum=values.get("quorum", 1),
        database=values.get("database", "labels.sqlite"),
        models=tuple(values.get("models", ())),
        shown_columns=tuple(values.get("shown_columns", ())),
        sources=tuple(values.get("sources", ())),
        pixel_scales_arcsec=tuple(values.get("pixel_scale_of_source", {}).items()),
        prior=values.get("prior"),
        cutouts_address=values.get("cutouts", ""),
        sign_in=tuple(
            (
                name,
                SignInService(
                    title=service.get("title", name),
                    kind=service.get("kind", "openid"),
                    issuer=service.get("issuer", ""),
                    client_id=service["client_id"],
                ),
            )
            for name, service in values.get("sign_in", {}).items()
        ),
    )


def remember_source(campaign: Campaign, source: Path) -> Campaign:
    """Add a source to `campaign.toml` if it is not there; every other line stays as it was written."""
    text = str(source.resolve())
    if text in campaign.sources:
        return campaign
    listed = ", ".join(_toml_string(s) for s in (*campaign.sources, text))
    return _with_line(campaign, "sources", f"[{listed}]")


def remember_pixel_scale(campaign: Campaign, source: Path, pixel_scale_arcsec: float) -> Campaign:
    """Note in `campaign.toml` the pixel scale of a source's images that state none, in place of what stood there."""
    scales = dict(campaign.pixel_scales_arcsec) | {str(source.resolve()): pixel_scale_arcsec}
    if scales == dict(campaign.pixel_scales_arcsec):
        return campaign
    pairs = (f"{_toml_string(text)} = {float(scale)!r}" for text, scale in scales.items())
    return _with_line(campaign, "pixel_scale_of_source", "{ " + ", ".join(pairs) + " }")


def remember_filters(campaign: Campaign, filters: Sequence[tuple[str, str]]) -> Campaign:
    """Add filters of other instruments, and the band that each is taken for, to `campaign.toml`.

    Raises
    ------
    CampaignError
        If a band is not one of the survey's, a filter is, or the campaign takes it for another band already.
    """
    taken = dict(campaign.survey.stand_ins)
    problems = [
        f"{name} is taken for {taken[name]}: make a new campaign to take it for {band}"
        for name, band in filters
        if taken.setdefault(name, band) != band
    ]
    problems += _filter_problems(dict(filters), campaign.survey)
    if problems:
        raise CampaignError(f"{campaign.path}: " + "; ".join(problems))
    if taken == dict(campaign.survey.stand_ins):
        return campaign
    pairs = (f"{_toml_string(name)} = {_toml_string(band)}" for name, band in taken.items())
    return _with_line(campaign, "band_of_filter", "{ " + ", ".join(pairs) + " }")


def _with_line(campaign: Campaign, key: str, value: str) -> Campaign:
    """The campaign with one setting replaced in its file, or put before all others if it was not there."""
    settings = campaign.settings_path.read_text(encoding="utf-8")
    opening, closing = re.escape(value[0]), re.escape(value[-1])
    pattern = rf"(?ms)^{key}\s*=\s*{opening}.*?{closing}([ \t]*(?:#[^\n]*)?)$"
    replaced, count = re.subn(pattern, lambda found: f"{key} = {value}{found[1]}", settings, count=1)
    text = replaced if count else f"{key} = {value}\n{settings}"
    if _without(text, key) != _without(settings, key):
        raise CampaignError(
            f"{campaign.settings_path} has {key} in a form that is not rewritten: put {key} = {value} there yourself"
        )
    with written_atomically(campaign.settings_path) as partial:
        partial.write_text(text.rstrip() + "\n", encoding="utf-8")
    return open_campaign(campaign.path)


def _without(settings: str, key: str) -> dict[str, Any] | None:
    """The other settings; None if they are not valid TOML."""
    try:
        return {name: value for name, value in tomllib.loads(settings).items() if name != key}
    except tomllib.TOMLDecodeError:
        return None


def _survey(values: dict[str, Any]) -> Survey:
    """The survey, with the filters that the settings take for its bands."""
    survey = survey_named(values["survey"])
    return replace(survey, stand_ins=tuple(values.get("band_of_filter", {}).items()))


def _problems(values: dict[str, object]) -> Iterator[str]:
    # A misspelt setting must not leave the default in force: `reveel` would open a blind campaign.
    for key in sorted(values.keys() - set(_KEYS)):
        yield f"{key} is no setting; known are {', '.join(_KEYS)}"
    if values.get("survey") not in SURVEYS:
        yield f"survey is {values.get('survey')!r}; expected one of {', '.join(SURVEYS)}"
    if values.get("reveal", "open") not in REVEAL_POLICIES:
        yield f"reveal is {values.get('reveal')!r}; expected one of {', '.join(REVEAL_POLICIES)}"
    quorum = values.get("quorum", 1)
    if not isinstance(quorum, int) or isinstance(quorum, bool) or quorum < 1:
        yield f"quorum is {quorum!r}; expected a whole number from 1"
    prior = values.get("prior")
    if prior is not None and not (isinstance(prior, float) and 0 < prior < 1):
        yield f"prior is {prior!r}; expected a share of lenses between 0 and 1, such as 0.1"
    for key in ("models", "shown_columns", "sources"):
        listed = values.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
            yield f"{key} is not a list of texts"
    scales = values.get("pixel_scale_of_source", {})
    if not isinstance(scales, dict) or not all(_is_scale(scale) for scale in scales.values()):
        yield 'pixel_scale_of_source is not a table of arcsec such as { "/data/bare" = 0.05 }'
    yield from _sign_in_problems(values.get("sign_in", {}))
    if not isinstance(values.get("database", ""), str):
        yield "database is not text"
    address = values.get("cutouts", "")
    if not isinstance(address, str) or (address and "://" not in address):
        yield f"cutouts is {address!r:.80}; expected an address such as s3://bucket/cutouts.zarr"
    if values.get("survey") in SURVEYS:
        yield from _filter_problems(values.get("band_of_filter", {}), SURVEYS[str(values["survey"])])


def _sign_in_problems(services: object) -> Iterator[str]:
    if not isinstance(services, dict):
        yield "sign_in is no table of services"
        return
    for name, service in services.items():
        if not re.fullmatch(r"[a-z0-9-]{1,40}", name):
            yield f"sign_in.{name!r:.60}: a service's name has small letters, digits and hyphens"
        elif not isinstance(service, dict) or not all(isinstance(value, str) for value in service.values()):
            yield f"sign_in.{name} is no table of texts"
        elif set(service) - {"title", "kind", "issuer", "client_id"} or not service.get("client_id"):
            yield f"sign_in.{name} has {', '.join(service)}; expected client_id, issuer, and perhaps title and kind"
        elif service.get("kind", "openid") not in ("openid", "github"):
            yield f"sign_in.{name}.kind is {service['kind']!r:.40}; expected openid or github"
        elif service.get("kind") != "github" and not re.match(
            r"https://|http://(localhost|127\.0\.0\.1)[:/]", service.get("issuer", "")
        ):
            yield f"sign_in.{name}.issuer is {service.get('issuer', '')!r:.80}; expected an address that begins with https://"


def _is_scale(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and is_believable_scale(value)


def _filter_problems(band_of_filter: object, survey: Survey) -> Iterator[str]:
    if not isinstance(band_of_filter, dict):
        yield 'band_of_filter is not a table such as { F814W = "VIS" }'
        return
    bands = [band.name for band in survey.bands]
    for name, band in band_of_filter.items():
        if not name.strip():
            yield "band_of_filter names a filter without a name"
        elif survey.band(canonical_band(name, survey)) is not None:
            yield f"band_of_filter: {name} is a band of {survey.name} itself; expected a filter of another instrument"
        if band not in bands:
            yield f"band_of_filter: {name} is taken for {band!r}; expected one of {', '.join(bands)}"


def _identifier_of(path: Path) -> str:
    """For a campaign without an id of its own: told apart by its place, which is nobody's business."""
    return hashlib.blake2b(str(path.resolve()).encode(), digest_size=16).hexdigest()


def _toml_string(text: str) -> str:
    """A TOML basic string, escaped as the specification asks."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m.group()):04x}", escaped) + '"'
