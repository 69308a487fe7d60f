"""Documents that list things list all of them: docs/errors.md the status codes of error.h, and
README.md the pages of docs/."""

import re

import source


def check(root):
    problems = []
    header, page = root / 'include/shmframe/error.h', root / 'docs/errors.md'
    if header.exists() and page.exists():
        codes = set(re.findall(r'^    (SHMF_E_\w+) = -', header.read_text(), re.M))
        rows = set(re.findall(r'^\| `(SHMF_E_\w+)`', page.read_text(), re.M))
        problems += [f'docs/errors.md: no row for {code}' for code in sorted(codes - rows)]
        problems += [f'docs/errors.md: {code} is no code' for code in sorted(rows - codes)]
    readme = root / 'README.md'
    if readme.exists():
        text = readme.read_text()
        problems += [f'README.md: does not lead to docs/{path.name}'
                     for path in sorted((root / 'docs').glob('*.md'))
                     if f'](docs/{path.name})' not in text]
    return problems


if __name__ == '__main__':
    source.main(check)
