"""Make ``tcs-sans-sc.ttf`` from Noto Sans SC Regular.

The source is the static font that the wheel ``zhplot`` 1.0.0 carries (Noto Sans SC 2.004, SIL Open Font License 1.1,
see ``OFL.txt``). To make the subset again::

    pip download --no-deps zhplot==1.0.0
    python -m zipfile -e zhplot-1.0.0-py3-none-any.whl made
    PYTHONPATH=. python tests/reference/fonts/make_subset.py made/zhplot/fonts/NotoSansSC-Regular.ttf

Kept are the 7,445 signs of GB 2312 (6,763 Chinese characters, punctuation, Greek), ASCII, and the signs the report
draws besides. Layout features and hints go: figures need widths and outlines only. The family gets a name of its own,
so that no other version of Noto Sans SC on a machine is taken for it.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from tcslib.report.fonts import FAMILY, FILE

_MORE = "—–−≈²³¹°¥€£·◀▶▲▼△▽↔⇒äöüßéèáí"
_NAMES = {1: FAMILY, 3: f"2.004;{FAMILY}", 4: f"{FAMILY} Regular", 6: "TCSSansSC-Regular"}


def gb2312() -> set[int]:
    """Code points of the character set GB 2312."""
    pairs = (bytes(pair) for pair in product(range(0xA1, 0xF8), range(0xA1, 0xFF)))
    return {ord(text) for pair in pairs if (text := pair.decode("gb2312", "ignore"))}


def make(source: Path) -> None:
    """Write the subset."""
    font = TTFont(source, recalcTimestamp=False)
    options = Options(layout_features=[], hinting=False, notdef_outline=True, name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14],
                      drop_tables=["GSUB", "GPOS", "GDEF", "BASE", "STAT", "vhea", "vmtx", "gasp"])
    options.recalc_timestamp = False
    subsetter = Subsetter(options)
    subsetter.populate(unicodes={*range(0x20, 0x7F), *gb2312(), *map(ord, _MORE)})
    subsetter.subset(font)
    for record in font["name"].names:
        record.string = _NAMES.get(record.nameID, str(record))
    font.save(FILE)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
