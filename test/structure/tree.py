"""The tree as a whole: its top level, the length of its files and functions, that it stands alone, and
that the links of its documents lead somewhere."""

import re

import source

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 80

# file -> why it is longer.
LONG = {'lib/python/shmframe.py': 'one file that is copied to where Python finds it',
        'test/structure/abi.xml': 'written by abidw'}

TOP = {'include', 'lib', 'examples', 'test', 'docs', 'CMakeLists.txt', 'README.md', 'LICENSE'}

# Paths of one machine or of one workshop. Written in pieces, or this file would name them.
FOREIGN = re.compile('|'.join([
    r'(?<![\w./-])/' + r'(work|home|root|Users|mnt)/\w', r'\.\./' + 'shared/', r'/tmp/' + 'build-',
    r'\b[Ii]ssue ' + r'#?\d']))


def check_text(name, text):
    lines = text.count('\n')
    if lines > MOST_LINES and name not in LONG:
        yield f'{name}: {lines} lines; split it, or give a reason in test/structure/tree.py'
    for match in FOREIGN.finditer(text):
        yield f'{name}:{source.line_of(text, match.start())}: names "{match.group()}"'


BODY = re.compile(r'^(\w[^\n;]*(?:\n[^\n{};]+)*)\n\{\n(.*?)^\}$', re.M | re.S)


def check_functions(name, text):
    for match in BODY.finditer(text):
        lines = match.group(2).count('\n')
        if lines > MOST_LINES_OF_A_FUNCTION:
            yield f'{name}:{source.line_of(text, match.start())}: a function of {lines} lines'


LINK = re.compile(r'\]\((?!https?:|#)([^)#\s]+)')


def check_links(root, path):
    for match in LINK.finditer(path.read_text()):
        if not (path.parent / match.group(1)).exists():
            yield f'{path.relative_to(root)}: there is no {match.group(1)}'


def check(root):
    problems = [f'test/structure/tree.py: no file {name} to excuse'
                for name in LONG if not (root / name).exists()]
    for path in source.tree_files(root):
        name = str(path.relative_to(root))
        top = name.split('/')[0]
        if top not in TOP and not top.startswith('.'):
            problems.append(f'{name}: does not belong at the top level')
        if path.suffix == '.md':
            problems += check_links(root, path)
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        problems += check_text(name, text)
        if path.suffix in ('.c', '.h', '.cpp'):
            problems += check_functions(name, text)
    return problems


if __name__ == '__main__':
    source.main(check)
