"""What the checks of this folder share: the tree's files, C without comments, the ladder."""

import pathlib
import re
import shutil
import subprocess
import sys

LEXEME = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
MODULE = re.compile(
    r'^\s*shmframe_(module|adapter)\((\w+)(?:\s+USES\s+([\w\s]+))?\)', re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
CLANG = 14  # Debian 12's: the versions differ in what they write and find


def blank(match):
    """Comments and strings become blanks; line numbers stay."""
    return re.sub(r'[^\n]', ' ', match.group())


def code(path):
    return LEXEME.sub(blank, path.read_text())


def includes(path):
    """(line, bracket, header) of each #include; comments do not count, quoted names do."""
    text = re.sub(r'//[^\n]*|/\*.*?\*/', blank, path.read_text(), flags=re.DOTALL)
    for match in INCLUDE.finditer(text):
        yield line_of(text, match.start(2)), match.group(1), match.group(2)


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def c_files(folder):
    return sorted(p for p in folder.rglob('*.[ch]') if p.is_file())


def tree_files(root):
    """The files of the tree: those that git knows or would add, else all but build trees."""
    command = ['git', '-C', str(root), 'ls-files', '-z', '--cached', '--others',
               '--exclude-standard']
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        listed = ''
    if listed:
        names = sorted(set(listed.split('\0')) - {''})
        return [root / name for name in names if (root / name).is_file()]
    hidden = re.compile(r'(^|/)(\.git|build[^/]*)/')
    return sorted(p for p in root.rglob('*')
                  if p.is_file() and not hidden.search(str(p.relative_to(root))))


def ladder(root):
    """module -> the modules and adapters that it may use, itself included (the closure of USES)."""
    closure, modules = {}, []
    for kind, name, used in MODULE.findall((root / 'CMakeLists.txt').read_text()):
        closure[name] = {name}
        for other in used.split():
            closure[name] |= closure[other]
        if kind == 'module':
            modules.append(name)
    return {name: closure[name] for name in modules}


def clang_tool(name):
    """The path of a clang tool of version CLANG, or None."""
    for path in filter(None, map(shutil.which, (f'{name}-{CLANG}', name))):
        answer = subprocess.run([path, '--version'], capture_output=True, text=True).stdout
        if re.search(rf'version {CLANG}\.', answer):
            return path
    return None


def main(check):
    """Runs check(root) on the folder named on the command line; prints what it found."""
    problems = check(pathlib.Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f'{len(problems)} problems')
    sys.exit(1 if problems else 0)
