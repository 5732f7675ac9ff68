"""The program layout of kernel.h as Python numbers and structs. kernel.h is the documentation; names follow it."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from struct import Struct

__all__ = [
    "ADDRESS",
    "AFFIX",
    "BLOCK",
    "BLOCK_ROWS",
    "BRANCH",
    "COLUMN",
    "CONTESTANT",
    "FORK_DEPTH",
    "FORMAT",
    "HASH_XXH64",
    "HEADER",
    "HEADER_SIZE",
    "LEAF",
    "LEAF_BIT",
    "LINK",
    "MAGIC",
    "MULTI",
    "NODE",
    "NONE",
    "NO_MEMO",
    "NUMBER",
    "PROVED_STEPS",
    "RULE",
    "RULE_REQUIRES",
    "SLOT",
    "TABLE_LEAF",
    "VARIANT",
    "VERSION",
    "VIEW",
    "ColumnKind",
    "LeafKind",
    "LinkKind",
    "NodeFlag",
    "Op",
    "ProgramFlag",
    "SlotKind",
    "SplitFlag",
    "ValueType",
    "ViewFlag",
    "ViewKind",
]

MAGIC = 0x47504346  # "FCPG"
FORMAT = 1
HASH_XXH64 = 1
LEAF_BIT = 0x80000000
NONE = 0xFFFFFFFF
NO_MEMO = 0xFFFF
RULE_REQUIRES = 0x80000000
TABLE_LEAF = 0x800000  # of an exit in a table (FC_OP_LOOKUP)
PROVED_STEPS = 1024
FORK_DEPTH = 64
BLOCK_ROWS = 64

HEADER = Struct("<IHHI BBH III II II II II II II II II II I II")
HEADER_SIZE = 112
NODE = Struct("<BBHIIIQII")
LEAF = Struct("<BBBBIIIQIHH")
SLOT = Struct("<IIIHH")
VIEW = Struct("<BBHIIIIHHQ")
VARIANT = Struct("<IIIIQQ")
RULE = Struct("<II")
LINK = Struct("<IIII")
CONTESTANT = Struct("<IIQ")
NUMBER = Struct("<QII")
VERSION = Struct("<QQQIIQ")
ADDRESS = Struct("<QQII")
AFFIX = Struct("<IIII")
BRANCH = Struct("<II")
BLOCK = Struct("<IIII")
COLUMN = Struct("<HHIII")
MULTI = Struct("<IIII")


class ProgramFlag(IntFlag):
    """FC_PROGRAM_*."""

    FORKED = 1


class Op(IntEnum):
    """FC_OP_*."""

    HAS = 0
    BOOLEAN = 1
    TEXT = 2
    IN = 3
    NUMBER = 4
    VERSION = 5
    TIME = 6
    ADDRESS = 7
    PREFIX = 8
    SUFFIX = 9
    MATCH = 10
    CONTAINS = 11
    GATE = 12
    BUCKETABLE = 13
    REQUIRES = 14
    CLASS = 15
    SWITCH = 16
    FORK = 17
    BLOCK = 18
    MULTI = 19
    LOOKUP = 20


class NodeFlag(IntFlag):
    """FC_NODE_*."""

    LT = 1
    EQ = 2
    GT = 4
    DOUBLE = 8
    FOLD = 16
    LINK = 32
    DENSE = 64
    ROW = 128


class ColumnKind(IntEnum):
    """FC_COLUMN_*."""

    BYTES = 0
    CUTS = 1


class ViewKind(IntEnum):
    """FC_VIEW_*."""

    PRESENCE = 0
    BOOLEAN = 1
    TEXT = 2
    NUMBER = 3
    VERSION = 4
    TIME = 5
    ADDRESS = 6
    PREFIX = 7
    SUFFIX = 8
    SET = 9
    AUTOMATON = 10


class ViewFlag(IntFlag):
    """FC_VIEW_FOLD."""

    FOLD = 1


class SlotKind(IntEnum):
    """FC_SLOT_*."""

    ATTRIBUTE = 0
    TIME = 1


class LinkKind(IntEnum):
    """FC_LINK_*."""

    PROGRAM = 0
    SET = 1


class LeafKind(IntEnum):
    """FC_LEAF_*."""

    VARIANT = 0
    SPLIT = 1
    CALLER = 2


class SplitFlag(IntFlag):
    """FC_SPLIT_*."""

    BASE_PERCENT = 1
    ON_OFF = 2


class ValueType(IntEnum):
    """FC_VALUE_*."""

    BOOLEAN = 0
    STRING = 1
    INTEGER = 2
    FLOAT = 3
    OBJECT = 4
