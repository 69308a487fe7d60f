"""Gives Doxygen the headers in its own dialect; see headers.py for what a comment speaks for.

doxygen_filter.py HEADER"""

import pathlib
import re
import sys

import headers


def members(code):
    """Comments behind members and constants, which may go on below, as Doxygen marks them; a member
    without one means what its name says."""
    code = re.sub(r'(?<=[;,\w)\]}])([ \t]*)/\* ?', r'\1/**< ', code)
    several = re.compile(r'^( +\w+ )(\w+), (\w+)([^;]*;)(.*)$', re.M)
    while several.search(code):
        code = several.sub(r'\1\2;\5\n\1\3\4\5', code)
    if re.match(r'(typedef )?(struct|enum|union)\b.*{', code):
        code = re.sub(r'^( +[^/{}#\n]*[;,])$', r'\1 /**< as named */', code, flags=re.M)
        code = re.sub(r'^( +\w+(?: = \w+)?)$', r'\1 /**< as named */', code, flags=re.M)
        code = re.sub(r'^( +} \w+;)$', r'\1 /**< as named */', code, flags=re.M)
    return code


def main():
    """Writes the header to stdout."""
    path = pathlib.Path(sys.argv[1])
    text = path.read_text()
    for number, part in enumerate(headers.parts(text)):
        if number == 0:
            print(f'/** @file\n{part.comment} */\n{part.code}')
        elif not part.heading:
            for declaration in headers.declarations(part.code):
                if part.comment:
                    print(f'/** {part.comment} */')
                print(f'{members(declaration)}\n')


if __name__ == '__main__':
    main()
