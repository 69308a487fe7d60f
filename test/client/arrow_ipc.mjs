// node arrow_ipc.mjs CLIENT PROGRAM: an Arrow library of others reads what we write, compares the
// values with those that C sees, and writes them anew, for C to read.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [client, program] = process.argv.slice(2);
const require = createRequire(join(process.env.SHMF_CLIENTS, 'node_modules', 'x.js'));
const folder = mkdtempSync(join(tmpdir(), 'shmf-ipc-'));
const names = ['plain', 'nulls', 'slice', 'one', 'empty'];

function fail(what) {
    console.log(what);
    process.exitCode = 1;
}

// Values as C prints them.
function same(value, expected) {
    if (value === null || value === undefined || expected === null)
        return (value ?? null) === expected;
    if (typeof value === 'number' && !Number.isInteger(value))
        return Object.is(value, Number(expected)) || (value !== value && /nan/.test(expected));
    if (typeof value === 'number' && /[.e]/.test(expected))
        return value === Number(expected);
    return String(value) === expected || Number(expected) === value;
}

function compare(name, column, read) {
    const expected = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))[column];
    if (!expected)
        return;
    const values = [...read()];
    if (values.length !== expected.length)
        return fail(`${name}: ${column}: ${values.length} values, not ${expected.length}`);
    for (let r = 0; r < expected.length; r++)
        if (!same(values[r], expected[r]))
            return fail(`${name}: ${column}[${r}]: ${values[r]}, not ${expected[r]}`);
}

// What Polars keeps as it is, and its JavaScript can show: date64 becomes a timestamp there, time32
// nanoseconds, seconds of a duration milliseconds.
const columns = ('bool,int8,int16,int32,int64,uint8,uint16,uint32,uint64,float32,float64,complex64,' +
    'complex128,utf8,large_utf8,binary,fixed_binary,dictionary,date32,time64,timestamp,decimal128,row')
    .split(',');

// Each reads a file and a stream, gives [column, values] pairs, and returns files that it wrote.
const clients = {
    'apache-arrow'(name) {
        const arrow = require('apache-arrow');
        const written = [];
        for (const [format, ending] of [['file', 'arrow'], ['stream', 'arrows']]) {
            const table = arrow.tableFromIPC(readFileSync(join(folder, `${name}.${ending}`)));
            for (const field of table.schema.fields)
                compare(name, field.name, () => table.getChild(field.name));
            written.push(`${name}.apache.${ending}`);
            writeFileSync(join(folder, written.at(-1)), arrow.tableToIPC(table, format));
        }
        return written;
    },
    flechette(name) {
        const { tableFromIPC, tableToIPC } = require('@uwdata/flechette');
        const written = [];
        for (const [format, ending] of [['file', 'arrow'], ['stream', 'arrows']]) {
            const table = tableFromIPC(readFileSync(join(folder, `${name}.${ending}`)),
                                       { useBigInt: true });
            for (const { name: column } of table.schema.fields)
                compare(name, column, () => table.getChild(column));
            written.push(`${name}.flechette.${ending}`);
            writeFileSync(join(folder, written.at(-1)), tableToIPC(table, { format }));
        }
        return written;
    },
    polars(name) {
        const pl = require('nodejs-polars');
        const table = pl.readIPC(readFileSync(join(folder, `${name}.arrow`)), { columns });
        for (const column of table.columns)
            compare(name, column, () => table.getColumn(column).toArray());
        const file = `${name}.polars.arrow`;
        // it drops the metadata by which lists are known as complex numbers
        table.drop('complex64', 'complex128').writeIPC(join(folder, file), { compression: 'uncompressed' });
        return [file];
    },
};

try {
    execFileSync(program, ['write', folder]);
    for (const name of names)
        process.stdout.write(execFileSync(program, ['check', folder, ...clients[client](name)]));
} catch (error) {
    fail(`${error.stdout ?? ''}${error.stack}`);
} finally {
    rmSync(folder, { recursive: true });
}
