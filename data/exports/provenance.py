"""Where a table comes from: what stands in the header of every file that can have one."""

import json
from datetime import datetime
from importlib.metadata import version

import pyarrow as pa
import pyarrow.compute as pc

from data import crossmatch
from data.campaign import Campaign
from data.consensus import RULE
from data.label_store import LabelStore
from data.priors import prior_of
from data.votes import GRADES

Provenance = dict[str, str | int]

_KEY = b"lensvet"


def provenance_of(campaign: Campaign, store: LabelStore, table: pa.Table, *, now: datetime) -> Provenance:
    """What is worth knowing in ten years about a table of `data.catalogue`.

    objects, votes : in this table. inspectors : who voted in this campaign.
    """
    is_catalogue = "n_votes" in table.column_names
    ids = table["object_id"]
    return {
        "origin": f"LensVet {version('lensvet')}",
        "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
        "campaign": campaign.title,
        "survey": campaign.survey.title,
        "contents": "one row per object" if is_catalogue else "one row per vote",
        "objects": len(ids) if is_catalogue else len(pc.unique(ids)),
        "votes": (pc.sum(table["n_votes"]).as_py() or 0) if is_catalogue else len(ids),
        "inspectors": store.counts().inspectors,
        "reveal": campaign.reveal,
        "quorum": campaign.quorum,
        **{
            f"rubric_{name.lower()}": f"{name} {term.label}: {term.definition}"
            for name, term in GRADES.items()
        },
        **({"consensus": RULE, **_model(campaign, table), **_compared(campaign)} if is_catalogue else {}),
    }


def with_provenance(table: pa.Table, provenance: Provenance) -> pa.Table:
    """The table with its provenance in the metadata of its schema."""
    return table.replace_schema_metadata({_KEY: json.dumps(provenance)})


def provenance_in(table: pa.Table) -> Provenance:
    """The provenance that the table carries, empty if none."""
    found: Provenance = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    return found


def _model(campaign: Campaign, table: pa.Table) -> Provenance:
    """The model whose scores the table has, and the digest of its weights, as far as it is known."""
    versions = pc.unique(table["model_version"].drop_null()).to_pylist()
    if not versions:
        return {"model": "none"}
    (model,) = versions
    prior = prior_of(campaign, model)
    stated = {} if prior is None else {"p_lens_prior": f"{prior:g}"}
    return {"model": model, "model_sha256": _digest(campaign, model), **stated}


def _compared(campaign: Campaign) -> Provenance:
    """With what the catalogue was compared."""
    made = crossmatch.made_of_in(campaign.crossmatch_path)
    return {} if made is None else {"crossmatch": crossmatch.in_words(made)}


def _digest(campaign: Campaign, model: str) -> str:
    try:
        card = json.loads((campaign.scores_path(model) / "model.json").read_text(encoding="utf-8"))
        return str(card["sha256"])
    except (OSError, ValueError, KeyError):
        return model.rpartition("-")[2]
