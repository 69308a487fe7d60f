#!/bin/sh
# The plots and tables of docs/when.md and docs/scaling.md, from what run.sh measured:
#
#     test/bench/plots.sh [FIGURES.json]
#
# Without an argument build-bench/figures.json. Fills what lies between "<!-- figures: NAME -->" and
# "<!-- end -->" in these pages, and writes docs/plot-*.svg. Needs python3 and gnuplot.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$(dirname "$here")")
figures=${1:-$source/build-bench/figures.json}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT

if ! command -v gnuplot >/dev/null; then
    echo "first, as root: apt-get install gnuplot-nox" >&2
    exit 1
fi
python3 -B "$here/fill.py" "$figures" "$data" "$source/docs"

# plot NAME X-LABEL Y-LABEL SETTINGS: a line for each file NAME.TITLE in $data
plot() {
    lines=
    for file in "$data/$1".*; do
        [ -e "$file" ] || continue
        title=${file##*.}
        lines="$lines${lines:+, }'$file' using 1:2 with linespoints linewidth 2 title '$title'"
    done
    if [ -z "$lines" ]; then
        echo "$figures has nothing for plot-$1" >&2
        return
    fi
    gnuplot <<END
set terminal svg size 720,420 font 'sans-serif,13' background '#ffffff'
set output '$source/docs/plot-$1.svg'
set termoption noenhanced
set grid
set key top left
set xlabel '$2'
set ylabel '$3'
$4
plot $lines
END
}

log='set logscale xy; set format x "%.0s %c"; set format y "%.0s %c"'
for size in 8B 64KiB 2MiB; do
    plot "lengths-$size" 'length of a task, s' 'speed, in sequential loops' \
        'set logscale x; set format x "%.0s %c"; set yrange [0:*]; set key bottom right'
done
plot sizes 'bytes of a result' 'bytes a second' "$log; set key bottom right"
plot window 'window' 'MB of shared memory, and tasks a second' 'set yrange [0:*]'
plot heap 'private memory of the application, bytes' 'a pool made, used once, ended, s' \
    'set format x "%.0s %c"; set format y "%.1s %c"; set yrange [0:*]'
plot workers 'workers' 'tasks a second' "$log; set yrange [1e4:*]"
