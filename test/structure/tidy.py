"""clang-tidy finds nothing in the library, the tool and the examples: tidy.py ROOT BUILD.

What it looks for, and what it does not and why, stands in .clang-tidy. BUILD has the
compile_commands.json of the build that is tested; sources that are not built here are not looked
at. Exit code 77 (skipped) without clang-tidy 14, Debian 12's: other versions look for other things.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import source

FOLDERS = ('lib', 'examples')


def sources(root, build):
    """The files of FOLDERS that the build compiles, in order."""
    entries = json.loads((build / 'compile_commands.json').read_text())
    found = {pathlib.Path(e['directory'], e['file']).resolve() for e in entries}
    return sorted(f for f in found if f.suffix == '.c' and f.is_relative_to(root)
                  and f.relative_to(root).parts[0] in FOLDERS)


def look(command, root, build, files):
    """What clang-tidy says about the files, '' if nothing."""
    result = subprocess.run([command, '-p', str(build), '--quiet',
                             f'--config-file={root / ".clang-tidy"}', *map(str, files)],
                            capture_output=True, text=True)
    return result.stdout + result.stderr if result.returncode else ''


def main(root, build):
    command = source.clang_tool('clang-tidy')
    if not command:
        print(f'no clang-tidy {source.CLANG} here')
        return 77
    files = sources(root, build)
    groups = [files[i:i + 4] for i in range(0, len(files), 4)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(lambda group: look(command, root, build, group), groups))
    print(''.join(said), end='')
    print(f'{len(files)} files looked at')
    return 1 if any(said) or not files else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
