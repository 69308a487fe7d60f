#!/bin/sh
# hosts.sh FLAVOUR RANKS PROGRAM ARGUMENT...: runs a program of several ranks on three hosts, which are
# network namespaces of this machine with names and addresses of their own, by openmpi's or mpich's
# mpirun, which starts ranks on the others through an agent, as it would by ssh. All of it lives in a
# process namespace, with which it goes. Exit status 77: namespaces are not to be had.
#
# hosts.sh agent HOST COMMAND...: that agent.
folder=${SHMFRAME_TEST_HOSTS:-}
if [ "$1" = agent ]; then
    shift
    while [ "${1#-}" != "$1" ]; do # options of ssh
        shift
    done
    host=$1
    shift
    exec nsenter --target "$(cat "$folder/$host")" --net --uts -- sh -c "$*"
fi

self=$(readlink -f "$0")
if [ -z "$folder" ]; then
    folder=$(mktemp -d) || exit 1
    trap 'rm -rf "$folder"' EXIT
    id=
    [ "$(id -u)" = 0 ] || id=--map-root-user
    # shellcheck disable=SC2086 # an option, or none
    start="unshare $id --net --uts --mount --pid --fork --kill-child --mount-proc"
    $start sh -c 'ip link add test type bridge && ip link add one type veth peer name two' 2>/dev/null ||
        { echo 'network namespaces are not to be had'; exit 77; }
    SHMFRAME_TEST_HOSTS=$folder $start sh "$self" "$@"
    exit
fi

# From here on this is the first host.
set -e
flavour=$1
ranks=$2
shift 2
network=10.213.77
hostname shmf-one
printf '127.0.0.1 localhost\n%s.1 shmf-one\n%s.2 shmf-two\n%s.3 shmf-three\n' $network $network $network >"$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts
ip link set lo up
ip link add bridge type bridge
ip address add $network.1/24 dev bridge
ip link set bridge up
number=1
for name in two three; do
    number=$((number + 1))
    unshare --net --uts sh -c "hostname shmf-$name && exec sleep 1000" &
    host=$!
    while [ "$(nsenter --target $host --uts hostname)" != "shmf-$name" ]; do # until it has its own
        sleep 0.05
    done
    ip link add "to-$name" type veth peer name net netns $host
    ip link set "to-$name" master bridge up
    nsenter --target $host --net ip address add $network.$number/24 dev net
    nsenter --target $host --net ip link set net up
    nsenter --target $host --net ip link set lo up
    echo $host >"$folder/shmf-$name"
done

printf '#!/bin/sh\nexec sh %s agent "$@"\n' "$self" >"$folder/agent"
chmod +x "$folder/agent"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 TMPDIR="$folder"
case $flavour in
openmpi)
    mpirun.openmpi --host shmf-one:2,shmf-two:2,shmf-three:1 -n "$ranks" --oversubscribe \
        --mca plm_rsh_agent "$folder/agent" --mca oob_tcp_if_include $network.0/24 \
        --mca btl_tcp_if_include $network.0/24 --mca btl self,vader,tcp --mca pml ob1 \
        --mca btl_vader_single_copy_mechanism none --mca mpi_yield_when_idle 1 \
        --mca hwloc_base_binding_policy none "$@"
    ;;
mpich)
    mpirun.mpich -hosts shmf-one:2,shmf-two:2,shmf-three:1 -n "$ranks" -launcher ssh \
        -launcher-exec "$folder/agent" "$@"
    ;;
esac
