"""The README's example compiles without a warning, runs, and prints what the README says.

readme.py ROOT STATIC_LIBRARY CC"""

import pathlib
import re
import subprocess
import sys
import tempfile

root, library, cc = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
blocks = re.findall(r'^```(\w+)\n(.*?)^```$', (root / 'README.md').read_text(), re.M | re.S)
program = next(text for kind, text in blocks if kind == 'c')
expected = next(text for kind, text in blocks if kind == 'text')

with tempfile.TemporaryDirectory(prefix='shmf-readme-') as folder:
    source = pathlib.Path(folder) / 'example.c'
    source.write_text(program)
    subprocess.run([cc, '-std=c11', '-Wall', '-Wextra', '-Werror', '-I', root / 'include', source,
                    '-o', source.with_suffix(''), library, '-pthread', '-lm'], check=True)
    run = subprocess.run([source.with_suffix('')], capture_output=True, text=True, timeout=30,
                         check=False)

print(run.stdout, end='')
print(run.stderr, end='', file=sys.stderr)
if run.returncode or run.stdout != expected:
    sys.exit(f'exit status {run.returncode}; the README says that it prints\n{expected}')
