#!/bin/sh
# run.sh SOURCE BUILD SCRATCH CC CXX: installs the library from BUILD, moves the installed tree
# elsewhere, and builds and runs project/ against it in every way that a user may choose:
# find_package, pkg-config (shared and static), and add_subdirectory of the source.
set -e
source=$1
build=$2
scratch=$3
export CC=$4 CXX=$5
project=$(cd "$(dirname "$0")/project" && pwd)
expected='sum of squares: 285'

check() {
    said=$("$@")
    if [ "$said" != "$expected" ]; then
        echo "$*: said '$said', not '$expected'"
        exit 1
    fi
    echo "ok: ${1#"$scratch"/}"
}

# The four programs of project/ in build tree $1; the rest goes to cmake.
with_cmake() {
    tree=$scratch/$1
    shift
    cmake -S "$project" -B "$tree" -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@" >"$scratch/log" &&
        cmake --build "$tree" --parallel 2 >>"$scratch/log" || { cat "$scratch/log"; exit 1; }
    for program in c_shmframe c_static cpp_shmframe cpp_static; do
        check "$tree/$program"
    done
}

with_pkgconfig() {
    flags="-Wall -Wextra -Werror"
    "$CC" -std=c11 $flags "$project/main.c" -o "$scratch/pc_c" \
        $(pkg-config --cflags --libs shmframe) -Wl,-rpath,"$library"
    "$CXX" -std=c++17 $flags "$project/main.cpp" -o "$scratch/pc_cpp" \
        $(pkg-config --cflags --libs shmframe) -Wl,-rpath,"$library"
    "$CC" -std=c11 $flags -static "$project/main.c" -o "$scratch/pc_static" \
        $(pkg-config --static --cflags --libs shmframe)
    check "$scratch/pc_c"
    check "$scratch/pc_cpp"
    check "$scratch/pc_static"
}

rm -rf "$scratch"
mkdir -p "$scratch"
cmake --install "$build" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/moved"
library=$(dirname "$(find "$scratch/moved" -name libshmframe.a)")
export PKG_CONFIG_PATH="$library/pkgconfig"

with_cmake find_package -DCMAKE_PREFIX_PATH="$scratch/moved"
with_pkgconfig
with_cmake add_subdirectory -DSHMFRAME_SOURCE="$source"

# As part of another project the library brings no tests, examples or install rules along.
if find "$scratch/add_subdirectory" -name '*test_support*' | grep .; then
    exit 1
fi
if grep -rl "$source" "$scratch/moved" --include='*.cmake' --include='*.pc' --include='*.h'; then
    echo 'these installed files name the source tree'
    exit 1
fi
