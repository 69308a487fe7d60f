#!/bin/sh
# The benches, from a fresh clone:
#
#     test/bench/run.sh [--quick] [--only BENCH]... [--rounds N] [--workers N] [BUILD]
#
# Installs what is missing (as root on Debian; otherwise it says what to install), builds in BUILD
# (build-bench beside this project's directories), runs the benches and prints one JSON object a
# line, the machine first; the lines go to BUILD/figures.json too. At the end, on standard error,
# tables with the ratios that are promised. --quick: a minute, rough figures; else a quarter of an
# hour, on a machine that should do nothing else meanwhile.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$(dirname "$here")")
build=$source/build-bench
arguments=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) arguments="$arguments $1" ;;
    --only | --rounds | --workers)
        arguments="$arguments $1 ${2:?$1 needs a value}"
        shift
        ;;
    --help | -h)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'
        exit 0
        ;;
    -*)
        echo "run.sh: what is $1? See --help" >&2
        exit 2
        ;;
    *) build=$1 ;;
    esac
    shift
done

missing=
if command -v dpkg-query >/dev/null; then
    for package in gcc g++ make cmake libc6-dev libxxhash-dev libgomp1 openmpi-bin libopenmpi-dev \
        libboost-dev python3 python3-numpy python3-pandas python3-scipy; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
            missing="$missing $package"
    done
else
    echo "not a Debian system: impls whose libraries are not found are left out" >&2
fi
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q >&2
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
elif [ -n "$missing" ]; then
    echo "first, as root: apt-get install$missing" >&2
    exit 1
fi

cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DSHMFRAME_BENCH=ON \
    -DSHMFRAME_TESTS=OFF -DSHMFRAME_EXAMPLES=OFF >&2
cmake --build "$build" --parallel "$(nproc)" >&2

status=0
# shellcheck disable=SC2086 # a list of words
/usr/bin/python3 -B "$here/suite.py" --programs="$build/test/bench" --output="$build/figures.json" \
    $arguments || status=$?
/usr/bin/python3 -B "$here/report.py" "$build/figures.json" >&2
exit "$status"
