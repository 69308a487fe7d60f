#!/bin/sh
# headers.sh INCLUDE_DIR CC CXX: every public header compiles alone, twice over, in C11 and C++17,
# with all warnings that a program may have switched on.
include=$1
cc=$2
cxx=$3
failed=0

try() {
    header=$1
    shift
    if ! printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
        "$@" -I"$include" -Wall -Wextra -pedantic -Werror -fsyntax-only -; then
        echo "<$header> does not compile alone: $*"
        failed=1
    fi
}

cd "$include" || exit 2
for header in shmframe/*.h; do
    try "$header" "$cc" -x c -std=c11 -Wstrict-prototypes
    try "$header" "$cxx" -x c++ -std=c++17 -Wold-style-cast
done
exit $failed
