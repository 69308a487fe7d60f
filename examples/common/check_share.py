#!/usr/bin/python3
"""check_share.py PUBLISH ATTACH PUBLISH_SOURCE ATTACH_SOURCE: the two programs, with a name of their
own, print what the comments on top of their sources say."""
import secrets
import subprocess
import sys

publish, attach, *sources = sys.argv[1:]
name = f"example-{secrets.token_hex(4)}"


def expected(source, pid):
    comment = open(source, encoding="utf-8").read().split("*/")[0]
    text = comment.split(" * prints\n")[1].replace("hello-prices", name).replace("4711", str(pid))
    return [line[2:].strip() for line in text.split("\n") if line[2:].strip()]


def lines(text):
    return [line.strip() for line in text.split("\n") if line.strip()]


def compare(printed, wanted):
    if printed != wanted:
        sys.exit("expected:\n%s\nprinted:\n%s" % ("\n".join(wanted), "\n".join(printed)))


owner = subprocess.Popen([publish, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
first = owner.stdout.readline()
seen = subprocess.run([attach, name], capture_output=True, text=True)
rest = owner.communicate("\n")[0]
gone = subprocess.run([attach, name], capture_output=True, text=True)
compare(lines(first + rest), expected(sources[0], owner.pid))
compare(lines(seen.stdout), expected(sources[1], owner.pid))
if owner.returncode or seen.returncode or gone.returncode != 1 or "NOTFOUND" not in gone.stderr:
    sys.exit(f"{owner.returncode} {seen.returncode} {gone.returncode}: {seen.stderr}{gone.stderr}")
