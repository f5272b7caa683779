"""CSV and ECSV. CSV has values only; ECSV (Astropy's APE 6) has units, descriptions and provenance above.

Values stand in both as they are, text in quotes, missing values as nothing. Astropy's readers drop spaces
round text and change line ends: ECSV therefore keeps a column with such text as JSON. CSV has no such way:
read it with `Table.read(path, format="pandas.csv")`, or choose another format.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data.catalogue_columns import TEXT
from data.exports.astropy_header import header_lines

# What a spreadsheet takes for the start of a formula, or drops before one (OWASP, CSV injection).
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
# Space at either end, and characters that some reader takes for the end of a line.
_FRAGILE = r"^[\s\pZ]|[\s\pZ]\z|[\x0b\x0c\r\x1c-\x1f\x{85}\x{2028}\x{2029}]"


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a header line and one line per row."""
    pyarrow.csv.write_csv(_with_words_for_truth(table), path)


def write_ecsv(table: pa.Table, path: Path) -> None:
    """Write ECSV 1.0 with commas, which every CSV reader that skips # lines reads as well."""
    as_json = {field.name for field in table.schema if field.type == TEXT and _is_fragile(table[field.name])}
    header = ["%ECSV 1.0", "---", "delimiter: ','", *header_lines(table, as_json=as_json)]
    with path.open("wb") as opened:
        opened.write("".join(f"# {line}\n" for line in header).encode())
        pyarrow.csv.write_csv(_with_words_for_truth(_with_json(table, as_json)), opened)


def spreadsheet_safe(table: pa.Table) -> pa.Table:
    """The table with ' before each text that a spreadsheet would run as a formula."""
    for index, field in enumerate(table.schema):
        if field.type == TEXT:
            safe = pc.replace_substring_regex(table[field.name], rf"({_FORMULA})", r"'\1")
            table = table.set_column(index, field, safe)
    names = [
        f"'{name}" if pc.match_substring_regex(name, _FORMULA).as_py() else name
        for name in table.column_names
    ]
    return table.rename_columns(names)


def _is_fragile(texts: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, _FRAGILE)).as_py())


def _with_json(table: pa.Table, names: set[str]) -> pa.Table:
    for name in names:
        texts = (None if text is None else json.dumps(text) for text in table[name].to_pylist())
        table = table.set_column(table.column_names.index(name), name, pa.array(texts, TEXT))
    return table


def _with_words_for_truth(table: pa.Table) -> pa.Table:
    """Truth values as Python and Astropy write them, True and False."""
    for index, field in enumerate(table.schema):
        if pa.types.is_boolean(field.type):
            table = table.set_column(index, field.name, pc.if_else(table[field.name], "True", "False"))
    return table
