"""Who makes which system call. All of lib/ calls through the table shmfi_sys (lib/base/sys.h), so
that tests can make any call fail, and each entry of the table belongs to one module or to few."""

import re

import source

ALL = 'every module'
MEMORY = {'memory': 'regions are its business'}
POOL = {'pool': 'processes are its business'}
MAPPINGS = MEMORY | {
    'base': 'the page that the kernel wipes at fork',
    'pool': 'the board: shared by inheritance alone, so that it has neither descriptor nor region',
}
FILES = {
    'memory': 'descriptors of regions',
    'handle': 'descriptors in flight',
    'board': 'the eventfd that wakes the application',
    'share': 'files with names, and sockets of the caller',
    'file': 'files that appear',
    'pool': 'sockets, pidfds, the board, limits in /proc and /sys',
}

NAMES = {'share': 'names are its business', 'file': 'the same, in any directory'}

# entry of the table -> module -> why it may.
OWNERS = {
    'malloc': ALL, 'calloc': ALL, 'realloc': ALL, 'free': ALL,
    'memfd_create': MEMORY, 'ftruncate': MEMORY, 'fallocate': MEMORY, 'mprotect': MEMORY,
    'shm_open': MEMORY, 'shm_unlink': MEMORY, 'getrandom': MEMORY, 'getrlimit': MEMORY,
    'sysinfo': MEMORY, 'mbind': MEMORY, 'get_mempolicy': MEMORY,
    'mmap': MAPPINGS, 'munmap': MAPPINGS, 'madvise': MAPPINGS,
    'open': FILES, 'close': FILES, 'fcntl': FILES, 'fstat': FILES,
    'read': FILES, 'write': FILES, 'poll': FILES,
    'pread': {'memory': 'files that may be cut off while we look'},
    'linkat': NAMES, 'renameat2': NAMES, 'unlink': NAMES, 'fchmod': NAMES,
    'socketpair': {'handle': 'messages with descriptors'},
    'sendmsg': {'handle': 'messages with descriptors'},
    'recvmsg': {'handle': 'messages with descriptors'},
    'futex': {'board': 'the one place that sleeps and wakes'},
    'sched_yield': {'board': 'the same', 'pool': 'until a worker that it stopped has stopped'},
    'eventfd': {'board': 'the same', 'pool': 'the application sleeps in poll'},
    'fork': POOL, 'waitpid': POOL, 'waitid': POOL, 'kill': POOL, 'pidfd_open': POOL,
    'pidfd_send_signal': POOL, 'prctl': POOL, 'getrusage': POOL,
    'sched_getaffinity': POOL, 'sched_setaffinity': POOL,
    'close_range': POOL, 'signalfd': POOL, 'epoll_create1': POOL, 'epoll_ctl': POOL,
}

# Other ways into the kernel or the allocator: nobody's. What is needed gets an entry in the table.
NOBODY = '''
    syscall vfork clone clone3 pipe pipe2 dup dup2 dup3 socket ioctl mremap msync mlock
    posix_fallocate posix_madvise shmget shmat pthread_create system popen execl execv execve
    fopen fdopen opendir openat rename sleep usleep nanosleep signal sigaction wait wait4
    strdup strndup asprintf vasprintf getline aligned_alloc posix_memalign memalign reallocarray
    alloca
'''.split()

# file or folder -> call -> why it is right there.
EXCEPTIONS = {
    'lib/base/sys.c': {ALL: 'the table itself'},
    'lib/pool/detach.c': {'syscall': 'ends a process that shares its parent\'s memory: neither '
                                     'exit handlers nor a table that tests may have changed'},
    'lib/pool/descriptors.c': {'opendir': 'where close_range is missing: old kernels, Valgrind'},
    'lib/share/info.c': {'opendir': 'names are files of a folder'},
    'lib/share/sweep.c': {'opendir': 'the same'},
    'lib/pool/progress.c': {'ioctl': 'the width of the terminal; 80 when that is not to be had'},
    'lib/pool/': {'signal': 'in supervisor and workers, with arguments that cannot fail',
                  'sigaction': 'the same'},
}

ENTRY = re.compile(r'\(\*(\w+)\)\(')
USE = re.compile(r'\bshmfi_sys\s*\.\s*(\w+)')


def direct_calls(text, names):
    for match in re.finditer(r'(?<![\w.>])(' + '|'.join(names) + r')\s*\(', text):
        yield source.line_of(text, match.start()), match.group(1)


def check_file(path, name, module, names):
    text = source.code(path)
    excused = EXCEPTIONS.get(name, {}) | EXCEPTIONS.get(f'lib/{module}/', {})
    for match in USE.finditer(text):
        owners = OWNERS.get(match.group(1), {})
        if owners != ALL and module not in owners:
            line = source.line_of(text, match.start())
            yield f'{name}:{line}: {match.group(1)} belongs to {sorted(owners)}'
    for line, call in direct_calls(text, names):
        if ALL not in excused and call not in excused:
            yield f'{name}:{line}: {call}() is called past the table shmfi_sys'


def check(root):
    table = source.code(root / 'lib/base/sys.h')
    entries = set(ENTRY.findall(table))
    problems = [f'lib/base/sys.h: {entry} has no owner in test/structure/ownership.py'
                for entry in sorted(entries - set(OWNERS))]
    problems += [f'test/structure/ownership.py: {entry} is no entry of lib/base/sys.h'
                 for entry in sorted(set(OWNERS) - entries)]
    problems += [f'test/structure/ownership.py: there is no {name} to excuse'
                 for name in EXCEPTIONS if not (root / name).exists()]
    names = sorted(entries | set(NOBODY))
    for module in source.ladder(root):
        for path in source.c_files(root / 'lib' / module):
            name = str(path.relative_to(root))
            if name != 'lib/base/sys.h':
                problems += check_file(path, name, module, names)
    return problems


if __name__ == '__main__':
    source.main(check)
