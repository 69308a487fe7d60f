"""Documents that list things list all of them: docs/errors.md the status codes of error.h, and
README.md the pages of docs/, and every fault of test/campaign/faults.txt has tests that exist."""

import re
import subprocess
import sys

import source


def check(root):
    problems = []
    header, page = root / 'include/shmframe/error.h', root / 'docs/errors.md'
    if header.exists() and page.exists():
        codes = set(re.findall(r'^    (SHMF_E_\w+) = -', header.read_text(), re.M))
        rows = set(re.findall(r'^\| `(SHMF_E_\w+)`', page.read_text(), re.M))
        problems += [f'docs/errors.md: no row for {code}' for code in sorted(codes - rows)]
        problems += [f'docs/errors.md: {code} is no code' for code in sorted(rows - codes)]
    faults = root / 'test/campaign/report.py'
    if faults.exists():
        done = subprocess.run([sys.executable, '-B', faults, '--check'], stdout=subprocess.PIPE, text=True,
                              check=False)
        problems += [f'test/campaign/faults.txt: {line}' for line in done.stdout.splitlines() if done.returncode]
    readme = root / 'README.md'
    if readme.exists():
        text = readme.read_text()
        problems += [f'README.md: does not lead to docs/{path.name}'
                     for path in sorted((root / 'docs').glob('*.md'))
                     if f'](docs/{path.name})' not in text]
    return problems


if __name__ == '__main__':
    source.main(check)
