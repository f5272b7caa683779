"""What is known of the objects of a campaign: class, subtype, place, and what the figures may depend on."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.campaign import Campaign
from data.objects import ObjectTable
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.colours import measured_colour_mag
from lensmodel.evaluation.metrics import Claims, Numbers

_MEMBER_COLUMN = re.compile(r"sim_member_(\d+)_[xy]_arcsec")
_CLASSES = {"lens": True, "nonlens": False, "non-lens": False}


@dataclass(frozen=True)
class Truth:
    """The objects whose class is known, (object,) each; NaN where a number does not apply or is not known.

    twin_ids : the object that is the same with or without its source, empty if there is none.
    member_x_arcsec, member_y_arcsec : the other galaxies of a group lens, (object, member). member_fainter_mag : by how
        much they are fainter than the main deflector in the reference band.
    is_detectable : whether the arcs can be seen; true if nobody says that they cannot.
    quantities : by the names of `breakdowns.QUANTITIES`, those that are known here.
    categories : by the names of `breakdowns.CATEGORIES`, those that are known here; empty text if not of an object.
    colour : the bands of the colours, such as VIS - H.
    """

    object_ids: NDArray[np.str_]
    is_lens: Claims
    subtype: NDArray[np.str_]
    x_arcsec: Numbers
    y_arcsec: Numbers
    twin_ids: NDArray[np.str_]
    member_x_arcsec: Numbers
    member_y_arcsec: Numbers
    member_fainter_mag: Numbers
    is_detectable: Claims
    quantities: dict[str, Numbers]
    categories: dict[str, NDArray[np.str_]]
    colour: str

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
            twin_ids=self.twin_ids[rows],
            member_x_arcsec=self.member_x_arcsec[rows],
            member_y_arcsec=self.member_y_arcsec[rows],
            member_fainter_mag=self.member_fainter_mag[rows],
            is_detectable=self.is_detectable[rows],
            quantities={name: values[rows] for name, values in self.quantities.items()},
            categories={name: values[rows] for name, values in self.categories.items()},
        )


def truth_of(
    campaign: Campaign,
    *,
    detectable_only: bool = False,
    with_quantities: bool = True,
    measure_colours: bool = True,
    objects: ObjectTable | None = None,
) -> Truth:
    """The truth columns of the catalogue: class, subtype, theta_E_arcsec, lens_x_arcsec, lens_y_arcsec, sim_*.

    Objects whose class is null are left out.
    detectable_only : leave out lenses whose arcs nobody could see (`data.simulations.arcs` has the rule); all
        non-lenses stay.
    with_quantities : without them no cutout is read.
    measure_colours : without, no cutout is read, and the colour of an object is known only if the catalogue states it.
    objects : the campaign's, if they were read before.

    Raises
    ------
    EvaluationError
        If the catalogue has no class, or another than lens and nonlens, or does not say what is detectable.
    """
    table = _with_class((objects or campaign.objects()).table, campaign)
    if detectable_only:
        table = _with_detectable_arcs(table, campaign)
    x_arcsec, y_arcsec = _numbers(table, "lens_x_arcsec"), _numbers(table, "lens_y_arcsec")
    quantities = _quantities(campaign, table) if with_quantities else {}
    if with_quantities and measure_colours and "colour_mag" not in quantities:
        colour_mag = measured_colour_mag(campaign, ObjectTable(table), x_arcsec, y_arcsec)
        quantities |= _known({"colour_mag": colour_mag})
    red, _, blue = campaign.survey.composite
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
        twin_ids=_texts(table, "sim_twin"),
        member_x_arcsec=_of_members(table, "x_arcsec"),
        member_y_arcsec=_of_members(table, "y_arcsec"),
        member_fainter_mag=_of_members(table, "mag_vis") - _numbers(table, "mag_vis")[:, None],
        is_detectable=_numbers(table, "sim_arc_is_detectable") != 0,
        quantities=quantities,
        categories=_categories(table),
        colour=f"{blue} \u2212 {red}",
    )


def _quantities(campaign: Campaign, table: pa.Table) -> dict[str, Numbers]:
    """Those that the catalogue states of some object."""
    return _known(
        {
            "theta_E_arcsec": _numbers(table, "theta_E_arcsec"),
            "arc_snr": _numbers(table, _column_about(table, "snr")),
            "arc_colour_mag": _arc_colour_mag(campaign, table),
            "source_mag": _numbers(table, f"sim_source_mag_{campaign.survey.reference_band.lower()}"),
            "colour_mag": _numbers(table, _column_about(table, "colour")),
            "psf_fwhm_arcsec": _numbers(table, _column_about(table, "psf_fwhm_arcsec")),
            "distance_arcsec": np.hypot(_numbers(table, "lens_x_arcsec"), _numbers(table, "lens_y_arcsec")),
        }
    )


def _known(quantities: dict[str, Numbers]) -> dict[str, Numbers]:
    return {name: values for name, values in quantities.items() if np.isfinite(values).any()}


def _categories(table: pa.Table) -> dict[str, NDArray[np.str_]]:
    """Those that are known of some object."""
    is_red = _numbers(table, "sim_source_is_red")
    source_colour = np.select([is_red == 1, is_red == 0], ["red", "blue"], "")
    return {"source_colour": source_colour} if (source_colour != "").any() else {}


def _of_members(table: pa.Table, what: str) -> Numbers:
    """A column of the other galaxies of a group, (object, member), as many as are named."""
    found = (_MEMBER_COLUMN.fullmatch(name) for name in table.column_names)
    numbers = sorted({int(match[1]) for match in found if match})
    columns = [_numbers(table, f"sim_member_{number}_{what}") for number in numbers]
    return np.stack(columns, axis=1) if columns else np.full((table.num_rows, 0), np.nan)


def _arc_colour_mag(campaign: Campaign, table: pa.Table) -> Numbers:
    """Of the lensed light, which has the colour of its source; NaN where it has no S/N in one of the bands."""
    red, _, blue = campaign.survey.composite
    mag, snr = (
        {band: _numbers(table, f"sim_arc_{what}_{band.lower()}") for band in (blue, red)}
        for what in ("mag", "snr")
    )
    is_seen = (snr[blue] > 0) & (snr[red] > 0)
    return np.where(is_seen, mag[blue] - mag[red], np.nan)


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


def _with_detectable_arcs(table: pa.Table, campaign: Campaign) -> pa.Table:
    """All but the lenses of undetectable arcs."""
    if "sim_arc_is_detectable" not in table.column_names:
        raise EvaluationError(
            f"{campaign.path} does not say which arcs are detectable: its catalogue needs a column "
            "sim_arc_is_detectable, which lensvet simulate writes"
        )
    is_lens = np.array([_class_of(text) for text in table["class"].to_pylist()], bool)
    return table.filter(pa.array(~is_lens | (_numbers(table, "sim_arc_is_detectable") == 1)))


def _class_of(text: object) -> bool:
    return _CLASSES[str(text)]


def _column_about(table: pa.Table, word: str) -> str:
    """The simulation's column with this word in its name, the most general if there are several; else the word."""
    named = [name for name in table.column_names if name.startswith("sim_") and word in name]
    return min(named, key=len, default=word)


def _texts(table: pa.Table, name: str) -> NDArray[np.str_]:
    """A column as text, empty for null and for a column that is not there."""
    if name not in table.column_names:
        return np.full(table.num_rows, "", np.str_)
    return np.array([text or "" for text in table[name].cast(pa.string()).to_pylist()], np.str_)


def _numbers(table: pa.Table, name: str) -> Numbers:
    """A column as float64, NaN for null, for text and for a column that is not there."""
    if name not in table.column_names or pa.types.is_null(table.schema.field(name).type):
        return np.full(table.num_rows, np.nan)
    if not _is_number(table.schema.field(name).type):
        raise EvaluationError(f"the catalogue's column {name} is not of numbers: correct it and ingest again")
    values: Numbers = table[name].cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
