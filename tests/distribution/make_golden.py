"""Writes tests/distribution/golden/: every object and frame as this release makes it, to be read by every later one.

    python -m tests.distribution.make_golden            writes what is missing
    python -m tests.distribution.make_golden --anew     writes all: only when nothing of it has been released

A file that is there is a promise: later releases read it, and, as long as they write this format, write the same bytes.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from flagcore.distribution import control, wire
from flagcore.distribution.bootstrap import prove
from flagcore.distribution.keys import ClientKey, Environment, Keyring, SdkKey
from flagcore.distribution.last_good import encode_saved
from flagcore.distribution.rotation import encode_rotation
from flagcore.distribution.wire import Header, Kind, encode
from flagcore.snapshot.chunks import SMALLEST_CHUNK, cut
from flagcore.snapshot.codec import encode_snapshot
from flagcore.snapshot.delta import Delta, Object, diff, encode_delta, encode_notice, notice_of
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.signature import SigningKey
from flagcore.snapshot.state_hash import StateHash

FOLDER = Path(__file__).parent / "golden"

SIGNER = SigningKey(bytes(range(32)))
NEXT = SigningKey(bytes(range(1, 33)))
ENVIRONMENT = b"\x00golden\xff"
BEFORE = Snapshot(
    3,
    7,
    {"checkout.new": b"FCPG\x01\x00\x01\x00program", "old": b"FCPG\x01\x00\x01\x00"},
    {"beta": b"FCST\x01\x00\x01\x00set"},
    {"checkout.new": b"debug"},
)
AFTER = Snapshot(
    3,
    8,
    {"checkout.new": b"FCPG\x01\x00\x01\x00" + b"other program " * 12, "größer": b"FCPG\x02\x00\x02\x00"},
    {"beta": b"FCST\x01\x00\x01\x00set"},
    {},
    {"z/of the future": b"?"},
)
DELTA = diff(BEFORE, AFTER, urgent=True)
LARGE = Snapshot(3, 9, {"f": b"FCPG\x01\x00\x01\x00" + random.Random(7).randbytes(20_000)}, {"s": b""})
KEY = SdkKey(ENVIRONMENT, "production", b"p" * 32, b"s" * 32, b"S" * 32, (SIGNER.public, NEXT.public))
KEYRING = Keyring(
    "flagcore/keyring/v1",
    b"S" * 32,
    b"T" * 32,
    (SIGNER.seed, NEXT.seed),
    (Environment(ENVIRONMENT, "production"),),
    (ClientKey(b"p" * 32, "production", "shop", 1_700_000_000), ClientKey(b"q" * 32, "production", "old", 1, 2)),
)
CONTROL = {
    "hello": control.Hello(ENVIRONMENT, 3, 7, StateHash.of(BEFORE).value, 1, 1, b"c" * 16, "shop"),
    "ack": control.Ack(3, 8, 250, 1),
    "credit": control.Credit(4),
    "counts": control.Counts(
        5,
        b"c" * 16,
        10,
        20,
        3,
        (control.Count("f", "on", "r", "TARGETING_MATCH", 2**40), control.Count("g", None, None, "ERROR", 1)),
    ),
    "bye": control.Bye(),
    "current": control.Current(3, 8),
    "begin": control.Begin(3, 9, 2, 20_100),
    "retry": control.Retry(500, "busy"),
    "counted": control.Counted(5),
    "ping": control.Ping(),
}


def message(kind: Kind, state: Snapshot, raw: bytes = b"", **fields: int) -> list[bytes]:
    """Return the frames of a message about a state."""
    header = Header(
        kind=kind,
        environment_id=ENVIRONMENT,
        epoch=state.epoch,
        revision=state.revision,
        commit_time_us=1_700_000_000_123_456,
        ring_floor=5,
        state_hash=StateHash.of(state).value,
        **fields,  # type: ignore[arg-type]
    )
    return encode(header, raw, SIGNER)


def messages() -> dict[str, list[bytes]]:
    """Return the frames of every kind of signed message."""
    chunks = list(cut(LARGE, SMALLEST_CHUNK))
    made = {
        "delta": message(Kind.DELTA, AFTER, encode_delta(DELTA), base=7, min_reader=2),
        "bookmark": message(Kind.BOOKMARK, AFTER),
        "notice": message(Kind.NOTICE, AFTER, encode_notice(notice_of(DELTA)), base=7),
        "error": message(Kind.ERROR, AFTER, control.encode_control(control.Retry(500, "busy"))),
        "rotation": message(Kind.ROTATION, AFTER, encode_rotation([SIGNER.public, NEXT.public])),
        "closed": message(Kind.CLOSED, AFTER),
    }
    for index, chunk in enumerate(chunks):
        made[f"chunk-{index}"] = message(Kind.SNAPSHOT, LARGE, chunk, chunk_index=index, chunk_count=len(chunks))
    return made


def files() -> dict[str, Callable[[], bytes]]:
    """Return name -> how the content is made. Messages are msgpack arrays of their frames."""
    made: dict[str, Callable[[], bytes]] = {
        "bootstrap.fcs": lambda: encode_snapshot(AFTER, prove(AFTER, ENVIRONMENT, SIGNER)),
        "last-good.fcl": lambda: b"".join(encode_saved(messages()["bookmark"], AFTER)),
        "sdk-key.txt": lambda: KEY.text.encode() + b"\n",
        "keyring.json": lambda: msgspec.json.format(msgspec.json.encode(KEYRING)) + b"\n",
        "state-hash.hex": lambda: StateHash.of(AFTER).value.hex().encode() + b"\n",
        "welcome.frame": lambda: wire.WELCOME,
        "delta.raw": lambda: encode_delta(DELTA),
        "delta-without-urgency.raw": lambda: msgspec.msgpack.encode([3, 7, 8, [["p/old", 1, b"x"]], ["p/gone"]]),
    }
    made |= {
        f"{name}.message": lambda frames=frames: msgspec.msgpack.encode(frames) for name, frames in messages().items()
    }  # type: ignore[misc]
    made |= {f"{name}.control": lambda said=said: control.encode_control(said) for name, said in CONTROL.items()}  # type: ignore[misc]
    return made


SHORT = Delta(3, 7, 8, (Object("p/old", 1, b"x"),), ("p/gone",))
"""What ``delta-without-urgency.raw`` holds: a writer that knew no urgency."""


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in files().items():
        path = FOLDER / name
        if "--anew" in sys.argv or not path.exists():
            path.write_bytes(make())
            print(path.name)


if __name__ == "__main__":
    main()
