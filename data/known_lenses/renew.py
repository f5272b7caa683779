"""Make the shipped snapshot of lenscat again: `python -m data.known_lenses.renew catalog.csv 1.1.3` (its release)."""

import sys
from pathlib import Path

from data.known_lenses import LENSCAT, read_known_lenses


def main(csv: str, version: str) -> None:
    """Write the snapshot beside this module."""
    lenses = read_known_lenses(Path(csv), title="lenscat", version=version)
    lenses.save(LENSCAT)
    print(f"{LENSCAT}: {len(lenses):,} lenses of {lenses.edition}; now state the release in lenscat.md")


if __name__ == "__main__":
    main(*sys.argv[1:])
