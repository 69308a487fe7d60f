#!/bin/sh
# The main job, from a fresh clone: installs what is missing (as root on Debian; otherwise it says
# what to install), configures, builds, and runs outer_product and topography in all ways, with
# progress bars; then a table of both. Everything goes to build-examples/ beside this directory,
# or to the directory given as the first argument.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$(dirname "$here")/build-examples}
missing=
# need COMMAND PACKAGE
need() {
    command -v "$1" >/dev/null || missing="$missing $2"
}
need cc gcc
need make make
need cmake cmake
need pkg-config pkg-config
if command -v dpkg-query >/dev/null; then
    for package in libc6-dev libxxhash-dev libnetcdf-dev libpng-dev ferret-datasets; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
            missing="$missing $package"
    done
else
    echo "not a Debian system: xxHash, libnetcdf, libpng and ETOPO5 are taken to be there" >&2
fi
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
elif [ -n "$missing" ]; then
    echo "first, as root: apt-get install$missing" >&2
    exit 1
fi

cmake -S "$here/.." -B "$build" -DCMAKE_BUILD_TYPE=Release -DSHMFRAME_TESTS=OFF \
    -DSHMFRAME_EXAMPLES=ON
cmake --build "$build" --parallel "$(nproc)"

figures=$build/figures.json
rm -f "$figures"
status=0
for example in outer_product topography; do
    set --
    [ "$example" = topography ] && set -- --image="$build/topography.png"
    echo
    echo "== $example =="
    "$build/examples/$example" --progress --json="$figures" "$@" || status=1
done

echo
echo "== all in all =="
# The figures are one flat JSON object a line, which needs no parser.
awk -F'[:,{}] *' '
function field(name,    i) {
    for (i = 1; i < NF; i++)
        if ($i == "\"" name "\"") {
            gsub(/"/, "", $(i + 1))
            return $(i + 1)
        }
}
NR == 1 { printf "%-14s %-12s %8s %10s %10s %10s\n", "example", "way", "tasks", "seconds",
                 "tasks/s", "speed-up" }
{
    workload = field("workload")
    rate = field("per_second")
    if (workload != last)
        base = rate
    last = workload
    printf "%-14s %-12s %8d %10.2f %10.2f %10.2f\n", workload, field("mode"), field("tasks"),
           field("seconds"), rate, rate / base
}' "$figures"
echo "speed-up: tasks per second as a multiple of the sequential program's"
echo "the image: $build/topography.png"
[ "$status" = 0 ] && echo "all ways agree" || echo "FAILED, see above"
exit "$status"
