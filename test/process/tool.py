"""The tool `shmframe` as a person at a shell uses it: every command, tables and JSON, errors and exit
statuses, bad files, owners that are killed, terminals.

    tool.py SHMFRAME SHARE_PROGRAM COMPLETION"""

import json
import math
import os
import pathlib
import pty
import secrets
import subprocess
import sys
import tempfile
import unittest

TOOL, OWNER, COMPLETION = sys.argv[1:4]
PREFIX = f'tool-test-{secrets.token_hex(4)}-'
CSV = 'city,temp,day,ok,count,note\nOslo,-3.5,2024-02-29,true,1,"cold, ""very"""\n' \
      'Wien,12.25,2024-03-01,false,9007199254740993,\n北京,,2024-03-02,true,-3,x\n'


def run(*arguments, status=0, stdin=None):
    """What the tool prints on stdout; its exit status must be `status`, and its errors go with that."""
    done = subprocess.run([TOOL, *arguments], capture_output=True, timeout=60, input=stdin)
    errors = done.stderr.decode()
    if done.returncode != status:
        raise AssertionError(f'{arguments}: exit status {done.returncode}, not {status}: {errors}')
    if (status != 0) != bool(errors):
        raise AssertionError(f'{arguments}: exit status {status}, but on stderr: "{errors}"')
    return (done.stdout if stdin is not None else done.stdout.decode()) if status == 0 else errors


def load(*arguments):
    """The same with --json, read."""
    return json.loads(run(*arguments, '--json'))


def is_built_with(form):
    done = subprocess.run([TOOL, 'import', '/nowhere.' + form, PREFIX + 'none'], capture_output=True, check=False)
    return b'built without' not in done.stderr


# Formats that are there only where their libraries were when the tool was built; and what they are called.
FORMAT = {'nc': 'netcdf', 'h5': 'hdf5'}
SCIENCE = [form for form in FORMAT if is_built_with(form)]


class Tool(unittest.TestCase):
    """A folder and a prefix of names for each test."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(self.remove_names)
        self.file = self.write('cities.csv', CSV)
        self.name = PREFIX + 'cities'

    def remove_names(self):
        for path in pathlib.Path('/dev/shm').glob(f'shmf.{PREFIX}*'):
            path.unlink()

    def write(self, name, content):
        path = pathlib.Path(self.folder.name, name)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def names(self):
        return [info['name'] for info in load('ls') if info['name'].startswith(PREFIX)]

    def array(self):
        """A named array of two bytes."""
        header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }".ljust(117) + '\n'
        run('import', self.write('two.npy', b'\x93NUMPY\x01\x00v\x00' + header.encode() + b'ab'), PREFIX + 'array')
        return PREFIX + 'array'

    # ---- looking ----

    def test_a_name_that_is_an_arrow_file_is_read_as_either(self):
        again = PREFIX + 'again'
        run('import', self.file, self.name, '--row-labels=city', '--arrow')
        run('import', f'/dev/shm/shmf.{self.name}', again, '--format=arrow', '-r', 'city')
        run('verify', self.name, again)
        self.assertEqual(load('head', self.name), load('head', again))
        self.assertEqual([load('info', name)['arrow'] for name in (self.name, again)],
                         [f'/dev/shm/shmf.{self.name}', None])
        self.assertIn(f'/dev/shm/shmf.{self.name} is an Arrow IPC file', run('info', self.name))
        self.assertNotIn('Arrow', run('info', again))
        header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }".ljust(117) + '\n'
        array = self.write('two.npy', b'\x93NUMPY\x01\x00v\x00' + header.encode() + b'ab')
        self.assertIn('array', run('import', array, PREFIX + 'bad', '--arrow', status=1))

    def test_what_is_imported_is_listed_and_described(self):
        self.assertEqual(run('import', self.file, self.name), f'{self.name}: 3 rows x 6 columns\n')
        [info] = load('ls', PREFIX + '*')
        self.assertEqual([info[key] for key in ('name', 'kind', 'state', 'shape', 'dtype', 'pid', 'mode')],
                         [self.name, 'frame', 'persistent', [3, 6], None, None, '0600'])
        self.assertEqual(info['size'], os.stat('/dev/shm/shmf.' + self.name).st_size)
        self.assertEqual(info['uid'], os.getuid())
        head, line = run('ls', PREFIX + '*').splitlines()
        self.assertEqual(head.split()[:4], ['NAME', 'KIND', 'SHAPE', 'DTYPE'])
        self.assertIn(f'{self.name}  frame  3 x 6', line)
        self.assertIn('persistent', line)
        info = load('info', self.name)
        self.assertEqual([(c['label'], c['dtype'], c['nulls']) for c in info['columns']],
                         [('city', 'utf8', 0), ('temp', 'float64', 1), ('day', 'date32', 0), ('ok', 'bool', 0),
                          ('count', 'int64', 0), ('note', 'utf8', 1)])
        self.assertIn('labelled by range', run('info', self.name))
        self.assertEqual(load('info', 'shmf:name:' + self.name)['state'], 'persistent')

    def test_head_prints_values_as_they_are(self):
        run('import', self.file, self.name, '--row-labels=city')
        head = load('head', self.name, '--rows=2')
        self.assertEqual((head['n_rows'], head['n_columns'], head['columns']),
                         (3, 5, ['temp', 'day', 'ok', 'count', 'note']))
        self.assertEqual(head['rows'], [
            {'label': 'Oslo', 'values': [-3.5, '2024-02-29', True, 1, 'cold, "very"']},
            {'label': 'Wien', 'values': [12.25, '2024-03-01', False, 9007199254740993, None]}])
        text = run('head', self.name)
        self.assertIn('北京', text)
        self.assertIn('[3 rows x 5 columns]', text)
        self.assertIn('of 3 rows', run('head', '-n1', self.name))

    def test_descriptions_are_numbers(self):
        run('import', self.file, self.name)
        columns = {column['label']: column for column in load('describe', self.name)}
        self.assertEqual([columns['temp'][key] for key in ('count', 'nulls', 'mean', 'min', 'max')],
                         [2, 1, 4.375, -3.5, 12.25])
        self.assertTrue(math.isclose(columns['temp']['std'], 15.75 / math.sqrt(2)))
        self.assertIsNone(columns['note']['mean'])
        self.assertEqual(len(run('describe', self.name).splitlines()), 7)
        many = pathlib.Path(self.folder.name, 'many.csv')
        many.write_text('a\n-3999999\n3999999\n', encoding='utf-8')
        run('rm', self.name)
        run('import', str(many), self.name)
        self.assertEqual(run('describe', self.name).split()[-2:], ['-3999999', '3999999'])

    def test_damage_is_found(self):
        run('import', self.file, self.name)
        self.assertIn('nothing is wrong', run('verify', self.name))
        self.assertEqual(load('verify', self.name)[0]['valid'], True)
        path = pathlib.Path('/dev/shm/shmf.' + self.name)
        bytes_ = bytearray(path.read_bytes())
        at = bytes_.index('北京'.encode())
        bytes_[at] = 0xff
        path.write_bytes(bytes_)
        self.assertIn('UTF-8', run('verify', self.name, status=1))
        self.assertIn('UTF-8', run('export', self.name, self.folder.name + '/out.csv', status=1))
        self.assertFalse(os.path.exists(self.folder.name + '/out.csv'))
        path.write_bytes(bytes_[:-64])
        self.assertIn('total_size', run('head', self.name, status=1))
        path.write_bytes(b'')
        run('info', self.name, status=1)
        self.assertEqual(load('ls', self.name)[0]['kind'], 'unknown')

    # ---- files ----

    def test_files_travel_there_and_back(self):
        out = self.folder.name + '/out'
        run('import', self.file, self.name, '-r', 'city')
        before = load('head', self.name)
        forms = ['csv', 'tsv', 'arrow', 'arrows', *SCIENCE]
        for form in forms:
            again = PREFIX + form
            labels = [] if form in SCIENCE else ['--row-labels=city']
            self.assertEqual(load('export', self.name, f'{out}.{form}', *labels)['rows'], 3)
            run('import', f'{out}.{form}', again, *labels)
            self.assertEqual(load('head', again), before)
            run('rm', again)
        self.assertEqual(sorted(os.listdir(self.folder.name)),
                         sorted(['cities.csv', *('out.' + form for form in forms)]))
        csv = run('export', self.name, '-', '--format=csv', '-r', 'city')
        self.assertEqual(csv, CSV)
        stream = subprocess.run([TOOL, 'export', self.name, '-', '-farrows'], capture_output=True, check=True)
        run('import', '-', PREFIX + 'piped', '-f', 'arrows', stdin=stream.stdout)
        self.assertEqual(load('head', PREFIX + 'piped')['n_rows'], 3)
        run('export', self.name, '/nowhere/at/all.csv', status=1)
        run('export', self.name, '/nowhere/at/all.arrow', status=1)

    def test_arrays_travel_there_and_back(self):
        header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }".ljust(117) + '\n'
        whole = b'\x93NUMPY\x01\x00v\x00' + header.encode() + bytes(range(12))
        self.assertEqual(run('import', self.write('one.npy', whole), self.name), f'{self.name}: int16 [2 x 3]\n')
        for form in ('npy', 'npz', *SCIENCE):
            path = f'{self.folder.name}/out.{form}'
            again = PREFIX + form
            self.assertEqual(load('export', self.name, path)['shape'], [2, 3])
            run('import', path, again, *(['--array', '-v', 'values'] if form in SCIENCE else []))
            self.assertEqual(load('head', again)['values'], load('head', self.name)['values'])
            self.assertEqual(load('info', again)['dtype'], 'int16')
        for form in ('csv', 'arrow'):
            self.assertIn('array', run('export', self.name, f'{self.folder.name}/out.{form}', status=1))

    def test_what_is_no_file_is_not_replaced(self):
        run('import', self.file, self.name)
        pipe = self.folder.name + '/pipe'
        os.mkfifo(pipe)
        for place in (pipe, self.folder.name):
            for form in ('csv', 'arrow', *SCIENCE):
                self.assertIn('not a regular file', run('export', self.name, place, '-f', FORMAT.get(form, form), status=1))
        self.assertTrue(pathlib.Path(pipe).is_fifo())
        link = self.folder.name + '/link.csv'
        os.symlink(self.write('old.csv', 'x'), link)
        run('export', self.name, link)
        self.assertTrue(os.path.islink(link))
        self.assertEqual(pathlib.Path(self.folder.name, 'old.csv').read_text(encoding='utf8'), CSV)

    def test_options_of_csv_reach_the_reader(self):
        path = self.write('odd', '1;NA;x\n2;5;y\n')
        run('import', path, self.name, '--format=csv', '-d;', '--no-header', '--null=NA', '--mode=0644',
            '-c', 'a:int8', '-c', 'b:float32', '-c', 'c:utf8', '--workers=2')
        self.assertEqual([c['dtype'] for c in load('info', self.name)['columns']], ['int8', 'float32', 'utf8'])
        self.assertEqual(load('head', self.name)['rows'][0]['values'], [1, None, 'x'])
        self.assertEqual(load('ls', self.name)[0]['mode'][-3:], '644')

    def test_a_bad_file_says_where_and_publishes_nothing(self):
        run('import', self.file, self.name)
        arrow = self.folder.name + '/good.arrow'
        run('export', self.name, arrow)
        whole = pathlib.Path(arrow).read_bytes()
        for name, content, options, words in [
                ('mixed.csv', 'a,b\r\n1,2\n3,4\r\n', [], ['line 2']),
                ('quote.csv', 'a,b\n1,"2\n3,4\n', [], ['line']),
                ('utf8.csv', b'a,b\nx,y\nx,\xff\n', [], ['line 3', 'column 2', 'UTF-8']),
                ('short.csv', 'a,b\n1,2\n3\n', [], ['line 3']),
                ('type.csv', 'a,b\n1,2\nx,3\n', ['-c', 'a:int64', '-c', 'b:int64'], ['line 3', 'column 1']),
                ('label.csv', 'a,b\n1,2\n', ['-c', 'a:int64', '-c', 'c:int64'], ['line 1', 'column 2']),
                ('cut.arrow', whole[:len(whole) // 2], [], ['byte']),
                ('text.arrow', CSV, [], ['byte']),
                ('empty.arrow', b'', [], []),
                ('what.ever', CSV, [], ['--format'])]:
            path = self.write(name, content)
            errors = run('import', path, PREFIX + 'bad', *options, status=1)
            for word in [path, *words]:
                self.assertIn(word, errors)
        for form in ('npy', 'npz', 'arrows', *SCIENCE):
            kind = self.name
            if form in ('npy', 'npz'):
                kind = self.array()
            good = f'{self.folder.name}/good.{form}'
            run('export', kind, good)
            whole = pathlib.Path(good).read_bytes()
            before = self.names()
            for bad in (whole[:len(whole) // 2], whole[:10], b'', CSV.encode()):
                path = self.write('bad.' + form, bad)
                self.assertIn(path + ': ', run('import', path, PREFIX + 'bad', status=1))
            self.assertEqual(self.names(), before)
            if kind != self.name:
                run('rm', kind)
        self.assertIn('No such file', run('import', '/nowhere.csv', PREFIX + 'bad', status=1))
        self.assertIn('taken', run('import', self.file, self.name, status=1))
        self.assertIn("':'", run('import', self.file, 'a:b', status=1))
        run('import', self.file, PREFIX + 'bad', '-r', 'nix', status=1)
        self.assertEqual(self.names(), [self.name])

    def test_a_table_without_rows_and_one_of_one_cell(self):
        for content, shape in [('a,b\n', [0, 2]), ('a\n1\n', [1, 1])]:
            run('import', self.write('small.csv', content), self.name)
            self.assertEqual(load('info', self.name)['shape'], shape)
            self.assertEqual(len(load('head', self.name)['rows']), shape[0])
            self.assertEqual(len(load('describe', self.name)), shape[1])
            run('head', self.name)
            run('verify', self.name)
            run('rm', self.name)

    # ---- owners ----

    def owner(self, name):
        """A process that publishes an array of 100,000 ones and lives until it is killed."""
        process = subprocess.Popen([OWNER, 'publish', name], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), 'published\n')
        return process

    def test_owners_are_shown_and_what_they_leave_is_swept(self):
        process = self.owner(self.name)
        [info] = load('ls', self.name)
        self.assertEqual((info['state'], info['pid']), ('alive', process.pid))
        self.assertIn(f'process {process.pid}', run('info', self.name))
        run('rm', self.name, status=1)
        process.kill()
        process.wait()
        self.assertEqual(load('ls', self.name)[0]['state'], 'leftover')
        self.assertIn(self.name, load('sweep', '--dry-run')['leftovers'])
        self.assertIn(self.name + ' (', run('sweep', '-n'))
        self.assertIn(self.name, load('sweep')['removed'])
        self.assertEqual(self.names(), [])

    def test_arrays_are_shown_too(self):
        self.owner(self.name)
        self.assertEqual((load('info', self.name)['kind'], load('info', self.name)['dtype']), ('array', 'uint8'))
        self.assertEqual(load('head', self.name, '-n3')['values'], [1, 1, 1])
        self.assertIn('array uint8', run('head', self.name))
        run('verify', self.name)
        run('describe', self.name, status=1)

    def test_names_are_removed_once(self):
        run('import', self.file, self.name)
        self.assertEqual(load('rm', self.name)['removed'], [self.name])
        run('rm', self.name, status=1)
        self.assertEqual(run('rm', '-f', self.name), '')
        run('ls', self.name, status=1)

    # ---- the shell ----

    def test_arguments_that_make_no_sense_are_2(self):
        for arguments in [(), ('nix',), ('head',), ('head', 'a', 'b'), ('head', '-n', 'x', 'a'), ('ls', '--nix'),
                          ('sweep', 'a'), ('rm',), ('import', 'a.csv'), ('import', '-c', 'a', 'a.csv', 'b'),
                          ('import', '-c', 'a:nix', 'a.csv', 'b'), ('import', '-d', 'ab', 'a.csv', 'b'),
                          ('export', '-f', 'nix', 'a', 'b'), ('import', '-m', '9', 'a.csv', 'b')]:
            self.assertIn('--help', run(*arguments, status=2))
        self.assertRegex(run('--version'), r'^shmframe \d+\.\d+\.\d+\n$')
        for command in ('ls', 'info', 'head', 'describe', 'verify', 'import', 'export', 'rm', 'sweep'):
            self.assertIn(f'Usage: shmframe {command} ', run(command, '--help'))
            self.assertIn(f'  {command} ', run('--help'))

    def test_a_full_device_is_a_failure(self):
        with open('/dev/full', 'w', encoding='ascii') as full:
            done = subprocess.run([TOOL, 'ls', '--json'], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, b'shmframe: standard output: cannot be written\n'))

    def on_a_terminal(self, *arguments, **environment):
        ours, theirs = pty.openpty()
        with subprocess.Popen([TOOL, *arguments], stdout=theirs, env={'TERM': 'xterm', **environment}) as process:
            process.wait()
        os.close(theirs)
        text = os.read(ours, 100000).decode()
        os.close(ours)
        return text

    def test_colours_are_for_terminals(self):
        run('import', self.file, self.name)
        self.assertIn('\033[1m', self.on_a_terminal('ls', self.name))
        self.assertNotIn('\033', self.on_a_terminal('ls', self.name, NO_COLOR='1'))
        self.assertNotIn('\033', self.on_a_terminal('ls', self.name, TERM='dumb'))
        self.assertNotIn('\033', run('ls', self.name))

    def test_what_others_wrote_is_no_command_to_the_terminal(self):
        run('import', self.write('evil.csv', '"\033[2Ja",b\n"x\033]0;y",2\n'), self.name)
        for command in ('info', 'head', 'describe'):
            self.assertNotIn('\033', run(command, self.name))
            self.assertNotIn('\033', run(command, self.name, '--json'))

    def test_completion_offers_commands_options_and_names(self):
        run('import', self.file, self.name)
        script = f'source {COMPLETION}; COMP_WORDS=(shmframe "${{@:2}}"); COMP_CWORD=$(($# - 1)); ' \
                 '_shmframe "$1"; printf "%s\\n" "${COMPREPLY[@]}"'
        for words, offered in [(['he'], 'head'), (['head', '--ro'], '--rows'), (['head', PREFIX], self.name),
                               (['import', self.file[:-2]], self.file)]:
            done = subprocess.run(['bash', '-c', script, 'bash', TOOL, *words], capture_output=True, text=True,
                                  check=True)
            self.assertEqual(done.stdout.split(), [offered])


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=1)
