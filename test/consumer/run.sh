#!/bin/sh
# run.sh SOURCE BUILD SCRATCH CC CXX: installs the library from BUILD, moves the installed tree
# elsewhere, and builds and runs project/ against it in every way that a user may choose:
# find_package, pkg-config (shared and static), add_subdirectory of the source (optimised as releases
# are, and without a warning), and FetchContent of an archive and of a repository.
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
    cmake -S "$project" -B "$tree" -DCMAKE_BUILD_TYPE=Release "$@" >"$scratch/log" &&
        cmake --build "$tree" --parallel 2 >>"$scratch/log" || { cat "$scratch/log"; exit 1; }
    for program in c_shmframe c_static cpp_shmframe cpp_static; do
        check "$tree/$program"
    done
    for component in netcdf hdf5; do
        if [ -e "$tree/c_$component" ]; then
            check "$tree/c_$component" "$scratch/squares"
        fi
    done
    if [ -e "$tree/c_mpi" ]; then # without mpirun; Open MPI must be told that root is meant
        check env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "$tree/c_mpi"
    fi
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
    for component in netcdf hdf5; do
        [ -e "$library/pkgconfig/shmframe-$component.pc" ] || continue
        "$CC" -std=c11 $flags -DUSE_$(echo $component | tr a-z A-Z) "$project/component.c" \
            -o "$scratch/pc_$component" \
            $(pkg-config --cflags --libs shmframe-$component) -Wl,-rpath,"$library"
        check "$scratch/pc_$component" "$scratch/squares"
    done
}

rm -rf "$scratch"
mkdir -p "$scratch"
cmake --install "$build" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/moved"
library=$(dirname "$(find "$scratch/moved" -name libshmframe.a)")
export PKG_CONFIG_PATH="$library/pkgconfig"

with_cmake find_package -DCMAKE_PREFIX_PATH="$scratch/moved"
with_pkgconfig
with_cmake add_subdirectory -DSHMFRAME_SOURCE="$source" -DSHMFRAME_WERROR=ON

# The source as an archive, and as a repository where it is one: what is fetched is the last commit.
# Debug is compiled quickly, and has warnings of its own.
(cd "$source" && tar -czf "$scratch/shmframe.tar.gz" CMakeLists.txt LICENSE README.md docs examples include lib)
with_cmake fetch_archive -DCMAKE_BUILD_TYPE=Debug -DSHMFRAME_WERROR=ON \
    -DSHMFRAME_URL="file://$scratch/shmframe.tar.gz"
if git -C "$source" rev-parse HEAD >/dev/null 2>&1; then
    # A repository that belongs to somebody else would be refused.
    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' \
        with_cmake fetch_repository -DCMAKE_BUILD_TYPE=Debug \
            -DSHMFRAME_GIT="file://$source"
fi

# As part of another project the library brings no tests, examples or install rules along.
if find "$scratch" -name '*test_support*' -o -name 'hello_frame' | grep .; then
    exit 1
fi
if grep -rl "$source/" "$scratch/moved" --include='*.cmake' --include='*.pc' --include='*.h'; then
    echo 'these installed files name the source tree'
    exit 1
fi
