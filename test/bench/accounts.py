"""What the processes of a server use, read from /proc: page faults, context switches, memory. A
server is started in a session of its own, by which all its processes are found, workers and
supervisors too."""
import os
import threading


def processes(session):
    """The pids of a session."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat(int(name))
            if fields and int(fields[3]) == session:
                found.append(int(name))
    return found


def stat(pid):
    """The fields of /proc/PID/stat from the state on, or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def fields_of(path, names):
    """Sums of the numbers that follow NAME: in a file of /proc."""
    sums = dict.fromkeys(names, 0)
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in sums:
                    sums[name] += int(value.split()[0])
    except OSError:
        pass
    return sums


def shmem():
    """Bytes of shared memory on the machine."""
    return fields_of("/proc/meminfo", ["Shmem"])["Shmem"] * 1024


def usage(session):
    """Page faults and context switches so far, and memory now."""
    sums = {"faults": 0, "switches": 0, "peak_resident": 0, "shared": 0}
    switches = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"]
    for pid in processes(session):
        fields = stat(pid)
        if not fields:
            continue
        # its own and those of the children it has waited for
        sums["faults"] += sum(int(fields[i]) for i in (7, 8, 9, 10))
        sums["peak_resident"] += fields_of(f"/proc/{pid}/status", ["VmHWM"])["VmHWM"] * 1024
        sums["shared"] += fields_of(f"/proc/{pid}/smaps_rollup", ["Pss_Shmem"])["Pss_Shmem"] * 1024
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            status = fields_of(f"/proc/{pid}/task/{thread}/status", switches)
            sums["switches"] += sum(status.values())
    return sums


class Peak(threading.Thread):
    """Looks at the machine's shared memory now and then, from `with` to its end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.first = self.most = shmem()
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, shmem())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.most = max(self.most, shmem())

    def grown(self):
        """Bytes at the peak beyond those at the beginning."""
        return self.most - self.first
