#!/usr/bin/env bash
# test/coverage.sh [CTEST_ARGUMENT...]
#
# Builds with counters, runs the tests (all but campaigns and examples, or what is asked for) and says per
# module how many lines and branches of lib/ were taken. Branches that the compiler makes of a line
# that cannot go wrong are told by a comment "coverage: unreachable: REASON" on that line.
# Build tree: build-test/coverage, or $SHMFRAME_BUILD/coverage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source=$PWD
tree=${SHMFRAME_BUILD:-$source/build-test}/coverage
if ! command -v gcovr >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo "Please install first: sudo apt-get install gcovr" >&2
        exit 1
    fi
    apt-get update -q
    apt-get install -q -y --no-install-recommends gcovr
fi
if [ $# -eq 0 ]; then
    set -- --label-regex 'unit|format|fuzz|process'
fi

mkdir -p "$tree"
cmake -S "$source" -B "$tree" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug \
    -DSHMFRAME_COVERAGE=ON -DSHMFRAME_EXAMPLES=OFF -DSHMFRAME_SLOWNESS=3 >"$tree.log" 2>&1 ||
    { cat "$tree.log"; exit 1; }
cmake --build "$tree" --parallel "$(nproc)" >>"$tree.log" 2>&1 || { cat "$tree.log"; exit 1; }
find "$tree" -name '*.gcda' -delete
ctest --test-dir "$tree" --parallel "$(nproc)" --output-on-failure "$@" >"$tree/tests.log" 2>&1 ||
    { tail -40 "$tree/tests.log"; echo "== some tests failed; what follows counts what ran"; }
# All of the suite's faults: a build that is called slow takes every third.
if grep -q process.pool_faults "$tree/tests.log"; then
    SHMF_TEST_SLOW=1 "$tree/test/test_process_pool_faults" >>"$tree/tests.log" 2>&1 ||
        echo "== not all calls that failed were endured: $tree/tests.log"
fi

gcovr --root "$source" --object-directory "$tree" --filter 'lib/' --json "$tree/coverage.json" \
    --exclude-unreachable-branches --exclude-throw-branches \
    --exclude-branches-by-pattern '.*coverage: unreachable: .*' --exclude-lines-by-pattern '.*coverage: unreachable: .*' \
    "$tree"
"${PYTHON:-python3}" - "$tree/coverage.json" <<'EOF'
"""Lines and branches per module, and where branches are missing."""
import collections
import json
import sys

modules = collections.defaultdict(lambda: [0, 0, 0, 0])
missing = []
for file in json.load(open(sys.argv[1]))['files']:
    module = '/'.join(file['file'].split('/')[:2])
    counts = modules[module]
    for line in file['lines']:
        if line.get('gcovr/noncode') or line.get('gcovr/excluded'):
            continue
        counts[0] += 1
        counts[1] += line['count'] > 0
        branches = [b for b in line['branches'] if not b.get('gcovr/excluded')]
        counts[2] += len(branches)
        counts[3] += sum(b['count'] > 0 for b in branches)
        left = sum(b['count'] == 0 for b in branches)
        if left or not line['count']:
            missing.append(f"{file['file']}:{line['line_number']}: "
                           + (f'{left} of {len(branches)} branches' if branches else 'line'))
print(f"{'module':14} {'lines':>6} {'taken':>7} {'branches':>9} {'taken':>7}")
for name, (lines, hit, branches, taken) in sorted(modules.items()):
    print(f'{name:14} {lines:6} {100 * hit / max(lines, 1):6.1f}% {branches:9} '
          f'{100 * taken / max(branches, 1):6.1f}%')
with open(sys.argv[1].replace('.json', '-missing.txt'), 'w') as out:
    print(*missing, sep='\n', file=out)
EOF
echo "what is missing: $tree/coverage-missing.txt"
