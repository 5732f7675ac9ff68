#!/usr/bin/env bash
# Fuzzes with libFuzzer under ASan and UBSan: bytes through verify, and what it accepts through every walk; or compiled files through the
# C binding, and what it opens through every form of evaluation.
#
#   tools/fuzz.sh 10               # programs and value sets, for so many minutes; 90s: seconds
#   tools/fuzz.sh 5 snapshot       # compiled files
#
# The corpus grows in build/fuzz/corpus-*; what crashes is kept in build/fuzz/crash-*. Needs clang. Exit 0: nothing found.
set -euo pipefail
cd "$(dirname "$0")/.."

amount=${1:-10}
case $amount in
    *s) seconds=${amount%s} ;;
    *) seconds=$((amount * 60)) ;;
esac
python=.venv/bin/python
[ -x $python ] || python=python3
command -v clang >/dev/null || { echo "fuzz: clang is missing" >&2; exit 2; }

target=${2:-program}
corpus=build/fuzz/corpus-$target
mkdir -p "$corpus"
case $target in
    program)
        $python tools/make_fuzz_corpus.py "$corpus"
        sources="tests/native/fuzz_program.c"
        kept=tests/native/corpus
        most=32768
        ;;
    snapshot)
        $python -m bindings.case_table "$corpus" >/dev/null
        rm "$corpus"/*.cases
        sources="tests/bindings/fuzz_snapshot.c bindings/c/src/*.c -Ibindings/c -Ibindings/c/src"
        kept=""
        most=65536
        ;;
    *) echo "fuzz: program or snapshot, not $target" >&2; exit 2 ;;
esac
# shellcheck disable=SC2086
clang -std=c11 -O1 -g -Isrc/flagcore/kernel -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    $sources src/flagcore/kernel/*.c -o "build/fuzz/fuzz_$target"
# shellcheck disable=SC2086
exec "build/fuzz/fuzz_$target" "$corpus" $kept -max_total_time="$seconds" -max_len=$most -timeout=10 \
    -artifact_prefix=build/fuzz/crash- -print_final_stats=1
