#!/usr/bin/env bash
# test/newcomer/run.sh [--keep] [--only TRIAL]... [DIRECTORY]
#
# Somebody with a fresh Debian 12 machine and the README alone: makes such a root with debootstrap,
# from the mirror that this machine's apt uses, copies a clone of the last commit into it, enters it
# as a container is entered, types what the README says, and reports the seconds of each step. Trials:
#   program   installed as the README says; its first program, compiled and linked as it says, prints
#             what it says; the same by find_package
#   examples  examples/run.sh
#   tests     test/run.sh --quick, in the root of the trial before
#   packages  of an archive of the commit; they are installed by apt into a fresh root, of which they
#             obtain what they depend on, serve the first program, and leave nothing when purged
# Needs root, debootstrap and git, and about 6 GB in DIRECTORY (otherwise a temporary one, removed at
# the end unless --keep is given). The exit status is 1 when a step failed, or when it took more than
# ten minutes until a program of one's own and the main job had run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
suite=bookworm
keep=
trials=()
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=1 ;;
    --only) trials+=("${2:?--only needs a trial}") && shift ;;
    --help | -h) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit ;;
    -*) echo "no option $1" >&2 && exit 1 ;;
    *) break ;;
    esac
    shift
done
[ ${#trials[@]} -gt 0 ] || trials=(program examples tests packages)
for tool in debootstrap git unshare; do
    command -v "$tool" >/dev/null || { echo "please install $tool" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "needs root: it makes a machine of its own" >&2; exit 1; }
directory=${1:-$(mktemp -d)}
mkdir -p "$directory"
[ -n "$keep" ] || trap 'rm -rf --one-file-system "$directory"/{base,program,examples,packages,archive}
    rmdir --ignore-fail-on-non-empty "$directory"' EXIT

mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite=$suite '$1 == suite { print $2; exit }')
if [ ! -e "$directory/base/etc/debian_version" ]; then
    echo "== a Debian root"
    debootstrap --variant=minbase $suite "$directory/base" ${mirror:+"$mirror"} >"$directory/base.log" ||
        { tail "$directory/base.log"; exit 1; }
    cp /etc/resolv.conf "$directory/base/etc/resolv.conf"
fi

# A fresh machine of the name $1, with a clone.
machine() {
    rm -rf --one-file-system "${directory:?}/$1"
    cp -a --reflink=auto "$directory/base" "$directory/$1"
    git clone -q --no-hardlinks "$source" "$directory/$1/libshmframe"
}

table=
failed=0
early=0 # seconds until a program of one's own and the main job had run
# step MACHINE NAME COMMAND...: in the machine, with its seconds.
step() {
    local machine=$1 name=$2 begin=$SECONDS said="ok"
    shift 2
    echo "== $name"
    if ! "$here/enter.sh" "$directory/$machine" "$@" >"$directory/$name.log" 2>&1 </dev/null; then
        said="FAILED, see $name.log"
        failed=1
        keep=1
        trap - EXIT
        tail -n 30 "$directory/$name.log"
    fi
    case $name in tests | packages* | dependencies) ;; *) early=$((early + SECONDS - begin)) ;; esac
    table+=$(printf '%-14s %6d s  %s' "$name" $((SECONDS - begin)) "$said")$'\n'
    [ "$said" = ok ]
}

# What the README says: the block of language $2 under the heading that begins with $1, and in the
# text, the packages to install and the way to compile.
block() {
    awk -v AFTER="$1" -v LANGUAGE="$2" -f "$here/readme.awk" "$source/README.md"
}
text=$(tr '\n' ' ' <"$source/README.md")
needed=$(sed 's/.*(Debian: `\([^`]*\)`.*/\1/' <<<"$text")
compile=$(sed 's/.*- pkg-config: `\([^`]*\)`.*/\1/' <<<"$text")
pack=$(sed 's/.*- Debian packages[^`]*`\([^`]*\)`.*/\1/' <<<"$text")
pack_needs=$(sed 's/.*- Debian packages[^`]*`[^`]*`, which needs `\([a-z-]*\)` and `\([a-z-]*\)`.*/\1 \2/' <<<"$text")
install_needed="export DEBIAN_FRONTEND=noninteractive
apt-get update -q && apt-get install -q -y --no-install-recommends $needed pkg-config"

# The first program, what it prints, and a project that uses find_package, in the home of machine $1.
own_program() {
    local home=$directory/$1/root
    block "A first program" c >"$home/main.c"
    block "A first program" text >"$home/expected"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(mine C)' \
        'find_package(shmframe 0.1 REQUIRED)' 'add_executable(mine main.c)' \
        'target_link_libraries(mine shmframe::shmframe)' >"$home/CMakeLists.txt"
}
by_pkgconfig="cd && $compile && ./a.out | tee printed && diff -w expected printed"
by_cmake='cd && cmake -S . -B mine && cmake --build mine && mine/mine | diff -w expected -'

trial_program() {
    machine program
    own_program program
    step program install bash -ec "$install_needed
$(block "In your program" sh)" &&
        step program pkg-config bash -ec "$by_pkgconfig" &&
        step program find_package bash -ec "$by_cmake"
}

trial_examples() {
    machine examples
    step examples examples examples/run.sh
}

trial_tests() {
    [ -e "$directory/examples" ] || machine examples
    step examples tests test/run.sh --quick
}

# The list of files outside /var/log, /var/cache and apt's lists, with their sizes.
list_files() {
    (cd "$directory/$1" && find . -xdev \( -path ./var/log -o -path ./var/cache -o -path ./var/lib/apt \
        -o -path ./var/lib/dpkg -o -path ./root -o -path ./tmp -o -path ./etc/ld.so.cache \) -prune \
        -o -type f -printf '%p %s\n' | sort)
}

trial_packages() {
    machine packages
    mkdir -p "$directory/archive"
    rm -rf "$directory/packages/libshmframe"
    git -C "$source" archive --prefix=libshmframe/ HEAD | tar -x -C "$directory/packages"
    step packages packages-build bash -ec "$install_needed $pack_needs
$pack" || return 1
    cp "$directory"/packages/libshmframe/build/*.deb "$directory/archive"
    # A machine that has nothing of the build; the archive stands where the clone stood.
    machine packages
    own_program packages
    rm -rf "$directory/packages/libshmframe"
    mkdir "$directory/packages/libshmframe"
    cp "$directory"/archive/*.deb "$directory/packages/libshmframe"
    step packages dependencies bash -ec "export DEBIAN_FRONTEND=noninteractive
apt-get update -q && apt-get install -q -y --no-install-recommends gcc libc6-dev pkg-config $(
        for deb in "$directory"/archive/*.deb; do dpkg-deb -f "$deb" Depends; done | tr ',' '\n' |
            sed 's/[(|].*//; /shmframe/d' | sort -u | tr '\n' ' ')" || return 1
    list_files packages >"$directory/before"
    step packages packages bash -ec "DEBIAN_FRONTEND=noninteractive apt-get install -q -y ./*.deb
dpkg --verify \$(for deb in *.deb; do dpkg-deb -f \$deb Package; done)
shmframe --version
(${by_pkgconfig})
apt-get purge -q -y \$(for deb in *.deb; do dpkg-deb -f \$deb Package; done)" || return 1
    list_files packages >"$directory/after"
    if ! diff "$directory/before" "$directory/after"; then
        echo "the purge did not leave things as they were"
        failed=1
    fi
}

for trial in "${trials[@]}"; do
    "trial_$trial" || failed=1
done
echo
echo "step            seconds  ($(nproc) cores; $(git -C "$source" describe --always); $(date -u +%F))"
printf '%s' "$table"
echo "own program and main job: $early s"
[ "$early" -le 600 ] || failed=1
exit $failed
