"""Manual pages, compressed. Section 3 from the public headers, one a header: man3/shmf_pool.3.gz from
pool.h, with links from the names of its functions; see headers.py for how headers are read. Sections 1 (the
tool) and 7 from the documents, where `lowdown` is there to turn Markdown into a manual page.

man.py ROOT VERSION DATE OUTPUT_DIRECTORY"""

import gzip
import pathlib
import re
import shutil
import subprocess
import sys

import headers

FUNCTION = re.compile(r'^SHMF_API\s[^;(]*?\b(shmf_\w+)\(', re.M)


def roff(text):
    """Text as roff takes it literally."""
    text = text.replace('\\', '\\e').replace('-', '\\-')
    return '\n'.join('\\&' + line if line[:1] in ('.', "'") else line for line in text.split('\n'))


def declared(code):
    """Code without the mark of exported functions, their further lines moved along."""
    return '\n\n'.join(re.sub(r'\n {9}( +)', r'\n\1', text) if 'SHMF_API' in text else text
                       for text in code.replace('SHMF_API ', 'SHMF_API').split('\n\n')).replace('SHMF_API', '')


def prose(comment):
    """A comment as paragraphs; what is indented in it stays as it is."""
    lines = []
    for paragraph in comment.split('\n\n'):
        lines.append('.PP')
        if re.search(r'^ {2,}', paragraph, re.M):
            lines += ['.nf', roff(paragraph), '.fi']
        else:
            lines.append(re.sub(r'`([^`]+)`', r'\\fI\1\\fP', roff(paragraph)))
    return '\n'.join(lines)


def page(name, text, version, date):
    """The manual page of a header, or None for one that declares no function."""
    functions = FUNCTION.findall(text)
    if not functions:
        return None, []
    parts = list(headers.parts(text))
    first, rest = parts[0].comment.partition('\n')[::2]
    subject = re.sub(r'^libshmframe: ', '', first).rstrip('.:')
    title = f'shmf_{name}'
    out = [f'.TH {title} 3 {date} "libshmframe {version}" "Library functions"',
           '.SH NAME', ', '.join(functions) + ' \\- ' + roff(subject),
           '.SH SYNOPSIS', '.nf', f'.B #include <shmframe/{name}.h>', '.PP',
           'cc \\fIfile\\fP.c $(pkg\\-config \\-\\-cflags \\-\\-libs shmframe)', '.fi',
           '.SH DESCRIPTION', prose(rest.strip())]
    for part in parts[1:]:
        code = part.code.strip('\n')
        if part.heading:
            out += ['.SS ' + roff(part.heading.capitalize())]
        elif re.sub(r'^\s*(#include.*|SHMF_(BEGIN|END)_DECLS|#endif|)$', '', code, flags=re.M).strip():
            out += ['.PP', '.EX', roff(declared(code)), '.EE']
            out += [prose(part.comment)] if part.comment else []
        elif part.comment:
            out += [prose(part.comment)]
    out += ['.SH SEE ALSO', '.BR shmframe (7),', '.BR shmframe\\-errors (7),',
            '.BR shmframe\\-format (7)']
    return '\n'.join(out) + '\n', functions


# Pages of section 7, and of the tool in section 1: name, document, what it is about.
TOOLS = [('shmframe', 'tool', 'looks at named frames and arrays, and brings files to names and back')]
CONCEPTS = [('shmframe', 'guide', 'frames in shared memory and pools of processes: a guide'),
            ('shmframe-errors', 'errors', 'what each status code means'),
            ('shmframe-format', 'format', 'the bytes of a segment'),
            ('shmframe-faq', 'faq', 'questions about fork, memory, tools and systems')]


def concept(name, section, document, subject, version, date):
    """A document as a manual page; links become their words."""
    text = re.sub(r'\[([^]]+)\]\([^)]+\)', r'\1', document.read_text())
    text = f'# NAME\n\n{name} - {subject}\n\n' + re.sub(r'^# .*\n', '# DESCRIPTION\n', text)
    return subprocess.run(['lowdown', '-s', '-Tman', '-M', f'title={name}', '-M', f'section={section}',
                           '-M', f'source=libshmframe {version}', '-M', f'date={date}',
                           '-M', 'volume=' + ('Commands' if section == 1 else 'Concepts')], input=text, capture_output=True, text=True,
                          check=True).stdout


def write(path, text):
    """Writes a page compressed, the same bytes every time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + '.gz').write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def main():
    """Writes all pages."""
    root, version, date, to = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
    for path in sorted((root / 'include/shmframe').glob('*.h')):
        text, functions = page(path.stem, path.read_text(), version, date)
        if text is None:
            continue
        title = f'shmf_{path.stem}'
        write(to / f'man3/{title}.3', text)
        for function in functions:
            if function != title:
                write(to / f'man3/{function}.3', f'.so man3/{title}.3\n')
    if shutil.which('lowdown'):
        for section, pages in ((1, TOOLS), (7, CONCEPTS)):
            for name, document, subject in pages:
                write(to / f'man{section}/{name}.{section}',
                      concept(name, section, root / f'docs/{document}.md', subject, version, date))


if __name__ == '__main__':
    main()
