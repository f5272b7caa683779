"""What the server holds for one campaign, made once by `create_app` and shared by all its requests.

Nothing in `dashboard` is kept at module level; whatever changes hangs here and is safe from several threads.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dashboard.dreamer import Dreamer
from dashboard.errors import BadRequestError, UnknownMapError, UnknownObjectError
from dashboard.experimenter import Experimenter
from dashboard.explainer import Explainer
from dashboard.live_catalogue import Catalogue, LiveCatalogue
from dashboard.live_crossmatch import LiveCrossmatch
from dashboard.live_inspections import LiveInspections
from dashboard.live_scores import LiveScores, ScoreColumns
from dashboard.live_table import LiveTable
from dashboard.presenting import Presenter
from dashboard.queue_order import Order, completed, ranked
from dashboard.secret import secret_of
from dashboard.signing_in import SigningIn
from dashboard.tickets import Tickets
from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.cutouts import Plane, planes_hash
from data.errors import StoreError
from data.filters import Every
from data.label_store import LabelStore
from data.objects import StoredObject, object_in_row
from data.people_store import PeopleStore
from data.survey_table import DISAGREEMENT, NEAR_LENS
from lensmodel.errors import ModelError
from lensmodel.explain import COARSE, METHODS, find_method, methods_for, store_name
from lensmodel.models import DEFAULT_MODEL, ModelCard, model_named

if TYPE_CHECKING:
    from dashboard.judgements import Judgements
    from dashboard.live_survey import LiveSurvey
    from dashboard.openid import OpenId

RANKINGS_KEPT = 8
CHUNKS_KEPT_BYTES = 32 * 2**20  # a page of a hundred neighbours, and what was shown around it


def openid_of(campaign: Campaign, secret: bytes) -> "OpenId":
    """The services with which people sign in; what they need takes a while to import."""
    from dashboard.openid import OpenId

    return OpenId(dict(campaign.sign_in), campaign.path, secret)


@dataclass(frozen=True)
class Queue:
    """One order of the campaign. rows : catalogue rows, first to last. scores : None if there are none."""

    catalogue: Catalogue
    rows: NDArray[np.int64]
    scores: ScoreColumns | None
    version: str


class ServerState:
    """One campaign being vetted: its objects, scores, cutouts and votes as they are now.

    inspector : the name of whoever has not said another one (the person who started the server).
    signs_in : people have accounts and sign in; else a name is enough.
    """

    def __init__(self, campaign: Campaign, *, inspector: str, signs_in: bool = False) -> None:
        self.campaign = campaign
        self.inspector = inspector
        self.labels = LabelStore.open(campaign.database_url)
        self.people = PeopleStore(self.labels.engine)
        self.inspections = LiveInspections(self.labels)
        secret = secret_of(campaign.path)
        self.tickets = Tickets(secret)
        self.signing_in = SigningIn(self.people, secret, campaign.identifier) if signs_in else None
        self.openid = openid_of(campaign, secret) if signs_in and campaign.sign_in else None
        self.catalogue = LiveCatalogue(campaign.catalogue_path)
        self.scores = LiveScores(campaign)
        self.table = LiveTable(campaign, self.labels)
        self.crossmatch = LiveCrossmatch(campaign, self.table.prepare_crossmatch)
        self.explainer = Explainer(campaign)
        self.experimenter = Experimenter(campaign)
        self.dreamer = Dreamer(campaign)
        self.is_closing = False
        self._presenters: dict[str, Presenter] = {}
        self._lock = threading.Lock()
        self._cutouts: CutoutStore | None = None
        self._cards: dict[str, ModelCard] = {}
        self._rankings: dict[tuple[str, str | None, int, str], NDArray[np.int64]] = {}

    def presenter(self, session_id: str) -> Presenter:
        """What is presented in a group session."""
        return self._presenters.setdefault(session_id, Presenter())

    def close(self) -> None:
        """Stop the worker processes and give back the database."""
        self.is_closing = True
        self.crossmatch.close()
        with ThreadPoolExecutor() as closing:  # a process may take seconds to end
            closing.submit(self.explainer.close)
            closing.submit(self.experimenter.close)
            closing.submit(self.dreamer.close)
            closing.submit(self.table.close)
            if "judgements" in self.__dict__:
                closing.submit(self.judgements.close)
            if "survey" in self.__dict__:
                closing.submit(self.survey.close)
        self.labels.close()

    @cached_property
    def judgements(self) -> "Judgements":
        """What the models say of objects of known class; made when somebody first asks."""
        from dashboard.judgements import Judgements

        return Judgements(self)

    @cached_property
    def survey(self) -> "LiveSurvey":
        """All objects as numbers in memory, for plots; made when somebody first asks."""
        from dashboard.live_survey import LiveSurvey

        return LiveSurvey(self)

    @property
    def is_blind_first(self) -> bool:
        """Whether scores, maps and other people's votes wait for the inspector's own grade."""
        return self.campaign.reveal == "after-grade"

    def stored(self, object_id: str) -> StoredObject:
        """The object of that id.

        Raises
        ------
        UnknownObjectError
            If the campaign has none.
        """
        found = self.stored_by_id([object_id])
        if not found:
            raise UnknownObjectError(object_id)
        return found[object_id]

    def stored_by_id(self, object_ids: Sequence[str]) -> dict[str, StoredObject]:
        """The objects of these ids; one that the campaign does not have is left out."""
        return {one.object_id: one for one in self.catalogue.now().table.rows_of(object_ids)}

    def stored_in(self, row: int, object_id: str) -> StoredObject:
        """The object of that id, which a survey table found in a row of the catalogue: without reading all ids.

        Raises
        ------
        UnknownObjectError
            If the campaign has none.
        """
        found = object_in_row(self.campaign.catalogue_path, row)
        return found if found is not None and found.object_id == object_id else self.stored(object_id)

    def planes(self, stored: StoredObject) -> dict[str, Plane]:
        """The planes of an object by band."""
        planes = self._opened_cutouts().read(stored)
        is_damaged = planes_hash(planes) != stored.planes_hash
        if is_damaged:
            # Perhaps a chunk was kept from before these rows were written: read what is on disk now.
            planes = self._opened_cutouts(anew=True).read(stored)
            is_damaged = planes_hash(planes) != stored.planes_hash
        if is_damaged:
            raise StoreError(
                f"the stored planes of {stored.object_id[:80]!r} are damaged: restore cutouts.zarr from a backup, "
                "or ingest the object into a new campaign"
            )
        return planes

    def scored_versions(self) -> list[str]:
        """Model versions with scores here: those that the campaign names, our own network, then the newest."""
        preferred = (*self.campaign.models, DEFAULT_MODEL)
        place = {name: index for index, name in reversed(list(enumerate(preferred)))}
        newest_first = self.scores.versions()[::-1]
        return sorted(newest_first, key=lambda version: place.get(version.rpartition("-")[0], len(preferred)))

    def card(self, model_version: str) -> ModelCard | None:
        """The card of a version that was scored here, None if this machine does not have the model."""
        if model_version not in self._cards:
            try:
                self._cards[model_version] = model_named(model_version)
            except ModelError:
                return None
        return self._cards[model_version]

    def version_of(self, model: str) -> str:
        """The version with scores here of a model that a request names by version or name.

        Raises
        ------
        BadRequestError
            If no such model has scored this campaign.
        """
        versions = self.scored_versions()
        found = [version for version in versions if model in (version, self.name_of(version))]
        if not found:
            listed = ", ".join(versions) or "none yet"
            raise BadRequestError(f"model is {model!r:.80}; scores here are by {listed}")
        return found[0]

    def name_of(self, model_version: str) -> str:
        """The model's name, or its version where this machine does not have the model."""
        card = self.card(model_version)
        return card.name if card else model_version

    def version_with_method(self, model: str, method: str) -> str:
        """The version of a model named in an address, if it has that method of explanation.

        Raises
        ------
        UnknownMapError
            If there is no such model or method, or the model has no such method.
        """
        if find_method(method) is None:
            raise UnknownMapError(
                f"method is {method!r:.40}; expected one of {', '.join(METHODS)}, or occlusion-BAND"
            )
        card = self.card(model)
        if card is None and model not in self.scored_versions():
            raise UnknownMapError(
                f"model {model!r:.80} is not known here: lensvet models lists what there is"
            )
        if card is not None and method not in methods_for(card):
            raise UnknownMapError(f"{card.title} has no {method}; it has {', '.join(methods_for(card))}")
        return card.version if card else model

    def runnable_card(self, model: str) -> ModelCard:
        """The card of a model named in a request.

        Raises
        ------
        UnknownMapError
            If this machine does not have it.
        """
        card = self.card(model)
        if card is None:
            raise UnknownMapError(f"model {model!r:.80} is not here: lensvet models lists what there is")
        return card

    def map(
        self, model_version: str, method: str, stored: StoredObject, *, coarse: bool = False
    ) -> NDArray[np.float32] | None:
        """A map that was computed before, the coarse one if that is asked for, or None."""
        from data.maps import MapStore

        path = self.campaign.maps_path(model_version, store_name(method, COARSE if coarse else None))
        found = find_method(method)
        if found is None or not path.exists():
            return None
        return MapStore(path, signed=found.signed, unit=found.unit).read(stored)

    def maps(
        self, model_version: str, method: str, stored: Sequence[StoredObject]
    ) -> list[NDArray[np.float32] | None]:
        """Maps of several objects that were computed before, None for each that was not."""
        from data.maps import MapStore

        found = find_method(method)
        path = self.campaign.maps_path(model_version, store_name(method, None))
        if found is None or not path.exists():
            return [None] * len(stored)
        return MapStore(path, signed=found.signed, unit=found.unit).read_many(stored)

    def reference_scale_arcsec(self, stored: StoredObject) -> float:
        """Pixel scale of the band on whose grid maps lie, NaN if unknown."""
        band = self.campaign.survey.reference_among(stored.bands)
        return self._opened_cutouts().pixel_scale_arcsec(stored.cutout_group, band)

    def queue(self, order: Order, *, model_version: str | None, seed: int) -> Queue:
        """The campaign in that order; a ranking is computed once for each state of the scores.

        Raises
        ------
        BadRequestError
            If the survey table has not what the order needs.
        ServeError
            If there is no survey table yet.
        """
        catalogue = self.catalogue.now()
        scores = self.scores.columns(model_version, catalogue) if model_version else None
        version = scores.version if scores else f"{catalogue.version}.0"
        table = None if order.of_table is None else self.table.now(model_version)
        if table is not None:
            version = f"{version}.{table.version}"
        key = (order.name, model_version, seed, version)
        with self._lock:
            rows = self._rankings.get(key)
        if rows is None:
            if table is None or order.of_table is None:
                rows = ranked(order, count=len(catalogue), scores=scores, seed=seed)
            elif order.of_table.column not in table.kinds:
                raise BadRequestError(f"order {order.name} is not there: {order.needs}")
            else:
                rows = completed(table.rows(Every(), order=order.of_table), len(catalogue))
            self._keep(key, rows)
        return Queue(catalogue, rows, scores, version)

    def offers(self, order: Order) -> bool:
        """Whether some model's survey table has what an order needs, as far as files tell; no table is made."""
        versions = self.scored_versions()
        if order.of_table is not None and order.of_table.column == DISAGREEMENT:
            return len(versions) > 1
        if order.of_table is not None and order.of_table.column == NEAR_LENS:
            return any(self.campaign.features_path(version).is_dir() for version in versions)
        return True

    def _opened_cutouts(self, *, anew: bool = False) -> CutoutStore:
        with self._lock:
            if self._cutouts is None or anew:
                self._cutouts = self.campaign.cutouts(keep_bytes=CHUNKS_KEPT_BYTES)
            return self._cutouts

    def _keep(self, key: tuple[str, str | None, int, str], rows: NDArray[np.int64]) -> None:
        with self._lock:
            self._rankings[key] = rows
            while len(self._rankings) > RANKINGS_KEPT:
                del self._rankings[next(iter(self._rankings))]
