#!/usr/bin/env bash
# Fuzzes the kernel with libFuzzer under ASan and UBSan: bytes through verify, and what it accepts through every walk.
#
#   tools/fuzz.sh 10      # minutes; 90s: seconds
#
# The corpus grows in build/fuzz/corpus; what crashes is kept in build/fuzz/crash-*. Needs clang. Exit 0: nothing found.
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

mkdir -p build/fuzz/corpus
$python tools/make_fuzz_corpus.py build/fuzz/corpus
clang -std=c11 -O1 -g -Isrc/flagcore/kernel -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    tests/native/fuzz_program.c src/flagcore/kernel/*.c -o build/fuzz/fuzz_program
exec build/fuzz/fuzz_program build/fuzz/corpus tests/native/corpus -max_total_time="$seconds" -max_len=32768 -timeout=10 \
    -artifact_prefix=build/fuzz/crash- -print_final_stats=1
