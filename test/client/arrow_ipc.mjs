// node arrow_ipc.mjs CLIENT PROGRAM: an Arrow library of others reads what we write, files, streams
// and names that are Arrow files too, compares the values with those that C sees, and writes them
// anew, for C to read.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [client, program] = process.argv.slice(2);
const require = createRequire(join(process.env.SHMF_CLIENTS, 'node_modules', 'x.js'));
const folder = mkdtempSync(join(tmpdir(), 'shmf-ipc-'));
const prefix = `client-${process.pid}`;
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

// Where a frame lies, and how: a file, a stream, and the file of a name that somebody else owns.
const places = (name) => [['file', join(folder, `${name}.arrow`), 'arrow'],
                          ['stream', join(folder, `${name}.arrows`), 'arrows'],
                          ['file', `/dev/shm/shmf.${prefix}-${name}`, 'named.arrow']];

// A file is a stream behind its first bytes: what follows goes from message to message.
const inFrontOf = (bytes) => bytes.subarray(8);

// Each reads all of them, compares every column, and returns the files that it wrote.
const clients = {
    'apache-arrow'(name) {
        const arrow = require('apache-arrow');
        const written = [];
        for (const [format, path, ending] of places(name)) {
            const table = arrow.tableFromIPC(readFileSync(path));
            for (const field of table.schema.fields)
                compare(name, field.name, () => table.getChild(field.name));
            written.push(`${name}.apache.${ending}`);
            writeFileSync(join(folder, written.at(-1)), arrow.tableToIPC(table, format));
        }
        const named = arrow.tableFromIPC(inFrontOf(readFileSync(places(name)[2][1])));
        for (const field of named.schema.fields)
            compare(name, field.name, () => named.getChild(field.name));
        return written;
    },
    flechette(name) {
        const { tableFromIPC, tableToIPC } = require('@uwdata/flechette');
        const written = [];
        for (const [format, path, ending] of places(name)) {
            const table = tableFromIPC(readFileSync(path), { useBigInt: true });
            for (const { name: column } of table.schema.fields)
                compare(name, column, () => table.getChild(column));
            written.push(`${name}.flechette.${ending}`);
            writeFileSync(join(folder, written.at(-1)), tableToIPC(table, { format }));
        }
        const named = tableFromIPC(inFrontOf(readFileSync(places(name)[2][1])), { useBigInt: true });
        for (const { name: column } of named.schema.fields)
            compare(name, column, () => named.getChild(column));
        return written;
    },
    polars(name) {
        const pl = require('nodejs-polars');
        const written = [];
        for (const [how, path, ending] of places(name)) {
            if (how === 'stream')
                continue;
            const table = ending === 'arrow' ? pl.readIPC(readFileSync(path), { columns })
                : pl.scanIPC(path).select(...columns).collectSync();
            for (const column of table.columns)
                compare(name, column, () => table.getColumn(column).toArray());
            written.push(`${name}.polars.${ending}`);
            // it drops the metadata by which lists are known as complex numbers
            table.drop('complex64', 'complex128')
                .writeIPC(join(folder, written.at(-1)), { compression: 'uncompressed' });
        }
        return written;
    },
};

// The names live as long as their owner, which ends with its input.
const owner = spawn(program, ['publish', prefix], { stdio: ['pipe', 'pipe', 'inherit'] });
try {
    execFileSync(program, ['write', folder]);
    const [said] = await once(owner.stdout, 'data');
    if (!`${said}`.startsWith('published'))
        fail(`${said}`);
    for (const name of names)
        process.stdout.write(execFileSync(program, ['check', folder, ...clients[client](name)]));
} catch (error) {
    fail(`${error.stdout ?? ''}${error.stack}`);
} finally {
    rmSync(folder, { recursive: true });
    owner.stdin.end();
    await once(owner, 'exit');
}
