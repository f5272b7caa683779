"""The columns of a vetted catalogue and of a list of votes: type, unit, UCD and description of each.

UCDs are words of the IVOA's UCD1+ (list 1.5). In an Arrow schema they stand in the metadata of each field.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from data.consensus import RULE
from data.votes import FLAGS

TEXT, REAL, WHOLE, TRUTH = pa.string(), pa.float64(), pa.int64(), pa.bool_()


@dataclass(frozen=True)
class ColumnDefinition:
    """One column. Text is null where there is none, never empty."""

    name: str
    kind: pa.DataType
    description: str
    ucd: str = ""
    unit: str = ""

    @property
    def field(self) -> pa.Field:
        return pa.field(self.name, self.kind, metadata=_metadata(self.description, self.ucd, self.unit))


_PREDICTED = "predicted position of the lens"

CATALOGUE_COLUMNS: tuple[ColumnDefinition, ...] = (
    ColumnDefinition("object_id", TEXT, "Identifier of the object", "meta.id;meta.main"),
    ColumnDefinition("ra_deg", REAL, "Right ascension of the object, ICRS", "pos.eq.ra;meta.main", "deg"),
    ColumnDefinition("dec_deg", REAL, "Declination of the object, ICRS", "pos.eq.dec;meta.main", "deg"),
    ColumnDefinition(
        "grade", TEXT, f"Final grade where there is one, else consensus grade: {RULE}", "src.class;meta.main"
    ),
    ColumnDefinition(
        "final_grade", TEXT, "Grade that the discussion in a group session came to", "src.class"
    ),
    ColumnDefinition("final_comment", TEXT, "Reason given for the final grade", "meta.note"),
    ColumnDefinition(
        "known", TEXT, "lens or nonlens for an object mixed into a group session as known", "meta.code.class"
    ),
    ColumnDefinition("mean_score", REAL, "Mean score, A = 3, B = 2, C = 1, X = 0", "src.class;stat.mean"),
    ColumnDefinition("score_error", REAL, "Standard error of the mean score", "stat.error;src.class"),
    ColumnDefinition("score_spread", REAL, "Largest minus smallest score", "src.class;stat.interval"),
    ColumnDefinition("n_votes", WHOLE, "Number of inspectors who graded the object", "meta.number"),
    *(
        ColumnDefinition(f"n_{g.lower()}", WHOLE, f"Number of grades {g}", "meta.number;src.class")
        for g in "ABCX"
    ),
    ColumnDefinition("n_blind", WHOLE, "Grades given before scores and maps were seen", "meta.number"),
    ColumnDefinition("n_skips", WHOLE, "Number of inspectors who skipped the object", "meta.number"),
    ColumnDefinition("contaminant", TEXT, "Contaminant class that most inspectors chose", "src.class"),
    ColumnDefinition("tags", TEXT, "Tags, most chosen first, separated by ;", "meta.code.class"),
    ColumnDefinition("flags", TEXT, "Flags, most chosen first, separated by ;", "meta.code.qual"),
    *(
        ColumnDefinition(f"n_{name}", WHOLE, f"Number of inspectors who flagged: {term.label}", "meta.number")
        for name, term in FLAGS.items()
    ),
    ColumnDefinition("comments", TEXT, "Comments of all inspectors, one after the other", "meta.note"),
    ColumnDefinition(
        "marks",
        TEXT,
        "Points that inspectors marked, JSON: kind, pixel of the reference band from 0, sky position in deg",
        "meta.note;pos.cartesian",
    ),
    ColumnDefinition(
        "p_lens", REAL, "Probability that the object is a lens, by the model", "stat.probability"
    ),
    ColumnDefinition("logit", REAL, "Output of the model before calibration", "stat.likelihood"),
    ColumnDefinition(
        "x_arcsec", REAL, f"{_PREDICTED}, from the cutout's centre to the right", "pos.cartesian.x", "arcsec"
    ),
    ColumnDefinition(
        "y_arcsec", REAL, f"{_PREDICTED}, from the cutout's centre upwards", "pos.cartesian.y", "arcsec"
    ),
    ColumnDefinition(
        "position_sigma_arcsec", REAL, f"Uncertainty per axis of the {_PREDICTED}", "stat.error;pos", "arcsec"
    ),
    ColumnDefinition(
        "x_px",
        REAL,
        f"{_PREDICTED}, pixel of the reference band from 0",
        "pos.cartesian.x;instr.pixel",
        "pix",
    ),
    ColumnDefinition(
        "y_px",
        REAL,
        f"{_PREDICTED}, pixel of the reference band from 0",
        "pos.cartesian.y;instr.pixel",
        "pix",
    ),
    ColumnDefinition("predicted_ra_deg", REAL, f"{_PREDICTED}, ICRS", "pos.eq.ra;meta.modelled", "deg"),
    ColumnDefinition("predicted_dec_deg", REAL, f"{_PREDICTED}, ICRS", "pos.eq.dec;meta.modelled", "deg"),
    ColumnDefinition(
        "where_why",
        REAL,
        "How well predicted position and explanation maps agree, 0 to 1",
        "stat.fit.goodness",
    ),
    ColumnDefinition(
        "bands_missing", TEXT, "Bands that the model judged without, separated by ,", "instr.bandpass"
    ),
    ColumnDefinition("no_score_reason", TEXT, "Why the model gave no score", "meta.note"),
    ColumnDefinition("model_version", TEXT, "Model that gave the score", "meta.version;meta.software"),
    ColumnDefinition(
        "known_lens", TEXT, "Nearest lens of the catalogue of known lenses, all its names", "meta.id.cross"
    ),
    ColumnDefinition(
        "known_lens_grading", TEXT, "What that catalogue says of it, such as confident", "meta.code.class"
    ),
    ColumnDefinition("known_lens_arcsec", REAL, "Distance to it on the sky", "pos.angDistance", "arcsec"),
    ColumnDefinition("known_lens_reference", TEXT, "Where it was published", "meta.bib"),
    ColumnDefinition(
        "duplicate_of", TEXT, "First object of the catalogue at the same place", "meta.id.cross"
    ),
    ColumnDefinition("duplicate_arcsec", REAL, "Distance to it on the sky", "pos.angDistance", "arcsec"),
)

VOTE_COLUMNS: tuple[ColumnDefinition, ...] = (
    ColumnDefinition("vote_id", TEXT, "Identifier of the vote (UUID)", "meta.id;meta.main"),
    ColumnDefinition("object_id", TEXT, "Identifier of the object", "meta.id"),
    ColumnDefinition("inspector", TEXT, "Who voted", "meta.curation"),
    ColumnDefinition("phase", TEXT, "Whether scores and maps were hidden (blind) or seen", "meta.code"),
    ColumnDefinition("kind", TEXT, "grade, skip, or undo of the vote that it supersedes", "meta.code"),
    ColumnDefinition("grade", TEXT, "A sure, B probable, C possible, X not a lens", "src.class"),
    ColumnDefinition("is_current", TRUTH, "Neither an undo nor undone nor superseded", "meta.code.status"),
    ColumnDefinition("created_at", TEXT, "When the server received it, UTC", "time.creation"),
    ColumnDefinition("session_id", TEXT, "Session in which it was given", "meta.id"),
    ColumnDefinition("contaminant", TEXT, "Contaminant class", "src.class"),
    ColumnDefinition("tags", TEXT, "Tags, separated by ;", "meta.code.class"),
    ColumnDefinition(
        "marks",
        TEXT,
        "Marked points, JSON: kind, pixel of the reference band from 0, sky position in deg",
        "meta.note;pos.cartesian",
    ),
    ColumnDefinition("flag", TEXT, "What the network got wrong", "meta.code.qual"),
    ColumnDefinition("comment", TEXT, "Comment", "meta.note"),
    ColumnDefinition("elapsed_ms", WHOLE, "Time taken for the decision", "time.duration", "ms"),
    ColumnDefinition("planes_hash", TEXT, "Digest of the pixels that were shown", "meta.checksum"),
    ColumnDefinition("model_version", TEXT, "Model whose results were shown", "meta.version;meta.software"),
    ColumnDefinition("supersedes", TEXT, "The vote that this one revises or undoes", "meta.id.assoc"),
)


def described(field: pa.Field) -> dict[str, str]:
    """What is known of a column: `description`, `ucd` and `unit`, those that it has."""
    return {name.decode(): value.decode() for name, value in (field.metadata or {}).items()}


def own_column(name: str, kind: pa.DataType) -> pa.Field:
    """The field of a column that came with the survey's catalogue."""
    return pa.field(name, kind, metadata=_metadata("Column of the survey's catalogue", "", ""))


def free_name(name: str, taken: Iterable[str]) -> str:
    """A name that is not taken: `cat_` is put before it, then a number after it. Capitals make no difference.

    >>> free_name("Grade", ["grade"])
    'cat_Grade'
    """
    lowered = {other.lower() for other in taken}
    candidates = (name, f"cat_{name}", *(f"cat_{name}_{number}" for number in range(2, 10_000)))
    return next(candidate for candidate in candidates if candidate.lower() not in lowered)


def _metadata(description: str, ucd: str, unit: str) -> dict[str, str]:
    values = {"description": description[:1].upper() + description[1:], "ucd": ucd, "unit": unit}
    return {name: value for name, value in values.items() if value}
