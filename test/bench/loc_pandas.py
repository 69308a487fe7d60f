"""pandas' Index.get_loc among as many string labels as bench_loc has: nanoseconds a lookup.
The same labels are looked up as there, in the same order (those that do not exist are left out:
an exception is no lookup), and in every round as fresh strings, whose hash Python does not know;
in the thread's time on the cpu.

    /usr/bin/python3 test/bench/loc_pandas.py [LABELS]      (default 1,000,000)

Prints one JSON object, or says that pandas is missing."""

import json
import sys
import time

LOOKUPS = 1_000_000  # of bench_loc; a tenth of these do not exist

try:
    import pandas
except ImportError:
    sys.exit('skipped: install python3-pandas')


def label(i):
    return f'flight-{i * 2654435761 % 100000000007}'


def rows_of_bench_loc(count):
    state, rows = 1, []
    for i in range(LOOKUPS):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        if i % 11 != 10:
            rows.append((state >> 33) % count)
    return rows


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    index = pandas.Index([label(i) for i in range(count)])
    rows = rows_of_bench_loc(count)
    index.get_loc(label(0))  # builds its table
    times = []
    for _ in range(5):
        asked = [label(i) for i in rows]
        start = time.thread_time()
        for text in asked:
            index.get_loc(text)
        times.append(time.thread_time() - start)
    if [index.get_loc(text) for text in asked[:1000]] != rows[:1000]:
        sys.exit('a label leads elsewhere')
    print(json.dumps({'bench': 'loc', 'labels': count, 'impl': 'pandas.Index.get_loc',
                      'ns': round(sorted(times)[2] / len(rows) * 1e9, 1)}))


if __name__ == '__main__':
    main()
