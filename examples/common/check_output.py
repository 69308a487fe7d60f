#!/usr/bin/python3
"""check_output.py PROGRAM SOURCE [ARGUMENT...]: the program prints what the comment on top of its source
says. How far lines are indented does not matter; ... there stands for one or more words (figures that
another run has otherwise), on a line of its own for any number of lines."""
import re
import subprocess
import sys

program, source, *arguments = sys.argv[1:]
comment = open(source, encoding="utf-8").read().split("*/")[0]
expected = [line[2:].strip() for line in comment.split(" * prints\n")[1].split("\n")[1:]]
printed = subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def plain(lines):
    """Each line as words with one blank between them; empty ones do not count."""
    return "".join(" ".join(line.split()) + "\n" for line in lines if line.strip())


def matches(line):
    """What a line of the comment, words and all, stands for."""
    return r"(?:.+\n)*?" if line == "...\n" else re.escape(line).replace(re.escape("..."), ".+")


pattern = "".join(matches(line) for line in plain(expected).splitlines(keepends=True))
if not re.fullmatch(pattern, plain(printed.split("\n"))):
    sys.exit("expected:\n%s\nprinted:\n%s" % ("\n".join(expected), printed))
