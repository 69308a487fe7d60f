"""A field of 2 GiB, which no column of text holds: the import says where it is, and makes no name.

    huge_field.py SHMFRAME [WORKERS]...

The file has a hole where the field is: it takes no room on the disk, but the parser needs 2 GiB of memory
for it. Prints a line of JSON."""

import json
import os
import subprocess
import sys
import tempfile

SIZE = 1 << 31


def make(path, before, behind):
    with open(path, 'wb') as out:
        out.write(before)
        out.seek(len(before) + SIZE)
        out.write(behind)


def main(tool, *workers):
    bad = trials = 0
    name = f'huge-field-{os.getpid()}'
    for quote in (b'', b'"'):
        with tempfile.NamedTemporaryFile(suffix='.csv') as file:
            make(file.name, b'a,b\n1,2\n3,' + quote, quote + b'\n5,6\n')
            for n in workers or ('0', '2'):
                done = subprocess.run([tool, 'import', file.name, name, '--workers=' + n], capture_output=True, text=True,
                                      check=False)
                wanted = f'shmframe: {file.name}: line 3, column 2: a field of {SIZE} bytes; at most {SIZE - 1} fit\n'
                trials += 1
                if (done.returncode, done.stderr) != (1, wanted) or os.path.exists('/dev/shm/shmf.' + name):
                    bad += 1
                    print(f'{done.returncode}: {done.stderr}')
    print(json.dumps({'campaign': 'huge_field', 'trials': trials, 'bad': bad}))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
