#!/usr/bin/env bash
# Shows that the gate catches a slower kernel: builds a copy of the sources in build/slowed whose walk computes one more hash a node,
# expects `benchmarks.gate` to fail there and to name the workloads, and then to pass on the sources as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=build/slowed python=$PWD/.venv/bin/python
rm -rf $directory
mkdir -p $directory
cp -R src bindings setup.py pyproject.toml README.md LICENSE $directory/
find $directory/src \( -name '*.so' -o -path '*/evaluator/_*.c' -o -name '*.egg-info' \) -prune -exec rm -rf {} +

walk=$directory/src/flagcore/kernel/walk.h
node='        const FcNode \*const node = &program->nodes\[at\];'
waste='        volatile uint64_t wasted = fc_xxh64((const uint8_t *)node, sizeof *node, at); (void)wasted;'
sed -i "/FcResult fc_run(/,/^}/ s/^$node\$/&\n$waste/" $walk
grep -q wasted $walk || { echo "slowed_gate.sh: the loop of fc_run looks another way now" >&2; exit 2; }

(cd $directory && "$python" setup.py --quiet build_ext --inplace --force)
echo "--- one more hash a node: must fail"
code=0
"$python" -m benchmarks.gate --tree $directory || code=$?
[ $code = 1 ] || { echo "slowed_gate.sh: the gate ended with $code, not with 1" >&2; exit 1; }
echo "--- as it is: must pass"
"$python" -m benchmarks.gate
