#!/usr/bin/env bash
# test/run.sh [--quick] [--lane NAME]... [-- CTEST_ARGUMENT...]
#
# Builds libshmframe and runs every test, from nothing, on a Debian 12 machine. Lanes:
#   gcc       RelWithDebInfo, warnings are errors; all tests
#   valgrind  the same programs under Valgrind
#   clang     warnings are errors; all tests
#   asan      AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan      ThreadSanitizer, for what can be tested with threads
#   fuzz      clang's libFuzzer with both sanitizers: a slice of its work
# Without arguments: all of them, in one ctest run, whose closing lines come last.
# --quick is --lane gcc. Build trees: build-test/LANE, or $SHMFRAME_BUILD/LANE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source=$PWD
build=${SHMFRAME_BUILD:-$source/build-test}
jobs=$(nproc)

packages=(build-essential cmake pkg-config libcmocka-dev libxxhash-dev clang libclang-rt-dev libomp-dev
          valgrind gdb strace spin clang-format clang-tidy python3 python3-numpy python3-pandas python3-scipy libnetcdf-dev libhdf5-dev libpng-dev
          ferret-datasets libopenblas-dev libglib2.0-dev lintian abigail-tools doxygen groff lowdown
          libopenmpi-dev openmpi-bin libmpich-dev mpich iproute2)

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "test/run.sh"
    exit "$1"
}

# Installs what is missing, where that is possible; says what to install where it is not.
set_up() {
    local missing=() package
    if command -v dpkg-query >/dev/null; then
        for package in "${packages[@]}"; do
            dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
                missing+=("$package")
        done
    fi
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "Please install first: sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

configure() {
    local lane=$1 tree=$1
    shift
    cmake -S "$source" -B "$build/$tree" -DSHMFRAME_LANE="$lane" -DSHMFRAME_WERROR=ON "$@"
}

# The build tree in which a lane's tests are.
tree_of() {
    case $1 in
    valgrind) echo gcc ;;
    *) echo "$1" ;;
    esac
}

build_lane() {
    case $1 in
    gcc) configure gcc -DCMAKE_C_COMPILER=gcc -DSHMFRAME_VALGRIND=ON ;;
    clang) configure clang -DCMAKE_C_COMPILER=clang ;;
    asan) configure asan -DCMAKE_C_COMPILER=gcc -DSHMFRAME_SLOWNESS=3 \
        -DSHMFRAME_SANITIZE=address,undefined ;;
    tsan) configure tsan -DCMAKE_C_COMPILER=clang -DSHMFRAME_SLOWNESS=5 \
        -DSHMFRAME_SANITIZE=thread -DSHMFRAME_EXAMPLES=OFF ;;
    fuzz) configure fuzz -DCMAKE_C_COMPILER=clang -DSHMFRAME_FUZZ=ON \
        -DSHMFRAME_SANITIZE=address,undefined -DSHMFRAME_EXAMPLES=OFF ;;
    esac
    cmake --build "$build/$1" --parallel "$jobs"
}

lanes=()
while [ $# -gt 0 ]; do
    case $1 in
    --quick) lanes+=(gcc) ;;
    --lane) lanes+=("${2:?--lane needs a name}") && shift ;;
    --help | -h) usage 0 ;;
    --) shift && break ;;
    *) usage 1 >&2 ;;
    esac
    shift
done
if [ ${#lanes[@]} -eq 0 ]; then
    lanes=(gcc valgrind clang asan tsan fuzz)
fi
for lane in "${lanes[@]}"; do
    case $lane in
    gcc | valgrind | clang | asan | tsan | fuzz) ;;
    *) echo "no lane '$lane': gcc, valgrind, clang, asan, tsan, fuzz" >&2 && exit 1 ;;
    esac
done

set_up
trees=$(for lane in "${lanes[@]}"; do tree_of "$lane"; done | sort -u)
mkdir -p "$build"
for tree in $trees; do
    echo "== building $tree"
    build_lane "$tree" >"$build/$tree.log" 2>&1 || { cat "$build/$tree.log"; exit 1; }
done
# One run over all trees: this is the file by which ctest finds them.
for tree in $trees; do
    echo "subdirs(\"$build/$tree\")"
done >"$build/CTestTestfile.cmake"
cd "$build"
# Two lanes share the tree of gcc; the label tells them apart.
others=()
for lane in gcc valgrind; do
    [[ " ${lanes[*]} " == *" $lane "* ]] || others+=(--label-exclude "^$lane\$")
done
exec ctest --output-on-failure --parallel "$jobs" "${others[@]}" "$@"
