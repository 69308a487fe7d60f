"""libshmframe's frames and arrays as numpy arrays and pandas frames, without copying; and back.

    import shmframe

    frame = shmframe.attach('prices')          # a name, 'shmf:name:NAME' or 'shmf:fd:NUMBER:INODE'
    frame['price']                             # numpy; a masked array where there are nulls
    frame.to_pandas()                          # pandas.DataFrame on the same memory, read-only
    shmframe.attach_array('image')             # numpy.ndarray on the same memory, read-only

    with shmframe.publish(table, 'table'):     # a pandas.DataFrame, or a dict of columns
        ...                                    # C programs attach; the name goes at the end

One file. Reading needs numpy, and pandas for to_pandas(): it follows the format (docs/format.md) by
itself. Publishing needs libshmframe.so.0 (or the file that $SHMFRAME_LIBRARY names).

What others wrote is checked: ValueError names the field that is wrong. The file of a name cannot be
sealed, so a program of the same user that truncates it (libshmframe never does) takes the pages away from
who maps it; copy=True reads it into private memory instead."""

import collections
import ctypes
import datetime
import decimal
import fcntl
import mmap
import os
import stat
import struct

import numpy as np

__all__ = ['Frame', 'Column', 'Share', 'Error', 'attach', 'attach_array', 'publish']

MAGIC = b'SHMF\r\n\x1a\n'
HEADER = struct.Struct('<8sIIIIQQQQ')  # from byte 24 on
FRAME = struct.Struct('<QQQQQIIqqIIQQQQQ32x')  # from byte 80 on
COLUMN = struct.Struct('<IIQQQQQIIHHHhQQIIQ')
DICTIONARY = struct.Struct('<96sQQQQ')
ARRAY = struct.Struct('<IIQQIHHhHIQ16q16q')  # from byte 80 on
UNITS = {1: 's', 2: 'ms', 3: 'us', 4: 'ns'}
NAMES = ('', 'bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'float16',
         'float32', 'float64', 'complex64', 'complex128', 'utf8', 'large_utf8', 'binary', 'fixed_binary',
         'dictionary', 'date32', 'date64', 'time32', 'time64', 'timestamp', 'duration', 'decimal128')
BOOL, UTF8, LARGE_UTF8, BINARY, FIXED_BINARY, DICT, DATE32, DATE64 = 1, 15, 16, 17, 18, 19, 20, 21
TIME32, TIME64, TIMESTAMP, DURATION, DECIMAL = 22, 23, 24, 25, 26
STRINGS = {UTF8: '<i4', BINARY: '<i4', LARGE_UTF8: '<i8'}
Descriptor = collections.namedtuple('Descriptor', '''dtype flags null_count validity_offset offsets_offset
    data_offset data_size dictionary width index_dtype unit precision scale zone_offset metadata_offset
    zone_size metadata_size reserved''')


class Error(Exception):
    """What the C library says when it cannot; `code` is that of enum shmf_status."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def _check(holds, field, what):
    if not holds:
        raise ValueError(f'{field}: {what}')


# ---- files ------------------------------------------------------------------------------------------

def _named(name):
    wrong = not 1 <= len(name.encode()) <= 200 or name[0] == '.' or any(
        c in '/:' or c <= ' ' or '\x7f' <= c < '\xa0' for c in name)
    _check(not wrong, 'name', f'{name!r} is none')
    return os.open('/dev/shm/shmf.' + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _inherited(text):
    number, colon, inode = text.partition(':')
    _check(colon and number.isdecimal() and inode.isdecimal(), 'reference', f'shmf:fd:{text} is none')
    descriptor = fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 3)
    seals = 0
    try:
        seals = fcntl.fcntl(descriptor, 1034)  # F_GET_SEALS
    except OSError:
        pass
    if os.fstat(descriptor).st_ino != int(inode) or seals & 15 != 15:
        os.close(descriptor)
        raise ValueError(f'reference: descriptor {number} is another file, or not sealed')
    return descriptor


def _read_whole(descriptor, size):
    parts, at = [], 0
    while at < size:
        part = os.pread(descriptor, min(size - at, 1 << 30), at)
        _check(part, 'total_size', 'the file became shorter while it was read')
        parts.append(part)
        at += len(part)
    return b''.join(parts)


def _open(reference, copy, other_users):
    """The bytes of the file, mapped or copied, as a read-only array, and their header, copied."""
    if reference.startswith('shmf:fd:'):
        descriptor = _inherited(reference[len('shmf:fd:'):])
    else:
        descriptor = _named(reference[len('shmf:name:'):] if reference.startswith('shmf:name:') else reference)
    try:
        status = os.fstat(descriptor)
        _check(stat.S_ISREG(status.st_mode), 'file', 'it is no ordinary file')
        if not reference.startswith('shmf:fd:'):
            if status.st_mode & 0o022 or not other_users and status.st_uid != os.geteuid():
                raise PermissionError(f'{reference}: it is another user\'s, or others may write it')
            copy = copy or status.st_uid != os.geteuid()
        _check(status.st_size >= 384, 'total_size', f'a file of {status.st_size} bytes holds no segment')
        data = (_read_whole(descriptor, status.st_size) if copy else
                mmap.mmap(descriptor, status.st_size, mmap.MAP_SHARED, mmap.PROT_READ))
        header = os.pread(descriptor, 512, 0)
    finally:
        os.close(descriptor)
    return np.frombuffer(data, np.uint8), header


def _check_header(header, size, kind, least):
    magic, version, header_size, its_kind, state, total, generation, _, incompatible = HEADER.unpack_from(header, 24)
    _check(magic == MAGIC, 'magic', 'is not that of a segment')
    _check(version == 1, 'version', f'{version} is not 1')
    _check(incompatible <= (kind == 1), 'incompatible', f'unknown features {incompatible:#x}')  # the index is not read
    _check(its_kind == kind, 'kind', f'{its_kind} is not {kind}')
    _check(state == 2, 'state', f'{state} is not 2, finished')
    _check(generation != 0, 'generation', 'it was released')
    _check(total == size, 'total_size', f'is {total}, but the file has {size}')
    _check(least <= header_size <= size and header_size % 8 == 0 and len(header) >= least, 'header_size',
           f'is {header_size}')
    return header_size


# ---- columns ----------------------------------------------------------------------------------------

class Column:
    """A column of a frame; `len(column)` values, column[row] is one of them (None: null).

    label; name (of the dtype, 'timestamp', ...); unit, zone, width, precision, scale as the dtype has
    them; null_count; values: the buffer as a numpy view (the bits of booleans, indexes of a dictionary,
    bytes of strings); offsets of strings; validity: bitmap or None."""

    def __init__(self, memory, where, n, raw, dictionaries=(), label=None):
        d = self._d = Descriptor(*COLUMN.unpack(raw))
        self._where, self._n, self.label, self.null_count = where, n, label, d.null_count
        _check(1 <= d.dtype < len(NAMES), f'{where}.dtype', f'{d.dtype} is none')
        _check(d.flags & ~int(d.dtype == DICT) == 0, f'{where}.flags', f'{d.flags:#x}')
        _check(d.reserved == 0, f'{where}.reserved', 'not zero')
        _check(d.null_count <= n, f'{where}.null_count', f'{d.null_count} of {n} rows')
        _check(d.validity_offset or not d.null_count, f'{where}.validity_offset', 'nulls without a bitmap')
        self.name, self.unit, self.width = NAMES[d.dtype], UNITS.get(d.unit), d.width
        self.precision, self.scale, self.zone, self.categories = d.precision, d.scale, None, None
        self.validity = self.offsets = None
        if d.validity_offset:
            self.validity = self._span(memory, 'validity_offset', d.validity_offset, (n + 7) // 8)
        self._set_type(memory, dictionaries)
        if d.dtype in STRINGS:
            width = np.dtype(STRINGS[d.dtype]).itemsize
            self.offsets = self._span(memory, 'offsets_offset', d.offsets_offset, (n + 1) * width).view(
                STRINGS[d.dtype])
            size = d.data_size
        else:
            size = (n + 7) // 8 if d.dtype == BOOL else n * self.numpy_dtype.itemsize
        _check(d.data_size == size, f'{where}.data_size', f'is {d.data_size}, not {size}')
        self.values = self._span(memory, 'data_offset', d.data_offset, size).view(self.numpy_dtype)

    def _span(self, memory, field, offset, size):
        _check(offset % 64 == 0 and 384 <= offset <= len(memory) and size <= len(memory) - offset,
               f'{self._where}.{field}', f'{size} bytes at {offset} of {len(memory)}')
        return memory[offset:offset + size]

    def _set_type(self, memory, dictionaries):
        d, where = self._d, self._where
        number, timed = d.dtype, d.dtype in (TIME32, TIME64, TIMESTAMP, DURATION)
        _check(d.unit in UNITS if timed else d.unit == 0, f'{where}.unit', f'is {d.unit}')
        if d.dtype == DICT:
            _check(2 <= d.index_dtype <= 9, f'{where}.index_dtype', f'is {d.index_dtype}')
            _check(1 <= d.dictionary <= len(dictionaries), f'{where}.dictionary', f'is {d.dictionary}')
            self.categories, number = dictionaries[d.dictionary - 1], d.index_dtype
        if d.dtype == FIXED_BINARY:
            _check(1 <= d.width < 2**31, f'{where}.width', f'is {d.width}')
        if d.zone_offset:
            _check(d.dtype == TIMESTAMP and d.zone_offset <= len(memory) and
                   d.zone_size <= len(memory) - d.zone_offset, f'{where}.zone_offset', f'is {d.zone_offset}')
            self.zone = _text(memory[d.zone_offset:d.zone_offset + d.zone_size].tobytes(), f'{where}.zone')
        code = {FIXED_BINARY: f'V{d.width}', DATE32: '<i4', DATE64: '<M8[ms]', TIME32: '<i4',
                TIME64: f'<m8[{self.unit}]', TIMESTAMP: f'<M8[{self.unit}]', DURATION: f'<m8[{self.unit}]',
                DECIMAL: [('low', '<u8'), ('high', '<i8')]}
        self.numpy_dtype = np.dtype('u1' if number in STRINGS or number == BOOL else
                                    code[number] if number in code else NAMES[number])

    def __len__(self):
        return self._n

    def __getitem__(self, row):
        row = range(self._n)[row]
        if self.validity is not None and not self.validity[row >> 3] >> (row & 7) & 1:
            return None
        if self._d.dtype == BOOL:
            return bool(self.values[row >> 3] >> (row & 7) & 1)
        if self.offsets is not None:
            return self._string(int(self.offsets[row]), int(self.offsets[row + 1]), row)
        if self._d.dtype == DICT:
            index = int(self.values[row])
            _check(0 <= index < len(self.categories), self._where, f'row {row}: there is no category {index}')
            return self.categories[index]
        return self._decimal(row) if self._d.dtype == DECIMAL else self._plain(slice(row, row + 1))[0]

    def _string(self, begin, end, row):
        _check(0 <= begin <= end <= len(self.values), f'{self._where}.offsets', f'row {row}: {begin} to {end}')
        value = self.values[begin:end].tobytes()
        return value if self._d.dtype == BINARY else _text(value, f'{self._where}, row {row}')

    def _decimal(self, row):
        whole = int(self.values['high'][row]) << 64 | int(self.values['low'][row])
        return decimal.Decimal(whole).scaleb(-self.scale, decimal.Context(prec=60))

    def is_null(self):
        """A boolean each row: the value is null."""
        if self.validity is None:
            return np.zeros(self._n, bool)
        return np.unpackbits(self.validity, count=self._n, bitorder='little') == 0

    def _plain(self, rows=slice(None)):
        """Values as numpy has them: a view, but of booleans, date32 and time32."""
        if self._d.dtype == BOOL:
            return np.unpackbits(self.values, count=self._n, bitorder='little').view(bool)[rows]
        values = self.values[rows]
        if self._d.dtype == DATE32:
            return values.astype('<M8[D]')
        return values.astype(f'<m8[{self.unit}]') if self._d.dtype == TIME32 else values

    def _objects(self):
        """Strings, categories and decimals as an array of objects, None for null."""
        nulls, out = self.is_null(), np.empty(self._n, object)
        if self._d.dtype == DICT:
            texts, codes = self.categories.to_numpy(), self.codes()
            texts = np.append(texts, None)
            return texts[codes]
        if self._d.dtype == DECIMAL:
            for row in np.flatnonzero(~nulls):
                out[row] = self._decimal(row)
            return out
        offsets, data = self.offsets.tolist(), self.values.tobytes()
        text = data.decode() if self._d.dtype != BINARY and data.isascii() else None
        for row in np.flatnonzero(~nulls).tolist():
            begin, end = offsets[row], offsets[row + 1]
            if 0 <= begin <= end <= len(data) and text is not None:
                out[row] = text[begin:end]
            else:
                out[row] = self._string(begin, end, row)
        return out

    def codes(self):
        """Of a dictionary: positions of categories, -1 for null; a view where there is no null."""
        nulls = self.is_null()
        codes = self.values
        if nulls.any() or codes.dtype == np.uint64:
            codes = np.where(nulls, -1, codes.astype('i8'))
        used = codes[~nulls]
        wrong = used.size and not (0 <= used.min() and used.max() < len(self.categories))
        _check(not wrong, self._where, 'there are indexes of no category')
        return codes

    def to_numpy(self):
        """A view of the values (see above for what is none), masked where there are nulls."""
        if self.offsets is not None or self._d.dtype in (DICT, DECIMAL):
            return self._objects()
        plain = self._plain()
        return np.ma.MaskedArray(plain, self.is_null()) if self.null_count else plain

    def to_pandas(self):
        """What pandas.Series is made of: nullable arrays where there are nulls, on the same values."""
        import pandas as pd
        if self._d.dtype == DICT:
            texts = self.categories.to_numpy()
            if len(set(texts)) == len(texts):
                return pd.Categorical.from_codes(self.codes(), texts, ordered=bool(self._d.flags & 1))
        if self.offsets is not None or self._d.dtype in (DICT, DECIMAL):
            return self._objects()
        plain, nulls = self._plain(), self.is_null()
        if plain.dtype.kind in 'mM':
            return self._times(np.where(nulls, plain.dtype.type('NaT'), plain) if nulls.any() else plain)
        if plain.dtype.kind == 'V':
            plain = np.array([value.tobytes() for value in plain] + [None], object)[:-1]
        if not nulls.any():
            return plain
        if plain.dtype.kind in 'iu':
            return pd.arrays.IntegerArray(plain, nulls)
        if plain.dtype.kind == 'b':
            return pd.arrays.BooleanArray(plain, nulls)
        if plain.dtype in (np.float32, np.float64):
            return pd.arrays.FloatingArray(plain, nulls)
        return np.where(nulls, None if plain.dtype == object else plain.dtype.type('nan'), plain)

    def _times(self, plain):
        """As pandas has them: in nanoseconds, a copy if they are not; beyond these, objects."""
        import pandas as pd
        try:
            made = pd.Index(plain, copy=False)
            return made.tz_localize('UTC').tz_convert(self.zone) if self.zone else made
        except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
            return plain.astype(object)


def _text(value, where):
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f'{where}: {error}') from None


# ---- frames -----------------------------------------------------------------------------------------

class Frame:
    """A frame that was attached; frame[label] is a column as numpy has it. The memory stays for as
    long as anything refers to it."""

    def __init__(self, memory, header):
        size = len(memory)
        header_size = _check_header(header, size, 1, 512)
        (rows, columns, body, body_size, table, column_size, labels, start, step, _, dictionary_size, _,
         dictionaries, n_dictionaries, _, _) = FRAME.unpack_from(header, 80)
        _check(rows < 2**63, 'n_rows', f'is {rows}')
        _check(columns < 2**63, 'n_columns', f'is {columns}')
        _check(body % 64 == 0 and body >= header_size and body_size % 64 == 0 and body + body_size <= size,
               'body_offset', f'{body_size} bytes at {body} of {size}')
        _check(labels <= 2, 'row_labels', f'is {labels}')
        _check(not any(header[416:512]), 'reserved', 'not zero')
        last = start + (rows - 1) * step
        _check(labels or step and (rows == 0 or -2**63 <= last < 2**63), 'range_step', f'{step} from {start}')
        dictionaries = list(self._dictionaries(memory, dictionaries, n_dictionaries, dictionary_size))
        raw = self._table(memory, 'columns_offset', table, columns, 'column_size', column_size, COLUMN.size)
        self._labels = Column(memory, 'column_label', columns, header[320:416])
        _check(self._labels.name in ('utf8', 'large_utf8'), 'column_label.dtype', 'is no text')
        self.shape, self.range = (rows, columns), range(start, start + rows * step, step) if not labels else None
        self.row_labels = None if not labels else Column(memory, 'row_label', rows, header[224:320])
        name = self.row_labels.name if labels else None
        _check(name in ((None,), ('int64',), ('utf8', 'large_utf8'))[labels], 'row_label.dtype', f'is {name}')
        self.columns = [Column(memory, f'column {c}', rows, raw[c * column_size:][:COLUMN.size], dictionaries,
                               self._labels[c]) for c in range(columns)]
        self._memory = memory

    @staticmethod
    def _table(memory, field, offset, n, size_field, entry, least):
        """A copy of a table, after a check that it lies inside."""
        _check(n == 0 or entry >= least and entry % 8 == 0, size_field, f'is {entry}')
        _check(n == 0 or offset % 8 == 0 and offset <= len(memory) and n * entry <= len(memory) - offset, field,
               f'{n} entries of {entry} bytes at {offset} of {len(memory)}')
        return memory[offset:offset + n * entry].tobytes()

    def _dictionaries(self, memory, offset, n, entry):
        raw = self._table(memory, 'dictionaries_offset', offset, n, 'dictionary_size', entry, DICTIONARY.size)
        for i in range(n):
            values, n_values, _, _, _ = DICTIONARY.unpack_from(raw, i * entry)
            yield Column(memory, f'dictionary {i}.values', n_values, values)

    def __len__(self):
        return self.shape[0]

    @property
    def labels(self):
        """The columns' labels."""
        return [column.label for column in self.columns]

    def column(self, label):
        """The first column with this label. KeyError."""
        for column in self.columns:
            if column.label == label:
                return column
        raise KeyError(label)

    def __getitem__(self, label):
        return self.column(label).to_numpy()

    def index(self):
        """The row labels: a range, a view of int64, or an array of str."""
        return self.range if self.row_labels is None else self.row_labels.to_numpy()

    def _runs(self):
        """Neighbouring columns that are one numpy array, (first, number of them): one dtype without
        nulls, at one constant distance."""
        first, columns = 0, self.columns
        while first < len(columns):
            n, stride = 1, 0
            while first + n < len(columns) and self._is_plain(columns[first]) and self._is_plain(
                    columns[first + n]) and columns[first].numpy_dtype == columns[first + n].numpy_dtype:
                gap = columns[first + n]._d.data_offset - columns[first + n - 1]._d.data_offset
                if n > 1 and gap != stride or gap <= 0:
                    break
                n, stride = n + 1, gap
            yield first, n, stride
            first += n

    @staticmethod
    def _is_plain(column):
        return BOOL < column._d.dtype < UTF8 and not column.null_count

    def blocks(self):
        """For each run of columns that lie as one matrix: the first one's position, and a view of
        them, rows x columns. Columns of other kinds are left out."""
        for first, n, stride in self._runs():
            column = self.columns[first]
            if self._is_plain(column):
                yield first, np.ndarray((n, self.shape[0]), column.numpy_dtype, self._memory,
                                        column._d.data_offset, (stride, column.numpy_dtype.itemsize)).T

    def to_pandas(self):
        """A pandas.DataFrame. Numbers without nulls are views of the shared memory, one block for
        each run of columns; of numbers with nulls the values are. Strings are objects."""
        import pandas as pd
        index = self.index()
        index = (pd.RangeIndex(index.start, index.stop, index.step) if isinstance(index, range) else
                 pd.Index(index, copy=False))
        blocks, runs = dict(self.blocks()), list(self._runs())
        single = {first: self.columns[first].to_pandas() for first, _, _ in runs if first not in blocks}
        dtypes = [block.dtype for block in blocks.values()]
        dtypes += [values.dtype for values in single.values() if values.dtype in dtypes]
        if len(set(dtypes)) == len(dtypes) and blocks:
            parts = [pd.DataFrame(blocks[first], index=index, copy=False) if first in blocks else
                     self._series(single[first], index).to_frame() for first, _, _ in runs]
            table = pd.concat(parts, axis=1, copy=False)
        else:  # concat() would copy blocks of one dtype into one
            table = pd.DataFrame({first + c: blocks[first][:, c] if first in blocks else
                                  self._series(single[first], index)
                                  for first, n, _ in runs for c in range(n)}, index=index, copy=False)
        table.columns = pd.Index(self.labels, dtype=object)
        return table

    @staticmethod
    def _series(values, index):
        import pandas as pd
        kind = object if values.dtype == object else None  # nothing is to be guessed
        return pd.Series(values, index=index, dtype=kind, copy=False)


def attach(reference, copy=False, other_users=False):
    """The frame under a name or reference. FileNotFoundError, PermissionError; ValueError names what is
    wrong with the file. Names of other users are copied."""
    return Frame(*_open(reference, copy, other_users))


def attach_array(reference, copy=False, other_users=False):
    """The array under a name or reference, as a read-only view. Errors as for attach()."""
    memory, header = _open(reference, copy, other_users)
    _check_header(header, len(memory), 2, 384)
    dtype, n, offset, size, _, _, _, _, _, _, _, *dims = ARRAY.unpack_from(header, 80)
    _check(1 <= dtype <= 14, 'dtype', f'{dtype} is none of numbers')
    _check(1 <= n <= 16, 'n_dims', f'is {n}')
    shape, strides, form = dims[:n], dims[16:16 + n], np.dtype(NAMES[dtype])
    _check(all(0 <= length for length in shape), 'shape', f'is {shape}')
    _check(all(0 <= stride and stride % form.alignment == 0 for stride in strides), 'strides', f'is {strides}')
    reach = form.itemsize + sum((length - 1) * stride for length, stride in zip(shape, strides))
    _check(0 in shape or reach <= size, 'data_size', f'{reach} bytes are needed, {size} there')
    _check(offset % 64 == 0 and offset <= len(memory) and size <= len(memory) - offset, 'data_offset',
           f'{size} bytes at {offset} of {len(memory)}')
    if 0 in shape:
        return np.empty(shape, form)
    return np.ndarray(shape, form, memory, offset, strides)


# ---- publishing, by the C library --------------------------------------------------------------------

class _Text(ctypes.Structure):
    _fields_ = [('data', ctypes.c_void_p), ('size', ctypes.c_int64)]


class _ColumnSpec(ctypes.Structure):
    _fields_ = [('label', ctypes.c_char_p), ('dtype', ctypes.c_int), ('nullable', ctypes.c_uint32)]


class _Type(ctypes.Structure):
    _fields_ = [('dtype', ctypes.c_int), ('unit', ctypes.c_int), ('index_dtype', ctypes.c_int),
                ('ordered', ctypes.c_int), ('width', ctypes.c_uint32), ('precision', ctypes.c_int),
                ('scale', ctypes.c_int), ('zone', _Text)]


class _Details(ctypes.Structure):
    _fields_ = [('type', _Type), ('data_size', ctypes.c_int64), ('values', ctypes.c_void_p),
                ('n_values', ctypes.c_int64), ('metadata', ctypes.c_void_p), ('n_metadata', ctypes.c_int64),
                ('reserved', ctypes.c_uint64 * 4)]


class _FrameSpec(ctypes.Structure):
    _fields_ = [('n_rows', ctypes.c_int64), ('n_columns', ctypes.c_int64), ('columns', ctypes.c_void_p),
                ('dtype', ctypes.c_int), ('column_labels', ctypes.c_void_p), ('row_labels', ctypes.c_void_p),
                ('row_numbers', ctypes.c_void_p), ('range_start', ctypes.c_int64), ('range_step', ctypes.c_int64),
                ('details', ctypes.c_void_p), ('metadata', ctypes.c_void_p), ('n_metadata', ctypes.c_int64),
                ('reserved', ctypes.c_uint64 * 8)]


class _Options(ctypes.Structure):
    _fields_ = [('policy', ctypes.c_uint32), ('mode', ctypes.c_uint32), ('reserved', ctypes.c_uint64 * 6)]


class _Error(ctypes.Structure):
    _fields_ = [('code', ctypes.c_int), ('sys_errno', ctypes.c_int), ('message', ctypes.c_char * 256)]


_loaded = []


def _library():
    if not _loaded:
        library = ctypes.CDLL(os.environ.get('SHMFRAME_LIBRARY', 'libshmframe.so.0'))
        for name, result, arguments in [('shmf_frame_from_columns', ctypes.c_void_p, 4),
                                        ('shmf_frame_publish', ctypes.c_void_p, 4),
                                        ('shmf_frame_free', None, 1), ('shmf_share_free', None, 1)]:
            function = getattr(library, name)
            function.restype, function.argtypes = result, [ctypes.c_void_p] * arguments
        _loaded.append(library)
    return _loaded[0]


class Share:
    """The ownership of a name: close(), or leaving a `with`, ends it; the name goes, unless it persists.
    It also goes with this process."""

    def __init__(self, share, name):
        self._share, self._pid, self.name, self.reference = share, os.getpid(), name, 'shmf:name:' + name

    def close(self):
        share, self._share = self._share, None
        if share and self._pid == os.getpid():
            _library().shmf_share_free(share)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    __del__ = close


def _bits(flags):
    return np.packbits(np.asarray(flags, bool), bitorder='little')


def _texts(values, keep, where):
    """struct shmf_text of each value; str becomes UTF-8, None stays null. And how many bytes there are."""
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    if not all(value is None or isinstance(value, bytes) for value in raw):
        raise TypeError(f'{where}: categories that are no text')
    sizes = np.array([len(value or b'') for value in raw], np.int64)
    data = np.frombuffer(b''.join(value or b'' for value in raw) + b'\0', np.uint8)
    out = np.zeros((len(raw), 2), np.int64)
    out[:, 1] = sizes
    out[:, 0] = data.ctypes.data + np.cumsum(sizes) - sizes
    out[np.array([value is None for value in raw], bool), 0] = 0
    keep += [data, out]
    return out, int(sizes.sum())


def _set_objects(values, nulls, spec, keep, where):
    values = [None if null else value for value, null in zip(values, nulls)]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {datetime.date} and kinds:
        days = np.array([value or datetime.date(1970, 1, 1) for value in values], '<M8[D]')
        spec.dtype = DATE32
        return days.astype(np.int32)
    if not kinds <= {str} and not kinds <= {bytes}:
        raise TypeError(f'{where}: no column is made of {sorted(kind.__name__ for kind in kinds)}')
    out, size = _texts(values, keep, where)
    spec.dtype = BINARY if kinds == {bytes} else UTF8 if size < 2**31 else LARGE_UTF8
    return out


def _set_category(values, spec, details, keep, where):
    texts, _ = _texts(list(values.categories), keep, where)
    codes = np.ascontiguousarray(values.codes)
    spec.dtype, details.type.index_dtype = DICT, NAMES.index(codes.dtype.name)
    details.type.ordered, details.values, details.n_values = bool(values.ordered), texts.ctypes.data, len(texts)
    return codes


def _set_column(values, spec, details, keep, where):
    """Fills what the C library wants to know; returns its values and which are null."""
    nulls, kind = np.zeros(len(values), bool), None
    if hasattr(values, 'array'):  # a pandas.Series
        import pandas as pd
        values, nulls, kind = values.array, values.isna().to_numpy(), values.dtype
        if isinstance(kind, pd.CategoricalDtype):
            return _set_category(values, spec, details, keep, where), nulls
        if isinstance(kind, pd.DatetimeTZDtype):
            zone = np.frombuffer(str(kind.tz).encode(), np.uint8)
            keep.append(zone)
            details.type.zone = _Text(zone.ctypes.data, len(zone))
            values = values.tz_convert(None)
        elif hasattr(kind, 'numpy_dtype') and hasattr(values, '_mask'):  # Int64, Float64, boolean
            values = values.to_numpy(kind.numpy_dtype, na_value=kind.numpy_dtype.type(0))
    plain = np.asarray(values)
    if isinstance(values, np.ma.MaskedArray):
        plain, nulls = values.data, np.ma.getmaskarray(values)
    elif plain.dtype.kind in 'fc' and not hasattr(kind, 'numpy_dtype'):
        nulls = np.zeros(len(plain), bool)  # NaN is a value of numpy's own numbers
    if plain.dtype.kind in 'OUS':
        nulls = nulls | np.array([value is None or isinstance(value, float) for value in plain], bool)
        return _set_objects(plain.tolist(), nulls, spec, keep, where), nulls
    if plain.dtype.kind in 'mM':
        unit, step = np.datetime_data(plain.dtype)
        nulls = nulls | np.isnat(plain)
        if unit == 'D' and plain.dtype.kind == 'M':
            spec.dtype = DATE32
            return np.where(nulls, 0, plain.astype('i8')).astype(np.int32), nulls
        if unit not in UNITS.values() or step != 1:
            raise TypeError(f'{where}: there is no unit {plain.dtype}')
        spec.dtype = TIMESTAMP if plain.dtype.kind == 'M' else DURATION
        details.type.unit = {text: number for number, text in UNITS.items()}[unit]
        return plain.astype('i8'), nulls
    if plain.dtype.name not in NAMES[BOOL:UTF8] or plain.ndim != 1:
        raise TypeError(f'{where}: no column is made of {plain.dtype}')
    spec.dtype = NAMES.index(plain.dtype.name)
    return _bits(plain) if spec.dtype == BOOL else plain.astype(plain.dtype.newbyteorder('=')), nulls


def _set_rows(index, spec, keep):
    """Row labels: a range, integers or text."""
    if isinstance(index, range) or hasattr(index, 'step'):
        spec.range_start, spec.range_step = index.start, index.step
        return
    values = np.asarray(index)
    if values.dtype.kind in 'iu':
        labels = values.astype(np.int64)
        spec.row_numbers = labels.ctypes.data
    else:
        if not all(isinstance(value, str) and '\0' not in value for value in values):
            raise TypeError('index: labels are integers or text without NUL; see reset_index()')
        labels = (ctypes.c_char_p * max(1, len(values)))(*[value.encode() for value in values])
        spec.row_labels = ctypes.cast(labels, ctypes.c_void_p).value
    keep.append(labels)


def _call(function, *arguments):
    error = _Error()
    result = function(*arguments, ctypes.byref(error))
    if not result:
        raise Error(error.code, error.message.decode(errors='replace'))
    return result


def publish(table, name, persist=False, mode=0o600):
    """Copies a pandas.DataFrame, or a dict of columns (numpy arrays, masked ones, lists of str), to a frame
    under a name; returns its Share. NaN, None and NaT of text, times and nullable dtypes are null.
    TypeError names the column that no dtype fits; Error is the library's own (the name is taken, ...)."""
    library, keep = _library(), []
    columns = [(label, table.iloc[:, c] if hasattr(table, 'iloc') else table[label])
               for c, label in enumerate(table)]
    n, rows = len(columns), len(table) if hasattr(table, 'iloc') else len(columns[0][1]) if columns else 0
    specs, details = (_ColumnSpec * max(1, n))(), (_Details * max(1, n))()
    data, validity = (ctypes.c_void_p * max(1, n))(), (ctypes.c_void_p * max(1, n))()
    for c, (label, values) in enumerate(columns):
        if len(values) != rows:
            raise ValueError(f'column {label!r}: {len(values)} values, not {rows}')
        if '\0' in str(label):
            raise ValueError(f'column {label!r}: a label with NUL')
        specs[c].label = str(label).encode()
        out, nulls = _set_column(values, specs[c], details[c], keep, f'column {label!r}')
        out = np.ascontiguousarray(out)
        bits = _bits(~nulls) if nulls.any() else None
        keep += [out, bits]
        data[c], validity[c] = out.ctypes.data, bits.ctypes.data if bits is not None else None
    spec = _FrameSpec(n_rows=rows, n_columns=n, columns=ctypes.addressof(specs), details=ctypes.addressof(details))
    _set_rows(getattr(table, 'index', range(rows)), spec, keep)
    frame = _call(library.shmf_frame_from_columns, ctypes.byref(spec), data, validity)
    try:
        options = _Options(policy=int(persist), mode=mode)
        return Share(_call(library.shmf_frame_publish, frame, name.encode(), ctypes.byref(options)), name)
    finally:
        library.shmf_frame_free(frame)
