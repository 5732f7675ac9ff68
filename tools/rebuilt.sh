#!/usr/bin/env bash
# tools/rebuilt.sh DIRECTORY [pytest arguments]: copies the sources into DIRECTORY, builds the extension there as
# FLAGCORE_DEBUG=1 (every Cython check) or FLAGCORE_SANITIZE=1 (ASan and UBSan) says, and runs the unit, property and
# conformance tests on that build. The ordinary build stays untouched.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=${1:?which directory?}
shift
python=$PWD/.venv/bin/python

mkdir -p "$directory"
for part in src tests tools examples benchmarks docs; do
    rm -rf "${directory:?}/$part"
    cp -R "$part" "$directory/$part"
done
cp pyproject.toml setup.py MANIFEST.in README.md LICENSE Makefile "$directory/"
find "$directory/src" \( -name '*.so' -o -path '*/evaluator/_*.c' -o -name '*.egg-info' \) -prune -exec rm -rf {} +

cd "$directory"
"$python" setup.py --quiet build_ext --inplace --force

if [ -n "${FLAGCORE_DEBUG:-}" ]; then
    ulimit -S -s 65536 || true # unoptimised, a thousand evaluations inside each other take more than 8 MB of stack
fi
if [ -n "${FLAGCORE_SANITIZE:-}" ]; then
    # The interpreter itself is not instrumented: the runtime must be loaded first, and the interpreter's own arenas and
    # leaks at exit would hide or drown what we look for.
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    export LD_PRELOAD PYTHONMALLOC=malloc
    export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
fi
# The copy's own src comes before the editable install of the environment, in the processes that tests start too.
export PYTHONPATH=$PWD/src
exec "$python" -m pytest tests/unit tests/property tests/conformance "$@"
