"""Writes src/flagcore/kernel/log2_table.h: the 513 numbers of docs/design/bucketing.md 2.7, computed with integers.

python tools/make_log2_table.py [FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from flagcore.bucketing import log2_table

TARGET = Path(__file__).parents[1] / "src/flagcore/kernel/log2_table.h"
HEAD = """\
/* round(2^36 * log2(1 + j / 512)), j = 0..512 (docs/design/bucketing.md 2.7). Written by tools/make_log2_table.py; a test holds
 * its sha256. 4 kB, of which a race touches three neighbours for each contestant. */
#ifndef FLAGCORE_LOG2_TABLE_H
#define FLAGCORE_LOG2_TABLE_H

#include <stdint.h>

static const uint64_t fc_log2_table[513] = {
"""
TAIL = "};\n\n#endif\n"


def header(numbers: Sequence[int]) -> str:
    """Return the text of the header, eight numbers a line."""
    rows = (numbers[at : at + 8] for at in range(0, len(numbers), 8))
    return HEAD + "".join(f"    {', '.join(map(str, row))},\n" for row in rows) + TAIL


def main(arguments: Sequence[str]) -> None:
    """Write the header to the first argument, or where it belongs."""
    target = Path(arguments[0]) if arguments else TARGET
    target.write_text(header(log2_table()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
