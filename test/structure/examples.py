"""The examples are a ladder: one idea each, at most 150 lines, what they print on top of the file, a row
in the index, and a place in CMakeLists.txt, where they become programs whose output is compared."""

import re

import source

MOST_LINES = 150

PRINTS = re.compile(r'\A/\*.*?\n \* prints\n \*\n \*     +\S.*?\*/', re.S)


def check_example(root, path, index, built):
    name = path.name
    if path.read_text().count('\n') > MOST_LINES:
        yield f'examples/{name}: more than {MOST_LINES} lines'
    if not PRINTS.match(path.read_text()):
        yield f'examples/{name}: its first comment does not say what it prints'
    if f']({name})' not in index:
        yield f'examples/README.md: no row for {name}'
    if path.stem not in built:
        yield f'examples/CMakeLists.txt: does not build {path.stem}'


def check(root):
    folder = root / 'examples'
    if not folder.exists():
        return []
    index = (folder / 'README.md').read_text()
    built = set(re.findall(r'\w+', (folder / 'CMakeLists.txt').read_text()))
    components = re.findall(r'foreach\(component IN ITEMS ([\w ]+)\)', (folder / 'CMakeLists.txt').read_text())
    built |= {f'hello_{name}' for names in components for name in names.split()}
    return [problem for path in sorted(folder.glob('*.c'))
            for problem in check_example(root, path, index, built)]


if __name__ == '__main__':
    source.main(check)
