"""What the public headers say, for Doxygen and for the manual pages.

The headers are written to be read as they are: a comment at the beginning of a line speaks for all that
is declared below it, up to the next empty line; a comment behind a member or a constant speaks for that
one. The first comment of a header is about the whole."""

import re
from dataclasses import dataclass

COMMENT = re.compile(r'/\*.*?\*/\n', re.S)
RULE = re.compile(r'/\* -+ (.*?) -+ \*/\n')


@dataclass
class Part:
    """One comment and what it speaks for; `heading` for the lines that divide a header."""
    comment: str
    code: str
    heading: str = ''


def plain(comment):
    """The text of a comment without its stars; paragraphs stay apart."""
    text = comment.strip()[2:-2]
    return '\n'.join(re.sub(r'^ ?\*? ?', '', line).rstrip() for line in text.split('\n')).strip()


def end_of_code(text, start):
    """Where the code ends that a comment before `start` speaks for: at an empty line outside braces."""
    opened, end = 0, start
    while end < len(text):
        after = text.find('\n\n', end)
        after = len(text) if after < 0 else after + 1
        opened += text.count('{', end, after) - text.count('}', end, after)
        end = after
        if opened <= 0 or text[start:end].rstrip().endswith('extern "C" {'):
            break
    return end


def parts(text):
    """The header cut into parts, the one about the whole first; code that no comment speaks for has ''."""
    position = 0
    while position < len(text):
        if text[position] == '\n':
            position += 1
            continue
        match = COMMENT.match(text, position)
        if match and (rule := RULE.match(match.group())):
            yield Part('', '', rule.group(1))
            position = match.end()
            continue
        start = match.end() if match else position
        end = start if match and text[start:start + 1] == '\n' else end_of_code(text, start)
        yield Part(plain(match.group()) if match else '', text[start:end])
        position = end


def declarations(code):
    """The single declarations in a part's code, each with its lines."""
    gathered, depth = [], 0
    for line in code.split('\n'):
        if not line.strip() and not gathered:
            continue
        gathered.append(line)
        bare = re.sub(r'/\*.*?(\*/|$)', '', line)
        depth += bare.count('{') + bare.count('(') - bare.count('}') - bare.count(')')
        directive = gathered[0].startswith('#') and not line.endswith('\\')
        if depth == 0 and (directive or bare.rstrip().endswith(';')):
            yield '\n'.join(gathered)
            gathered = []
    if any(line.strip() for line in gathered):
        yield '\n'.join(gathered)
