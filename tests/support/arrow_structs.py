"""Arrow's C structs made by hand, so that they can say what no library would: for tests of hostile producers."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

__all__ = ["Producer", "array", "schema"]


class Schema(ctypes.Structure):
    """struct ArrowSchema."""


class Array(ctypes.Structure):
    """struct ArrowArray."""


_RELEASE_SCHEMA = ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))
_RELEASE_ARRAY = ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))

Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(Schema))),
    ("dictionary", ctypes.POINTER(Schema)),
    ("release", _RELEASE_SCHEMA),
    ("private_data", ctypes.c_void_p),
]
Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(Array))),
    ("dictionary", ctypes.POINTER(Array)),
    ("release", _RELEASE_ARRAY),
    ("private_data", ctypes.c_void_p),
]


@_RELEASE_SCHEMA
def _release_schema(given: Any) -> None:
    given.contents.release = _RELEASE_SCHEMA()


@_RELEASE_ARRAY
def _release_array(given: Any) -> None:
    given.contents.release = _RELEASE_ARRAY()


_kept: list[object] = []  # whatever the structs point to lives as long as the tests


def _pointers(kind: Any, things: Sequence[Any] | None) -> Any:
    if things is None:
        return None
    made = (ctypes.POINTER(kind) * max(1, len(things)))(*[ctypes.pointer(thing) if thing else None for thing in things])
    _kept.extend((made, *things))
    return ctypes.cast(made, ctypes.POINTER(ctypes.POINTER(kind)))


def schema(form: bytes | None, name: bytes = b"", children: Sequence[Any] | None = (), **more: Any) -> Schema:
    """Return a schema; ``children=None`` is a null pointer, None among them another."""
    made = Schema(format=form, name=name, flags=2, n_children=len(children or ()), release=_release_schema)
    made.children = _pointers(Schema, children)
    for field, value in more.items():
        setattr(made, field, ctypes.pointer(value) if isinstance(value, Schema) else value)
    _kept.extend((made, *more.values()))
    return made


def array(
    length: int, buffers: Sequence[bytes | None] = (None,), children: Sequence[Any] | None = (), **more: Any
) -> Array:
    """Return an array over buffers, of which None is a null pointer."""
    made = Array(length=length, n_buffers=len(buffers), n_children=len(children or ()), release=_release_array)
    content = [None if each is None else ctypes.create_string_buffer(each, max(1, len(each))) for each in buffers]
    addresses = [None if each is None else ctypes.addressof(each) for each in content]
    made.buffers = (ctypes.c_void_p * max(1, len(buffers)))(*addresses)
    made.children = _pointers(Array, children)
    for field, value in more.items():
        setattr(made, field, ctypes.pointer(value) if isinstance(value, Array) else value)
    _kept.extend((made, content, *more.values()))
    return made


class Producer:
    """Hands over a record batch of one column ``a``, or whatever structs it is given."""

    def __init__(self, column_schema: Schema, column: Array, rows: int = 2, **more: Any) -> None:
        column_schema.name = b"a"
        self.schema = schema(b"+s", children=[column_schema])
        self.array = array(rows, children=[column])
        for field, value in more.items():
            setattr(self.array, field, value)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return (
            new(ctypes.addressof(self.schema), b"arrow_schema", None),
            new(ctypes.addressof(self.array), b"arrow_array", None),
        )
