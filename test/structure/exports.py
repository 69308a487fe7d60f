"""The libraries define what the headers declare, and let nothing else out.

exports.py ROOT SHARED STATIC NM [COMPONENT=SHARED...]: the components are libraries with a header of
their own."""

import pathlib
import re
import subprocess
import sys

import source

DECLARATION = re.compile(r'\bSHMF_API\b[^;{]*?\b(shmf_\w+)\s*\(')

# mpi is a static library.
COMPONENTS = {'netcdf', 'hdf5', 'mpi'}


def declared(root, component=None):
    """What the library's headers declare, or a component's."""
    names = set()
    for path in source.c_files(root / 'include'):
        if (path.stem == component) if component else (path.stem not in COMPONENTS):
            names |= set(DECLARATION.findall(source.code(path)))
    return names


def defined(nm, *options):
    """The names that nm prints, without the version nodes (type A)."""
    printed = subprocess.run([nm, '--defined-only', '-P', *options],
                             capture_output=True, text=True, check=True).stdout
    names = set()
    for line in printed.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[1] != 'A':
            names.add(fields[0].split('@')[0])
    return names


def compare(public, exported):
    problems = [f'{name}() is declared, but the shared library does not export it'
                for name in sorted(public - exported)]
    return problems + [f'{name} is exported, but no header declares it'
                       for name in sorted(exported - public)]


def check(root, shared, static, nm='nm', *components):
    problems = compare(declared(root), defined(nm, '-D', shared))
    for component in components:
        name, path = component.split('=', 1)
        made = defined(nm, '-D', path) if '.so' in path else {
            symbol for symbol in defined(nm, '-g', path) if not symbol.startswith(f'shmfi_{name}_')}
        problems += compare(declared(root, name), made)
    problems += [f'{name} in the static library may collide with the program\'s own names'
                 for name in sorted(defined(nm, '-g', static)) if not name.startswith('shmf')]
    return problems


if __name__ == '__main__':
    found = check(pathlib.Path(sys.argv[1]), *sys.argv[2:])
    for problem in found:
        print(problem)
    print(f'{len(found)} problems')
    sys.exit(1 if found else 0)
