#!/usr/bin/python3
"""check_output.py PROGRAM SOURCE: the program prints what the comment on top of its source says."""
import subprocess
import sys

program, source = sys.argv[1:]
comment = open(source, encoding="utf-8").read().split("*/")[0]
expected = [line[2:].strip() for line in comment.split(" * prints\n")[1].split("\n")[1:]]
printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split("\n")


def words(lines):
    """Lines as lists of words: how far they are indented does not matter."""
    return [line.split() for line in lines if line.strip()]


if words(printed) != words(expected):
    sys.exit("expected:\n%s\nprinted:\n%s" % ("\n".join(expected), "\n".join(printed)))
