"""Ed25519 by `cryptography` and by PyNaCl: import, sign and verify of a message of 1 kB: the figures of decision 0032.

    python -m benchmarks.ed25519

Needs both packages; the project itself installs only the one it uses. Least of many repetitions, so that other work on the machine
shows little.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

MESSAGE = bytes(range(256)) * 4
IMPORTS = {
    "cryptography": "import cryptography.hazmat.primitives.asymmetric.ed25519",
    "PyNaCl": "import nacl.bindings",
    "PyNaCl, nacl.signing": "import nacl.signing",
}


def least(call: Callable[[], object], repetitions: int = 3000) -> float:
    """Return the shortest time of one call, in microseconds."""
    clock, best = time.perf_counter_ns, 1 << 62
    for _ in range(repetitions):
        start = clock()
        call()
        best = min(best, clock() - start)
    return best / 1000


def import_milliseconds(statement: str, repetitions: int = 15) -> float:
    """Return the least time that an import takes in a fresh interpreter, in milliseconds."""
    program = f"import time; s = time.perf_counter_ns(); {statement}; print(time.perf_counter_ns() - s)"
    runs = (
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True) for _ in range(repetitions)
    )
    return min(int(run.stdout) for run in runs) / 1e6


def by_cryptography(seed: bytes) -> tuple[bytes, Callable[[], object], Callable[[], object]]:
    """Return the signature of MESSAGE, and calls that sign and verify it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key(), private.sign(MESSAGE)
    return signature, lambda: private.sign(MESSAGE), lambda: public.verify(signature, MESSAGE)


def by_pynacl(seed: bytes) -> tuple[bytes, Callable[[], object], Callable[[], object]]:
    """Return the signature of MESSAGE, and calls that sign and verify it, over libsodium's functions themselves."""
    from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

    public, secret = crypto_sign_seed_keypair(seed)
    signed = crypto_sign(MESSAGE, secret)
    return signed[:64], lambda: crypto_sign(MESSAGE, secret)[:64], lambda: crypto_sign_open(signed, public)


def main() -> None:
    seed = bytes(range(32))
    results = {"cryptography": by_cryptography(seed), "PyNaCl": by_pynacl(seed)}
    assert len({signature for signature, _, _ in results.values()}) == 1, "Ed25519 is deterministic"
    for name, (_, sign, verify) in results.items():
        print(f"{name:22} sign {least(sign):7.1f} us   verify {least(verify):7.1f} us")
    for name, statement in IMPORTS.items():
        print(f"{name:22} import {import_milliseconds(statement):6.1f} ms")


if __name__ == "__main__":
    main()
