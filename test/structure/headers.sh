#!/bin/sh
# headers.sh INCLUDE_DIR CC CXX MPI_INCLUDE_DIR...: every public header compiles alone, twice over, in C11 and C++17,
# with all warnings that a program may have switched on.
include=$1
cc=$2
cxx=$3
shift 3
mpi=
for folder; do
    mpi="$mpi -isystem $folder"
done
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
    more=
    if [ "$header" = shmframe/mpi.h ]; then
        [ -n "$mpi" ] || continue
        more=$mpi
    fi
    # shellcheck disable=SC2086 # a list of options
    try "$header" "$cc" -x c -std=c11 -Wstrict-prototypes $more
    # shellcheck disable=SC2086
    try "$header" "$cxx" -x c++ -std=c++17 -Wold-style-cast $more
done
exit $failed
