"""Documents that list things list all of them: docs/errors.md the status codes of error.h, README.md the
pages of docs/, docs/reference.md headers and modules, docs/design.md the modules, docs/contributing.md the places
that know every dtype; every fault of test/campaign/faults.txt has tests that exist; and the version is the same
wherever it stands."""

import re
import subprocess
import sys

import source

# Files that name these distinguish dtypes, so that a new one concerns them.
KNOWS_DTYPES = re.compile(r'\b(SHMF_DECIMAL128|SHMF_DURATION|SHMFI_CLASS_\w+)\b')


def compare(page, what, listed, there):
    """Both ways: what is there and not listed, and the other way round."""
    yield from (f'{page}: no row for {what} {name}' for name in sorted(there - listed))
    yield from (f'{page}: there is no {what} {name}' for name in sorted(listed - there))


def check_errors(root):
    header, page = root / 'include/shmframe/error.h', root / 'docs/errors.md'
    if header.exists() and page.exists():
        codes = set(re.findall(r'^    (SHMF_E_\w+) = -', header.read_text(), re.M))
        rows = set(re.findall(r'^\| `(SHMF_E_\w+)`', page.read_text(), re.M))
        yield from compare('docs/errors.md', 'code', rows, codes)


def check_faults(root):
    faults = root / 'test/campaign/report.py'
    if faults.exists():
        done = subprocess.run([sys.executable, '-B', faults, '--check'], stdout=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode:
            yield from (f'test/campaign/faults.txt: {line}' for line in done.stdout.splitlines())


def check_readme(root):
    readme = root / 'README.md'
    if readme.exists():
        text = readme.read_text()
        yield from (f'README.md: does not lead to docs/{path.name}' for path in sorted((root / 'docs').glob('*.md'))
                    if f'](docs/{path.name})' not in text)


def check_reference(root):
    """One noun, one row: header, module, tests, page."""
    page = root / 'docs/reference.md'
    if not page.exists():
        return
    name = 'docs/reference.md'
    rows = [[cell.strip() for cell in line.strip('|').split('|')]
            for line in page.read_text().splitlines() if re.match(r'\| (?!what|header|---)', line)]
    headers = {match.group(1) for row in rows if (match := re.match(r'\[(\w+\.h)\]', row[0]))}
    there = {path.name for path in (root / 'include/shmframe').glob('*.h')} - {'shmframe.h'}
    yield from compare(name, 'header', headers, there)
    modules = {row[-3].strip('`') for row in rows}
    folders = {path.name for path in (root / 'lib').iterdir() if any(path.glob('*.c'))} - {'cli'}
    yield from compare(name, 'module', modules, folders)
    for row in rows:
        if not any((root / 'test').glob(row[-2].strip('`'))):
            yield f'{name}: there are no tests {row[-2]}'


def check_modules(root):
    page = root / 'docs/design.md'
    if page.exists():
        block = re.search(r'^## Modules\n\n```\n(.*?)```', page.read_text(), re.M | re.S)
        listed = set(re.findall(r'^(\w+)  ', block.group(1), re.M))
        there = set(re.findall(r'^shmframe_(?:module|adapter|component)\((\w+)',
                               (root / 'CMakeLists.txt').read_text(), re.M))
        yield from compare('docs/design.md', 'module', listed - {'mpi'}, there)


def check_dtypes(root):
    page = root / 'docs/contributing.md'
    if not page.exists():
        return
    part = re.search(r'^## Adding a dtype\n(.*?)^## ', page.read_text(), re.M | re.S)
    listed = set(re.findall(r'`((?:lib|include)/[\w/]+\.[ch])`', part.group(1))) if part else set()
    there = {str(path.relative_to(root)) for folder in ('lib', 'include')
             for path in source.c_files(root / folder) if KNOWS_DTYPES.search(source.code(path))}
    yield from compare('docs/contributing.md, Adding a dtype', 'place', listed, there)


def check_version(root):
    build, changes, symbols = (root / name for name in ('CMakeLists.txt', 'docs/changelog.md', 'lib/shmframe.map'))
    found = re.search(r'project\(\w+ VERSION (\d+\.\d+)\.(\d+)', build.read_text())
    if not found or not changes.exists() or not symbols.exists():
        return
    version = '.'.join(found.groups())
    if not re.search(rf'^## {re.escape(version)}\b', changes.read_text(), re.M):
        yield f'docs/changelog.md: nothing of {version}, which CMakeLists.txt says'
    newest = re.findall(r'^SHMFRAME_(\d+\.\d+) \{', symbols.read_text(), re.M)[-1]
    if [int(n) for n in newest.split('.')] > [int(n) for n in found.group(1).split('.')]:
        yield f'lib/shmframe.map: a node of {newest}, but CMakeLists.txt says {version}'


def check(root):
    checks = (check_errors, check_faults, check_readme, check_reference, check_modules, check_dtypes,
              check_version)
    return [problem for one in checks for problem in one(root)]


if __name__ == '__main__':
    source.main(check)
