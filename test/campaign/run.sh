#!/usr/bin/env bash
# test/campaign/run.sh [--minutes N] [--seed SEED] [--only TEST]... [--keep]
#
# Builds without sanitizers and runs every campaign, one after the other, N minutes in all (10) or less,
# at the lowest priority. Each adds a line to build-test/campaigns/results.jsonl (or $SHMFRAME_BUILD);
# its output stands beside it. --keep adds the lines to test/campaign/results.jsonl as well, of which
# test/campaign/report.py makes the table in docs/reliability.md. Exit status 1: something was found.
# A night: test/campaign/run.sh --minutes 600 --keep
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source=$PWD
build=${SHMFRAME_BUILD:-$source/build-test}/campaigns
python=${PYTHON:-python3}
minutes=10 seed=1 keep=
only=()
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=${2:?--minutes needs a number} && shift ;;
    --seed) seed=${2:?--seed needs a number} && shift ;;
    --only) only+=("${2:?--only needs a test}") && shift ;;
    --keep) keep=1 ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' test/campaign/run.sh >&2 && exit 1 ;;
    esac
    shift
done

mkdir -p "$build"
cmake -S "$source" -B "$build" -DSHMFRAME_EXAMPLES=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo >"$build/build.log" 2>&1 &&
    cmake --build "$build" --parallel "$(nproc)" >>"$build/build.log" 2>&1 ||
    { tail -20 "$build/build.log"; exit 1; }
log=$build/results.jsonl
: >"$log"
bad=0

# run TEST PROMISE COMMAND [ARGUMENT...]
run() {
    local test=$1 promise=$2
    shift 2
    if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $test "* ]]; then
        return
    fi
    nice -n 19 "$python" -B test/campaign/log.py "$log" "$test" "$seed" "$promise" "$@" || bad=1
}

tests=$build/test
run campaign.kill_workers "no result lost, doubled or wrong, no descriptor left" \
    "$tests/campaign_kill_workers" $((minutes * 12)) 4 "$seed"
run campaign.kill_owners "no process, memory, name or descriptor left" \
    "$tests/campaign_kill_owners" $((minutes * 60)) "$seed"
run campaign.hostile_headers "opened rightly, or refused by name" \
    "$tests/campaign_hostile_headers" $((minutes * 2000000)) "$seed"
run campaign.flip_shared "no access outside" \
    "$tests/campaign_flip_shared" $((minutes * 200000)) "$seed"
run campaign.round_trips "every dtype comes back by every route, bit for bit" \
    "$tests/campaign_round_trips" $((minutes < 500 ? minutes * 20000 : 10000000)) "$seed"
run campaign.huge_field "says where, makes no name" "$python" -B test/campaign/huge_field.py "$build/shmframe"
run process.pool_steps "one outcome, whatever the instruction" \
    "$tests/test_process_pool_steps" $((minutes < 600 ? 600 / minutes : 1))
run process.pool_spawn_steps "a pool or an error, whatever the system call" \
    "$tests/test_process_pool_spawn_steps" 1
run process.pool_scribbled "the application survives any bytes" \
    "$tests/test_process_pool_scribbled" $((minutes * 20)) $((seed * 1000))
run process.pool_limits "results or a clear error" "$tests/test_process_pool_limits"
run process.pool_denied "works without, or a clear error" "$tests/test_process_pool_denied"
if [ "$minutes" -ge 60 ]; then
    run process.pool_faults "results or a clear error" "$tests/test_process_pool_faults" all
    run model.board "nothing lost, doubled or forgotten" "$python" test/model/check.py --long
else
    run process.pool_faults "results or a clear error" "$tests/test_process_pool_faults"
    run model.board "nothing lost, doubled or forgotten" "$python" test/model/check.py
fi
if [ -n "$keep" ]; then
    cat "$log" >>test/campaign/results.jsonl
fi
exit $bad
