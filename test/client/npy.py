"""numpy and libshmframe read each other's .npy files, by way of the tool.

    npy.py SHMFRAME FOLDER_OF_SHMFRAME_PY

Exit status 77: there is no numpy."""

import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError as error:
    print(f'skipped: {error}')
    sys.exit(77)

TOOL = sys.argv[1]
sys.path.insert(0, sys.argv[2])
import shmframe  # pylint: disable=wrong-import-position

NAME = f'npy-test-{secrets.token_hex(4)}'
FILE = pathlib.Path('/dev/shm/shmf.' + NAME)
DTYPES = ['b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8', 'c8', 'c16']


def random_array(dtype, shape, draw):
    """Any bits; of booleans 0 and 1."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = draw.integers(0, 2 if dtype == 'b1' else 256, size, np.uint8)
    return raw.view(dtype).reshape(shape)


class Npy(unittest.TestCase):
    """One name, one folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(FILE.unlink, missing_ok=True)
        self.path, self.out = folder.name + '/in.npy', folder.name + '/out.npy'

    def tool(self, *arguments, status=0):
        done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def test_every_dtype_shape_and_order_both_ways(self):
        draw = np.random.default_rng(1)
        shapes = [(0,), (1,), (7,), (3, 4), (0, 5), (5, 0), (2, 3, 4), (1, 2, 1, 3), (2,) * 8]
        for n, dtype in enumerate(DTYPES):
            for shape in shapes[n % 2::2] if n % 3 else shapes:
                array = random_array(dtype, shape, draw)
                forms = [array, np.asfortranarray(array)]
                if array.dtype.itemsize > 1:
                    forms.append(array.astype(array.dtype.newbyteorder('>')))
                for form in forms:
                    np.save(self.path, form)
                    self.tool('import', self.path, NAME)
                    back = shmframe.attach_array(NAME)
                    self.assertEqual((back.shape, back.dtype), (array.shape, array.dtype))
                    self.assertTrue(np.array_equal(back, array.astype(back.dtype), equal_nan=True) or
                                    form is not forms[-1] and back.tobytes() == array.tobytes())
                    self.tool('export', NAME, self.out)
                    again = np.load(self.out)
                    self.assertEqual((again.shape, again.dtype, again.tobytes()),
                                     (array.shape, array.dtype, back.tobytes()))
                    FILE.unlink()

    def test_newer_versions_of_the_format_are_read(self):
        for version in [(1, 0), (2, 0), (3, 0)]:
            with open(self.path, 'wb') as file:
                np.lib.format.write_array(file, np.arange(6.0).reshape(2, 3), version=version)
            self.tool('import', self.path, NAME)
            self.assertEqual(shmframe.attach_array(NAME).tolist(), [[0, 1, 2], [3, 4, 5]])
            FILE.unlink()

    def test_a_file_that_is_cut_off_anywhere_says_where(self):
        np.save(self.path, np.arange(5))
        whole = pathlib.Path(self.path).read_bytes()
        for size in [*range(0, 128, 9), *range(120, len(whole))]:
            pathlib.Path(self.path).write_bytes(whole[:size])
            self.assertIn(f'byte {size}: the file ends too early', self.tool('import', self.path, NAME, status=1))
        self.assertFalse(FILE.exists())

    def test_what_an_array_cannot_be_is_refused(self):
        for array in (np.array(1.0), np.array(['a']), np.array([b'a']), np.zeros(2, 'M8[s]'), np.zeros(2, 'i4,f8'),
                      np.zeros((1,) * 17), np.array([None])):
            np.save(self.path, array, allow_pickle=True)
            self.tool('import', self.path, NAME, status=1)
        np.save(self.path, np.arange(5))
        whole = pathlib.Path(self.path).read_bytes()
        for old, new in [(b'NUMPY', b'NUMPI'), (b'{', b'('), (b'<i8', b'<i9'), (b'(5,)', b'(5;)'), (b'(5,)', b'(-5)'),
                         (b'False', b'Maybe'), (b'descr', b'dexcr'), (b'shape', b'descr'), (b'}', b' '),
                         (b'(5,), }' + b' ' * 18, b'(9223372036854775808,), }'), (b'\n', b'x')]:
            changed = whole.replace(old, new, 1)
            self.assertEqual((len(changed), changed != whole), (len(whole), True))
            pathlib.Path(self.path).write_bytes(changed)
            self.tool('import', self.path, NAME, status=1)
        self.assertFalse(FILE.exists())

    def test_arrays_of_npz_files_travel_both_ways(self):
        arrays = {'a': np.arange(12.0).reshape(3, 4), 'b': np.arange(5, dtype='>i4'),
                  'c': np.asfortranarray(np.ones((2, 3), 'f4')), 'empty': np.zeros((0, 2))}
        path, out = self.path + '.npz', self.path + '.out.npz'
        np.savez(path, **arrays)
        for name, array in arrays.items():
            self.tool('import', path, NAME, '-v', name)
            self.tool('export', NAME, out, '-v', 'again')
            with np.load(out) as back:
                self.assertEqual(back.files, ['again'])
                self.assertTrue(np.array_equal(back['again'], array))
            FILE.unlink()
        self.assertIn('say which', self.tool('import', path, NAME, status=1))
        self.assertIn('none is called', self.tool('import', path, NAME, '-v', 'd', status=1))
        np.savez_compressed(out, a=arrays['a'])
        self.assertIn('compressed', self.tool('import', out, NAME, status=1))
        whole = pathlib.Path(path).read_bytes()
        for size in range(0, len(whole), 97):
            pathlib.Path(out).write_bytes(whole[:size])
            self.assertIn('byte', self.tool('import', out, NAME, '-v', 'a', status=1))
        values = arrays['a'].tobytes()
        pathlib.Path(out).write_bytes(whole.replace(values, values[:-1] + b'x'))
        self.assertIn('checksum', self.tool('import', out, NAME, '-v', 'a', status=1))
        self.assertFalse(FILE.exists())

    def test_frames_and_arrays_are_not_mixed_up(self):
        np.save(self.path, np.arange(5))
        self.tool('import', self.path, NAME)
        self.assertIn('.npy', self.tool('export', NAME, self.path + '.csv', status=1))
        FILE.unlink()
        pathlib.Path(self.path).with_suffix('.csv').write_text('a\n1\n', encoding='ascii')
        self.tool('import', self.path.replace('.npy', '.csv'), NAME)
        self.assertIn('arrays', self.tool('export', NAME, self.out, status=1))
        self.assertFalse(os.path.exists(self.out))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=1)
