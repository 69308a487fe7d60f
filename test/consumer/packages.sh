#!/bin/sh
# packages.sh SOURCE SCRATCH CC: the Debian packages are built, have no error in lintian's eyes, are
# installed into a tree of their own, serve a program from there, and leave nothing when purged.
set -e
source=$1
scratch=$2
export CC=$3
project=$(cd "$(dirname "$0")/project" && pwd)
if [ "$(id -u)" != 0 ] || ! command -v lintian >/dev/null; then
    echo 'needs root, and lintian'
    exit 77
fi

rm -rf "$scratch"
mkdir -p "$scratch"
cmake -S "$source" -B "$scratch/build" -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DSHMFRAME_TESTS=OFF -DSHMFRAME_EXAMPLES=OFF >"$scratch/log"
cmake --build "$scratch/build" --parallel 2 >>"$scratch/log"
cd "$scratch/build"
cpack -G DEB >>"$scratch/log"
ls ./*.deb
lintian --allow-root --fail-on error ./*.deb

root=$scratch/root
mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info"
: >"$root/var/lib/dpkg/status"
install_tree() {
    dpkg --instdir="$root" --admindir="$root/var/lib/dpkg" --log="$scratch/dpkg.log" \
        --force-script-chrootless,depends "$@" >>"$scratch/log" 2>&1
}
install_tree --install ./*.deb
dpkg --admindir="$root/var/lib/dpkg" --list 'libshmframe*' | grep '^ii'
"$root/usr/bin/shmframe" --version
pc=$(dirname "$(find "$root" -name shmframe.pc)")
# --define-prefix is not needed: the file finds its parts relative to itself.
PKG_CONFIG_PATH=$pc "$CC" -std=c11 "$project/main.c" -o "$scratch/program" \
    $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs shmframe)
LD_LIBRARY_PATH=$(dirname "$pc") "$scratch/program" | grep -x 'sum of squares: 285'

# shellcheck disable=SC2046 # a list of words
install_tree --purge $(dpkg-query --admindir="$root/var/lib/dpkg" -f '${Package}\n' -W | sort -r)
if find "$root/usr" -mindepth 1 2>/dev/null | grep .; then
    echo 'the purge left these files'
    exit 1
fi
