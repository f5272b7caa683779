"""What is known of the objects of a campaign: class, subtype, place, and what the figures may depend on."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.campaign import Campaign
from data.objects import ObjectTable
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.colours import measured_colour_mag
from lensmodel.evaluation.metrics import Claims, Numbers

_CLASSES = {"lens": True, "nonlens": False, "non-lens": False}


@dataclass(frozen=True)
class Truth:
    """The objects whose class is known, (object,) each; NaN where a number does not apply or is not known.

    quantities : by the names of `breakdowns.QUANTITIES`, those that are known here.
    """

    object_ids: NDArray[np.str_]
    is_lens: Claims
    subtype: NDArray[np.str_]
    x_arcsec: Numbers
    y_arcsec: Numbers
    quantities: dict[str, Numbers]

    def __len__(self) -> int:
        return len(self.object_ids)

    def take(self, rows: NDArray[np.int64] | Claims) -> "Truth":
        """These objects only; rows may repeat."""
        return replace(
            self,
            object_ids=self.object_ids[rows],
            is_lens=self.is_lens[rows],
            subtype=self.subtype[rows],
            x_arcsec=self.x_arcsec[rows],
            y_arcsec=self.y_arcsec[rows],
            quantities={name: values[rows] for name, values in self.quantities.items()},
        )


def truth_of(campaign: Campaign) -> Truth:
    """The truth columns of the catalogue: class, subtype, theta_E_arcsec, lens_x_arcsec, lens_y_arcsec, sim_*.

    Objects whose class is null are left out.

    Raises
    ------
    EvaluationError
        If the catalogue has no class, or another than lens and nonlens.
    """
    objects = campaign.objects()
    table = _with_class(objects.table, campaign)
    objects = ObjectTable(table)
    x_arcsec, y_arcsec = _numbers(table, "lens_x_arcsec"), _numbers(table, "lens_y_arcsec")
    quantities = {
        "theta_E_arcsec": _numbers(table, "theta_E_arcsec"),
        "arc_snr": _numbers(table, _column_about(table, "snr")),
        "colour_mag": _colour_mag(campaign, objects, x_arcsec, y_arcsec),
        "distance_arcsec": np.hypot(x_arcsec, y_arcsec),
    }
    classes = [_class_of(text) for text in table["class"].to_pylist()]
    subtypes = table["subtype"].to_pylist() if "subtype" in table.column_names else [None] * len(classes)
    return Truth(
        object_ids=np.array(table["object_id"].to_pylist(), np.str_),
        is_lens=np.array(classes, bool),
        subtype=np.array(
            [
                subtype or ("lens" if is_lens else "nonlens")
                for subtype, is_lens in zip(subtypes, classes, strict=True)
            ],
            np.str_,
        ),
        x_arcsec=x_arcsec,
        y_arcsec=y_arcsec,
        quantities={name: values for name, values in quantities.items() if np.isfinite(values).any()},
    )


def _with_class(table: pa.Table, campaign: Campaign) -> pa.Table:
    """The rows whose class is known."""
    if not table.num_rows:
        raise EvaluationError(f"{campaign.path} has no objects: lensvet simulate {campaign.path} makes some")
    known = table.filter(table["class"].is_valid()) if "class" in table.column_names else table.slice(0, 0)
    if not known.num_rows:
        raise EvaluationError(
            f"{campaign.path} has no truth: its catalogue needs a column class that says lens or nonlens; "
            "ingest with a --catalogue that has it, or evaluate on a campaign of lensvet simulate"
        )
    strange = sorted({str(text) for text in known["class"].to_pylist()} - set(_CLASSES))
    if strange:
        raise EvaluationError(
            f"{campaign.path} has class {strange[0][:40]!r}; expected lens or nonlens: correct the catalogue"
        )
    return known


def _class_of(text: object) -> bool:
    return _CLASSES[str(text)]


def _column_about(table: pa.Table, word: str) -> str:
    """The simulation's column with this word in its name, the most general if there are several; else the word."""
    named = [name for name in table.column_names if name.startswith("sim_") and word in name]
    return min(named, key=len, default=word)


def _colour_mag(campaign: Campaign, objects: ObjectTable, x_arcsec: Numbers, y_arcsec: Numbers) -> Numbers:
    """As the simulation states it, else as measured on the cutouts."""
    stated = _numbers(objects.table, _column_about(objects.table, "colour"))
    if np.isfinite(stated).any():
        return stated
    return measured_colour_mag(campaign, objects, x_arcsec, y_arcsec)


def _numbers(table: pa.Table, name: str) -> Numbers:
    """A column as float64, NaN for null, for text and for a column that is not there."""
    if name not in table.column_names or not _is_number(table.schema.field(name).type):
        return np.full(table.num_rows, np.nan)
    values = table[name].to_pylist()
    return np.array([np.nan if value is None else float(value) for value in values], np.float64)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
