#!/bin/sh
# stacks.sh PID SESSION: says where the processes of a test hang, then kills all of them but PID.
# Of a test are the descendants of PID, and its session where PID leads it; not this script.
pid=$1
session=$2

all() {
    cat /proc/[0-9]*/stat 2>/dev/null | sed 's/ (.*)//' |
        awk -v top="$pid" -v session="$session" -v self=$$ '
        function below(p, ancestor,    q) {
            for (q = p; q in parent && q > 1; q = parent[q])
                if (q == ancestor || parent[q] == ancestor)
                    return 1
            return 0
        }
        { parent[$1] = $3; member[$1] = (session == top && $5 == session) }
        END {
            for (p in parent)
                if (p != top && (member[p] || below(p, top)) && !below(p, self))
                    print p
        }'
}

show() {
    state=$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat")
    echo "== $(cat "/proc/$1/comm"), pid $1, state $state, in $(cat "/proc/$1/wchan" 2>/dev/null)"
    if command -v gdb >/dev/null; then
        timeout 20 gdb -batch -nx -p "$1" -ex 'thread apply all bt 25' 2>/dev/null |
            grep -E '^(#|Thread)'
    fi
}

others=$(all)
for one in $pid $others; do
    show "$one"
done >&2
# Stopped first, so that nobody replaces those who go.
for how in STOP KILL; do
    for one in $others; do
        kill -s $how "$one" 2>/dev/null
    done
done
exit 0
