"""`shmframe sql` as a person at a shell uses it.

    tool_sql.py SHMFRAME"""

import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import unittest

TOOL = sys.argv[1]
PREFIX = f'tool_sql_{secrets.token_hex(4)}_'


def run(*arguments, status=0, **environment):
    done = subprocess.run([TOOL, *arguments], capture_output=True, timeout=60,
                          env=os.environ | environment)
    errors = done.stderr.decode()
    if done.returncode != status or (status != 0) != bool(errors):
        raise AssertionError(f'{arguments}: exit status {done.returncode}, not {status}: {errors}')
    return done.stdout.decode() if status == 0 else errors


class Sql(unittest.TestCase):
    def setUp(self):
        self.addCleanup(self.remove_names)
        with tempfile.NamedTemporaryFile('w', suffix='.csv') as file:
            file.write('city,temp\nOslo,1.5\nWien,\nRom,20\n')
            file.flush()
            run('import', file.name, PREFIX + 'cities')

    def remove_names(self):
        for path in pathlib.Path('/dev/shm').glob(f'shmf.{PREFIX}*'):
            path.unlink()

    def test_names_are_tables(self):
        sql = f"SELECT city, temp FROM {PREFIX}cities WHERE city <> 'Rom' ORDER BY city DESC"
        text = run('sql', sql)
        self.assertLess(text.index('Wien'), text.index('Oslo'))
        answer = json.loads(run('sql', '--json', sql))
        self.assertEqual(answer['columns'], ['city', 'temp'])
        self.assertEqual([row['values'] for row in answer['rows']], [['Wien', None], ['Oslo', 1.5]])
        self.assertIn('of 3 rows', run('sql', '-n1', f'FROM {PREFIX}cities'))

    def test_an_answer_becomes_a_name(self):
        for options in ([], ['--arrow']):
            name = PREFIX + f'warm{len(options)}'
            run('sql', '--name', name, *options, f'FROM {PREFIX}cities WHERE temp > 2')
            run('verify', name)
            rows = json.loads(run('head', '--json', name))['rows']
            self.assertEqual(rows, [{'label': 0, 'values': ['Rom', 20]}])
            self.assertIn('taken', run('sql', '--name', name, 'SELECT 1', status=1))

    def test_what_is_wrong_is_said(self):
        self.assertIn('nix', run('sql', f'SELECT nix FROM {PREFIX}cities', status=1))
        self.assertIn('/nowhere.so', run('sql', '--duckdb=/nowhere.so', 'SELECT 1', status=1))
        self.assertIn('/nowhere.so', run('sql', 'SELECT 1', status=1, SHMFRAME_DUCKDB='/nowhere.so'))
        for arguments in ([], ['SELECT 1', 'SELECT 2'], ['-n0', 'SELECT 1'], ['--nix', 'SELECT 1']):
            run('sql', *arguments, status=2)


if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0], '-v'])
