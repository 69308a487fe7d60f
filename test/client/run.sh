#!/usr/bin/env bash
# run.sh FOLDER PACKAGE@VERSION... -- COMMAND ARGUMENT...
#
# Installs npm packages into FOLDER, unless they are there, and runs the command with FOLDER as
# SHMF_CLIENTS. Exit status 77, with the reason, where that is not possible: no npm, no registry.
set -euo pipefail
folder=$1
shift
packages=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    packages+=("$1")
    shift
done
shift

skip() {
    echo "skipped: $*"
    exit 77
}

command -v npm >/dev/null || skip "there is no npm"
mkdir -p "$folder"
began=$(date +%s)
exec 8>"$folder/lock"
flock 8
wanted=$(printf '%s\n' "${packages[@]}")
if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
    # A registry that does not answer is waited for once, not by one test after the other.
    [ "$(cat "$folder/failed" 2>/dev/null || echo 0)" -lt "$began" ] || skip "npm could not install $wanted"
    echo '{"private": true}' >"$folder/package.json"
    (cd "$folder" && timeout --kill-after=5 100 npm install --no-audit --no-fund --no-save --ignore-scripts \
        "${packages[@]}") >"$folder/npm.log" 2>&1 ||
        { date +%s >"$folder/failed" && skip "npm could not install $wanted"; }
    echo "$wanted" >"$folder/installed"
fi
flock -u 8
export SHMF_CLIENTS=$folder
# Of those tests that install it.
export SHMFRAME_DUCKDB=$folder/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so
exec "$@"
