#!/usr/bin/env bash
# Makes .venv with everything the make targets need and builds the extension in place. Idempotent, and quick when nothing
# changed. Arguments name further programs that are wanted (valgrind, clang, ...).
#
# Needs Python 3.11 or later with its headers, and a C compiler. On Debian and its children what is missing is installed with
# apt-get when this runs as root; otherwise it is named, and the script stops.
#
#   PYTHON=python3.13 tools/setup.sh    # a certain interpreter
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
say() { printf '\033[2m%s\033[0m\n' "setup: $*" >&2; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# --- the system's part ---------------------------------------------------------------------------------------------------

newer_than_3_10() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

complete() { # can it make a virtual environment and build an extension?
    "$1" - >/dev/null 2>&1 <<'PY'
import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
PY
}

find_python() { # prints the first complete interpreter, else the first that is new enough
    local candidate fallback=""
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        newer_than_3_10 "$candidate" || continue
        if complete "$candidate"; then echo "$candidate"; return; fi
        [ -n "$fallback" ] || fallback=$candidate
    done
    echo "$fallback"
}

debian_packages() { # prints the packages that are missing for: the interpreter $1, the programs $2...
    local python=$1 program
    shift
    command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || echo gcc libc6-dev
    if [ -z "$python" ]; then
        echo python3 python3-dev python3-venv
    elif ! complete "$python"; then
        "$python" -c 'import sys; print("python3.%d-dev python3.%d-venv" % (2 * sys.version_info[1:2]))'
    fi
    for program in make "$@"; do
        command -v "$program" >/dev/null 2>&1 || echo "$program" | sed 's/^clang$/clang libclang-rt-dev/'
    done
}

install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        stop "please install what these Debian packages hold, then run again: $*"
    elif [ "$(id -u)" != 0 ]; then
        stop "missing; please run: sudo apt-get install $*"
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python=$(find_python)
missing=$(debian_packages "$python" "$@" | tr '\n' ' ')
if [ -n "${missing// /}" ]; then
    # shellcheck disable=SC2086
    install_packages $missing
    hash -r
    python=$(find_python)
fi
[ -n "$python" ] && complete "$python" || stop "no Python 3.11 or later with venv and headers was found; set PYTHON=/path/to/python3"

# --- the environment -----------------------------------------------------------------------------------------------------

sum_of() { cat "$@" | cksum; }

version=$("$python" -c 'import sys; print(sys.version)')
wanted="$version $(sum_of pyproject.toml tools/setup.sh)"
if [ ! -x $venv/bin/python ] || [ "$(cat $venv/.requirements 2>/dev/null)" != "$wanted" ]; then
    if [ -x $venv/bin/python ] && [ "$($venv/bin/python -c 'import sys; print(sys.version)' 2>/dev/null)" != "$version" ]; then
        say "another Python: making $venv anew"
        rm -rf $venv
    fi
    [ -x $venv/bin/python ] || { say "making $venv with $python"; "$python" -m venv $venv; }
    say "installing build and development requirements"
    $venv/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
    $venv/bin/python -m pip install --quiet --disable-pip-version-check --group dev
    # Not from pip's cache: what was built for one interpreter of a version does not run with another build of it.
    $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --group uwsgi
    echo "$wanted" >$venv/.requirements
fi

# --- the extension -------------------------------------------------------------------------------------------------------

sources() { find src -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.c' ! -path '*/evaluator/_*.c' | LC_ALL=C sort; }

# shellcheck disable=SC2046
built="$version $(sum_of setup.py pyproject.toml $(sources)) ${FLAGCORE_DEBUG:-}"
if [ "$(cat $venv/.built 2>/dev/null)" != "$built" ] || ! ls src/flagcore/evaluator/_program.*.so src/flagcore/evaluator/_table.*.so >/dev/null 2>&1; then
    say "building the extension"
    log=$venv/build.log
    $venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable . >$log 2>&1 ||
        { cat $log >&2; stop "the build failed; the whole log is in $log"; }
    echo "$built" >$venv/.built
fi

# Byte code at hand, as where flagcore is installed: without it a command needs twice its time to start. Python writes it by itself, but
# not where PYTHONDONTWRITEBYTECODE is set.
$venv/bin/python -m compileall -q src/flagcore
