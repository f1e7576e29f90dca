"""How much of a workbook is read, and what may be wrong with one. Pure."""

from enum import StrEnum
from typing import Final

MEMORY_BYTES: Final = 1536 * 1024 * 1024
CPU_SECONDS: Final = 50
# Waits for the disk and for a turn on the processor come on top.
WALL_SECONDS: Final = 180
# Longer than a large workbook takes: who uploads one behind another one waits for it.
PATIENCE_SECONDS: Final = 20
UNPACKED_BYTES: Final = 1024 * 1024 * 1024
MOST_COLUMNS: Final = 500
# By what a file has in so many bytes its kind is told.
HEAD: Final = 64 * 1024


class Fault(StrEnum):
    """Why a workbook cannot be read."""

    PASSWORD = "password"  # noqa: S105 -- not one
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    TOO_WIDE = "too_wide"
