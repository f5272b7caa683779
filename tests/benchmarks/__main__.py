"""`make bench`: runs every benchmark, prints the table, writes build/bench.json; all is measured in this run."""

import importlib
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.rows import Row

BENCHMARKS = (
    "ingest",
    "simulation",
    "scoring",
    "explain",
    "labels",
    "server",
    "browser",
    "mosaic",
    "group",
    "survey",
    "crossmatch",
)
OUT = Path("build") / "bench.json"


def main(names: list[str]) -> int:
    """Run the benchmarks named, all if none is; 1 if a target was missed."""
    console = Console(width=150)
    rows: list[Row] = []
    for name in names or BENCHMARKS:
        console.print(f"[dim]{name} …[/dim]")
        rows += importlib.import_module(f"tests.benchmarks.{name}").bench()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    console.print(table_of(rows))
    return 0 if all(row["holds"] for row in rows) else 1


def table_of(rows: list[Row]) -> Table:
    """The rows as people read them."""
    table = Table("what", "measured", "unit", "against", "target", "holds")
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['value']:.3g}",
            row["unit"],
            row["reference"],
            row["target"],
            "yes" if row["holds"] else "NO",
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
