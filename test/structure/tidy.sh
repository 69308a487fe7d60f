#!/bin/sh
# tidy.sh ROOT BUILD: clang-tidy has nothing to say about lib/, nor clang-format about any source.
# Exit status 77: they are not here.
root=$1
build=$2
command -v clang-tidy >/dev/null && command -v clang-format >/dev/null || { echo 'needs clang-tidy and clang-format'; exit 77; }
cd "$root" || exit 1
find lib include examples test -name '*.[ch]' -print0 | xargs -0 -n 50 -P 2 clang-format --dry-run -Werror || exit 1
find lib -name '*.c' -print0 | xargs -0 -n 8 -P 2 clang-tidy -p "$build" --quiet 2>/dev/null
