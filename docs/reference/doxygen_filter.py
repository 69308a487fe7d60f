"""Gives Doxygen the headers in its own dialect; see headers.py for what a comment speaks for.

doxygen_filter.py HEADER"""

import pathlib
import re
import sys

import headers


def members(code):
    """Comments behind members and constants, which may go on below, as Doxygen marks them."""
    return re.sub(r'(?<=[;,\w)\]}])([ \t]+)/\* ?', r'\1/**< ', code)


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
