#!/bin/sh
# enter.sh ROOT COMMAND...: runs COMMAND with ROOT as its whole world, the way containers do: a root
# that is a mount, processes of its own, a small /dev with /dev/pts and 64 MiB of /dev/shm, /sys
# read-only, and nothing of the caller's environment. Nothing outlives COMMAND, and no mount is seen
# outside.
set -e
if [ "$1" != inside ]; then
    exec unshare --mount --pid --ipc --uts --fork --kill-child "$0" inside "$@"
fi
root=$2
shift 2
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777,size=64m tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
hostname newcomer
pivot_root . .
umount -l .
# The shell stays as the first process, which waits for orphans.
exec env -i HOME=/root TERM=dumb LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    sh -c 'cd /libshmframe && "$@"; exit' sh "$@"
