"""Nothing includes upward: a module sees the modules that CMakeLists.txt lets it use, no others.

Adapters, the command-line tool and the examples see public headers only, which proves that the
public API suffices."""

import source

# Public headers that are vocabulary: plain values without functions of a module behind them, or
# with functions that their users do not call. Every module may name them.
VOCABULARY = {'base', 'error', 'dtype', 'handle', 'format'}

# Public headers beside X.h that belong to module X.
ALSO = {
    'base': {'warning'},
    # Arrays and frames are granted for writing.
    'array': {'grant'},
    # A frame has columns, is built row by row, and is made from others.
    'frame': {'builder', 'column', 'derive', 'grant'},
    # Arrow's files are its own.
    'arrow': {'ipc'},
    # The pool makes tasks, results and futures; task/ fills them.
    'pool': {'control', 'early', 'future', 'map', 'progress', 'reduce', 'result', 'task'},
    'share': {'image', 'lend'},
    'task': {'frame_map', 'result', 'task'},
}

PUBLIC_ONLY = ['lib/arrow', 'lib/csv', 'lib/duckdb', 'lib/npy', 'lib/netcdf', 'lib/hdf5', 'lib/io', 'lib/mpi',
                'lib/cli', 'examples', 'test/consumer']


def check_module(root, name, closure):
    public = set(VOCABULARY)
    for module in closure:
        public |= {module} | ALSO.get(module, set())
    for path in source.c_files(root / 'lib' / name):
        for line, bracket, header in source.includes(path):
            where = f'{path.relative_to(root)}:{line}: '
            head, _, rest = header.partition('/')
            if bracket == '"' and head not in closure:
                yield where + f'{name}/ may not include "{header}" (uses: {sorted(closure)})'
            elif bracket == '"' and not rest:
                yield where + f'write "{name}/{header}": includes are named from lib/'
            elif head == 'shmframe' and rest.removesuffix('.h') not in public:
                yield where + f'{name}/ may not include <{header}>'


def check_public_only(root, folder):
    for path in source.c_files(root / folder):
        for line, bracket, header in source.includes(path):
            own = (path.parent / header).exists() or (root / folder / header).exists()
            if bracket == '"' and not own:
                yield (f'{path.relative_to(root)}:{line}: "{header}" is internal; '
                       f'{folder}/ lives on <shmframe/...> alone')


def check(root):
    ladder = source.ladder(root)
    problems = []
    for name, closure in ladder.items():
        problems += check_module(root, name, closure)
    known = set(ladder) | {'cmake', 'python'} | {folder.removeprefix('lib/') for folder in PUBLIC_ONLY}
    for folder in sorted(p.name for p in (root / 'lib').iterdir() if p.is_dir()):
        if folder not in known:
            problems.append(f'lib/{folder}: neither a module in CMakeLists.txt nor an adapter')
    for folder in PUBLIC_ONLY:
        problems += check_public_only(root, folder)
    for path in source.c_files(root / 'include'):
        for line, bracket, header in source.includes(path):
            if bracket == '"':
                problems.append(f'{path.relative_to(root)}:{line}: write <shmframe/{header}>')
    return problems


if __name__ == '__main__':
    source.main(check)
