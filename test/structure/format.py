"""All C and C++ of the tree is as clang-format would write it: format.py ROOT.

Versions of clang-format differ in taste; the tree follows Debian 12's (14). Exit code 77 (skipped)
where that version is not to be had.
"""

import pathlib
import subprocess
import sys

import source


def main(root):
    command = source.clang_tool('clang-format')
    if not command:
        print(f'no clang-format {source.CLANG} here')
        return 77
    files = [p for p in source.tree_files(root) if p.suffix in ('.c', '.h', '.cpp')]
    result = subprocess.run([command, '--dry-run', '--Werror', '-style=file', *map(str, files)],
                            capture_output=True, text=True)
    print(result.stderr, end='')
    print(f'{len(files)} files looked at')
    return 1 if result.returncode else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1])))
