"""C and Python look at one table: lib/python/shmframe.py against the library.

    python_frame.py FOLDER_OF_SHMFRAME_PY LIBRARY PROGRAM GOLDEN_FOLDER

Exit status 77: there is no numpy, or no pandas."""

import datetime
import decimal
import os
import pathlib
import random
import secrets
import subprocess
import sys
import unittest

try:
    import numpy as np
    import pandas as pd
except ImportError as error:
    print(f'skipped: {error}')
    sys.exit(77)

sys.path.insert(0, sys.argv[1])
os.environ['SHMFRAME_LIBRARY'] = sys.argv[2]
PROGRAM, GOLDEN = sys.argv[3], pathlib.Path(sys.argv[4])
import shmframe  # pylint: disable=wrong-import-position

PREFIX = f'python-test-{secrets.token_hex(4)}-'


def path_of(name):
    return pathlib.Path('/dev/shm/shmf.' + name)


def expected(dtype, rows):
    """What the program puts into columns of numbers."""
    r = np.arange(rows)
    number = r % 100 - 20
    if dtype == 'bool':
        return r % 3 == 0
    if dtype == 'float16':
        return np.where(r % 2 == 1, 1, -0.5).astype(dtype)
    if dtype.startswith('complex'):
        return (number / 4 + 1j * (r % 7)).astype(dtype)
    return (r % 100 if dtype[0] == 'u' else number / 4 if dtype[0] == 'f' else number).astype(dtype)


NUMBERS = ['bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'float16',
           'float32', 'float64', 'complex64', 'complex128']


class Python(unittest.TestCase):
    """Each test has names of its own."""

    def setUp(self):
        self.addCleanup(lambda: [path.unlink() for path in pathlib.Path('/dev/shm').glob(f'shmf.{PREFIX}*')])
        self.name = PREFIX + 'one'

    def program(self, *arguments):
        subprocess.run([PROGRAM, *map(str, arguments)], check=True)

    # ---- C publishes ----

    def test_numbers_of_every_dtype_are_equal(self):
        for rows in (0, 1, 1000):
            self.program('numbers', self.name, rows)
            frame = shmframe.attach(self.name)
            nulls = np.arange(rows) % 5 == 1
            self.assertEqual((frame.shape, len(frame)), ((rows, 30), rows))
            self.assertEqual(list(frame.index()), [f'text{r}' for r in range(rows)])
            texts = [f'text{r}' if r % 2 == 0 else '' for r in range(rows)]
            for dtype in NUMBERS:
                whole, some = frame[dtype], frame[dtype + '?']
                np.testing.assert_array_equal(whole, expected(dtype, rows))
                self.assertEqual((whole.dtype, whole.flags.writeable), (np.dtype(dtype), dtype == 'bool'))
                np.testing.assert_array_equal(np.ma.getmaskarray(some), nulls)
                np.testing.assert_array_equal(np.asarray(some)[~nulls], expected(dtype, rows)[~nulls])
                self.assertEqual([frame.column(dtype + '?')[r] for r in range(min(rows, 9))],
                                 [None if r % 5 == 1 else expected(dtype, rows)[r] for r in range(min(rows, 9))])
            self.assertEqual(frame['utf8'].tolist(), texts)
            self.assertEqual(frame['utf8?'].tolist(), [None if r % 5 == 1 else t for r, t in enumerate(texts)])
            path_of(self.name).unlink()

    def test_pandas_sees_the_same(self):
        self.program('numbers', self.name, 1000)
        table = shmframe.attach(self.name).to_pandas()
        nulls = np.arange(1000) % 5 == 1
        self.assertEqual(table.shape, (1000, 30))
        self.assertEqual(table.index[999], 'text999')
        for dtype in NUMBERS:
            np.testing.assert_array_equal(table[dtype].to_numpy(), expected(dtype, 1000))
            np.testing.assert_array_equal(table[dtype + '?'].isna(), nulls)
            np.testing.assert_array_equal(table[dtype + '?'][~nulls].to_numpy(dtype), expected(dtype, 1000)[~nulls])
        self.assertEqual([str(table[name].dtype) for name in ('int8?', 'bool?', 'float32?')],
                         ['Int8', 'boolean', 'Float32'])

    def test_other_types_mean_the_same(self):
        self.program('types', self.name)
        frame = shmframe.attach(self.name)
        table = frame.to_pandas()
        self.assertEqual(frame['name'].tolist(), ['Ann', None, '张伟'])
        self.assertEqual(frame['note'].tolist(), ['', 'b', 'tail'])
        self.assertEqual(frame['blob'].tolist(), [b'\0\xff', b'', b'\x7f'])
        self.assertEqual([value.tobytes() for value in frame['uuid']], [b'abc', b'\1\2\3', b'xyz'])
        self.assertEqual(table['uuid'].tolist(), [b'abc', b'\1\2\3', b'xyz'])
        self.assertEqual(frame['kind'].tolist(), ['grün', 'red', None])
        self.assertEqual(table['kind'].cat.categories.tolist(), ['red', '', 'grün'])
        self.assertTrue(table['kind'].cat.ordered and table['kind'].isna()[2])
        self.assertEqual([str(day) for day in frame['day']], ['1970-01-01', '2024-02-29', '1969-12-31'])
        self.assertEqual(frame['instant'].tolist()[1], datetime.datetime(1970, 1, 2))
        self.assertEqual(frame['alarm'].tolist(), [datetime.timedelta(seconds=s) for s in (0, 86399, 3661)])
        self.assertEqual(frame['tick'].tolist(), [1, 43200000000000, 0])
        self.assertEqual(str(table['when'].dtype), 'datetime64[ns, Europe/Berlin]')
        self.assertEqual(table['when'][0].isoformat(), '2024-02-29T13:34:56.789000+01:00')
        self.assertEqual(str(frame['local'][2]), '0001-01-01T00:00:00')
        self.assertEqual(frame['span'].tolist()[1], datetime.timedelta(microseconds=-7))
        self.assertEqual(frame['price'].tolist(), [decimal.Decimal('123.45'), decimal.Decimal('-0.05'),
                                                   decimal.Decimal('0.07')])
        for label in frame.labels:
            column = frame.column(label)
            for row, value in enumerate(frame[label].tolist()):
                single = column[row]
                self.assertEqual(single.tolist() if hasattr(single, 'tolist') else single, value)

    # ---- without copying ----

    def test_a_matrix_is_one_block_on_the_same_memory(self):
        self.program('matrix', self.name)
        frame = shmframe.attach(self.name)
        [(first, block)] = frame.blocks()
        table = frame.to_pandas()
        self.assertEqual((first, block.shape), (0, (1000, 50)))
        self.assertEqual(len(table._mgr.blocks), 1)
        self.assertTrue(np.shares_memory(table.to_numpy(), block))
        for label in frame.labels:
            self.assertTrue(np.shares_memory(table[label].to_numpy(), frame[label]))
        np.testing.assert_array_equal(table.to_numpy(), np.add.outer(np.arange(1000), np.arange(50) / 100))
        self.assertEqual((table.index[0], table.index[999]), (10, 2008))
        with self.assertRaises(ValueError):
            table.iloc[0, 0] = 1
        del frame, block
        self.assertEqual(table.iloc[999, 49], 999.49)

    def test_columns_of_one_dtype_are_one_block_beside_others(self):
        table = pd.DataFrame({'text': ['a'] * 9, **{f'x{c}': np.arange(9.0) + c for c in range(20)}, 'n': range(9)})
        with shmframe.publish(table, self.name):
            frame = shmframe.attach(self.name)
        back = frame.to_pandas()
        pd.testing.assert_frame_equal(back, table)
        self.assertEqual([block.shape for block in dict(frame.blocks()).values()], [(9, 20), (9, 1)])
        self.assertEqual(len(back._mgr.blocks), 3)
        self.assertTrue(all(np.shares_memory(back[label].to_numpy(), frame[label]) for label in back.columns[1:]))

    def test_mixed_tables_share_their_numbers_too(self):
        self.program('numbers', self.name, 1000)
        frame = shmframe.attach(self.name)
        table = frame.to_pandas()
        for dtype in NUMBERS[1:]:
            self.assertTrue(np.shares_memory(table[dtype].to_numpy(), frame.column(dtype).values), dtype)
        for dtype in NUMBERS[1:9] + ['float32', 'float64']:
            self.assertTrue(np.shares_memory(table[dtype + '?'].array._data, frame.column(dtype + '?').values))
        self.assertFalse(np.shares_memory(shmframe.attach(self.name, copy=True)['int8'], frame['int8']))

    def test_arrays_are_views(self):
        self.program('array', self.name)
        array = shmframe.attach_array('shmf:name:' + self.name)
        self.assertEqual((array.shape, array.dtype, array.flags.writeable), ((3, 4, 5), np.int32, False))
        np.testing.assert_array_equal(array.ravel(), np.arange(60))
        with self.assertRaisesRegex(ValueError, 'kind'):
            shmframe.attach(self.name)

    # ---- Python publishes ----

    def test_what_python_publishes_is_equal_in_c(self):
        for rows in (0, 1, 1000):
            self.program('numbers', self.name, rows)
            table = shmframe.attach(self.name).to_pandas()
            table = table.drop(columns=['float16?', 'complex64?', 'complex128?'])  # pandas knows NaN only
            with shmframe.publish(table, PREFIX + 'two') as share:
                self.assertEqual(share.reference, f'shmf:name:{PREFIX}two')
                self.program('equal', self.name, PREFIX + 'two')
            self.assertFalse(path_of(PREFIX + 'two').exists())
            path_of(self.name).unlink()

    def test_a_round_trip_keeps_what_pandas_has(self):
        table = pd.DataFrame({
            'text': ['a', None, 'grün', ''], 'bytes': [b'\0', b'', None, b'xy'],
            'when': pd.to_datetime(['2024-02-29 12:30', None, '1969-12-31', '2000-01-01']),
            'zoned': pd.to_datetime(['2024-02-29', None, '1969-12-31', '2000-01-01']).tz_localize('Europe/Berlin'),
            'span': pd.to_timedelta(['1 s', None, '-1 day', '5 ns']), 'nan': [1.5, np.nan, np.inf, -0.0],
            'kind': pd.Categorical(['x', None, 'y', 'x'], ['y', 'x', 'z'], ordered=True),
            'count': pd.array([1, None, 2**62 + 1, -1], dtype='Int64'),
            'flag': pd.array([True, None, False, True], dtype='boolean')}, index=[7, -7, 2**40, 7])
        with shmframe.publish(table, self.name):
            back = shmframe.attach(self.name).to_pandas()
        pd.testing.assert_frame_equal(back, table)
        days = {'day': np.array(['2024-02-29', 'NaT'], 'M8[D]'), 'dates': [datetime.date(1, 1, 1), None],
                'masked': np.ma.MaskedArray([1.5, 2], [True, False]), 'words': ['a', 'b']}
        with shmframe.publish(days, self.name):
            frame = shmframe.attach(self.name)
        self.assertEqual([frame.column(label).name for label in frame.labels],
                         ['date32', 'date32', 'float64', 'utf8'])
        self.assertEqual([list(frame.column(label)) for label in frame.labels],
                         [[np.datetime64('2024-02-29'), None], [np.datetime64('0001-01-01'), None],
                          [None, 2.0], ['a', 'b']])

    def test_what_cannot_be_published_is_named(self):
        for table, kind, words in [({'a': [1, 'x']}, TypeError, None), ({'odd': [object()]}, TypeError, "'odd'"),
                                   ({'a': [1], 'b': [1, 2]}, ValueError, "'b'"),
                                   (pd.DataFrame({'a': [1]}, index=[1.5]), TypeError, 'index')]:
            if words:
                with self.assertRaisesRegex(kind, words):
                    shmframe.publish(table, self.name)
        with self.assertRaisesRegex(shmframe.Error, 'name') as caught:
            shmframe.publish({'a': [1]}, 'a/b')
        self.assertEqual(caught.exception.code, -1)
        with shmframe.publish({'a': [1]}, self.name), self.assertRaises(shmframe.Error) as caught:
            shmframe.publish({'a': [1]}, self.name)
        self.assertEqual(caught.exception.code, -5)
        shmframe.publish({'a': [1]}, self.name, persist=True, mode=0o644).close()
        self.assertEqual(path_of(self.name).stat().st_mode & 0o777, 0o644)

    # ---- what must be refused ----

    def test_files_that_are_wrong_name_the_field(self):
        self.program('types', self.name)
        good = path_of(self.name).read_bytes()
        at = lambda offset, size, value: good[:offset] + value.to_bytes(size, 'little') + good[offset + size:]
        table = int.from_bytes(good[112:120], 'little')
        for bytes_, words in [(b'', 'total_size'), (b'x' * 5000, 'magic'), (good[:-1], 'total_size'),
                              (good + b'\0', 'total_size'), (at(32, 4, 2), 'version'), (at(36, 4, 8), 'header_size'),
                              (at(40, 4, 9), 'kind'), (at(44, 4, 1), 'state'), (at(56, 8, 0), 'generation'),
                              (at(72, 8, 2), 'incompatible'), (at(80, 8, 1 << 40), 'column 0'),
                              (at(80, 8, 1 << 63), 'n_rows'), (at(88, 8, 1 << 50), 'columns_offset'),
                              (at(112, 8, len(good)), 'columns_offset'), (at(120, 4, 8), 'column_size'),
                              (at(124, 4, 3), 'row_labels'), (at(table, 4, 99), 'column 0.dtype'),
                              (at(table + 24, 8, 1 << 60), 'column 0.offsets_offset'),
                              (at(table + 32, 8, 1 << 63), 'column 0.data_offset'),
                              (at(table + 40, 8, 1 << 63), 'column 0.data_offset'),
                              (at(table + 4 * 96 + 48, 4, 7), 'column 4.dictionary')]:
            path_of(self.name).write_bytes(bytes_)
            for copy in (False, True):
                with self.assertRaisesRegex(ValueError, words):
                    shmframe.attach(self.name, copy=copy)
        offsets = int.from_bytes(good[table + 24:table + 32], 'little')
        path_of(self.name).write_bytes(at(offsets + 4, 4, 1 << 30))
        with self.assertRaisesRegex(ValueError, 'column 0.offsets: row 0'):
            shmframe.attach(self.name).to_pandas()

    def test_flipped_bits_are_refused_or_read(self):
        self.program('types', self.name)
        good, draw = path_of(self.name).read_bytes(), random.Random(1)
        table = int.from_bytes(good[112:120], 'little')
        refused = 0
        for _ in range(3000):
            at = draw.choice([draw.randrange(24, 512), draw.randrange(table, table + 13 * 96), draw.randrange(len(good))])
            path_of(self.name).write_bytes(good[:at] + bytes([good[at] ^ 1 << draw.randrange(8)]) + good[at + 1:])
            try:
                frame = shmframe.attach(self.name)
                for label in frame.labels:
                    frame[label]
            except ValueError:
                refused += 1
        self.assertGreater(refused, 300)

    def test_golden_segments_are_read_or_refused(self):
        for path in sorted(GOLDEN.glob('frame_*.hex')):
            path_of(self.name).write_bytes(golden(path.read_text()))
            path_of(self.name).chmod(0o600)
            frame = shmframe.attach(self.name)
            for label in frame.labels:
                frame[label]
            frame.to_pandas()

    def test_only_files_of_ones_own_are_attached(self):
        self.program('matrix', self.name)
        path_of(self.name).chmod(0o666)
        with self.assertRaises(PermissionError):
            shmframe.attach(self.name)
        path_of(PREFIX + 'link').symlink_to(path_of(self.name))
        with self.assertRaises(OSError):
            shmframe.attach(PREFIX + 'link')
        for name in ('', '.x', 'a/b', 'a:b', 'a b', 'x' * 201, 'shmf:fd:x', 'shmf:fd:1:1'):
            with self.assertRaises(ValueError):
                shmframe.attach(name)
        with self.assertRaises(FileNotFoundError):
            shmframe.attach(PREFIX + 'nix')

    def test_inherited_descriptors_are_attached_when_they_are_sealed(self):
        self.program('matrix', self.name)
        descriptor = os.memfd_create('x', os.MFD_ALLOW_SEALING)
        self.addCleanup(os.close, descriptor)
        os.write(descriptor, path_of(self.name).read_bytes())
        reference = f'shmf:fd:{descriptor}:{os.fstat(descriptor).st_ino}'
        with self.assertRaisesRegex(ValueError, 'sealed'):
            shmframe.attach(reference)
        shmframe.fcntl.fcntl(descriptor, 1033, 15)
        self.assertEqual(shmframe.attach(reference).shape, (1000, 50))
        with self.assertRaisesRegex(ValueError, 'another file'):
            shmframe.attach(reference + '0')


def golden(text):
    """The bytes of a golden segment."""
    size, *lines = text.splitlines()
    out = bytearray(int(size.removeprefix('size ')))
    for line in lines:
        at, _, values = line.partition(':')
        values = bytes.fromhex(values)
        out[int(at, 16):int(at, 16) + len(values)] = values
    return bytes(out)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=1)
