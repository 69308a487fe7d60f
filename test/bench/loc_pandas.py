"""pandas' Index.get_loc among as many string labels as bench_loc has: nanoseconds a lookup.

    /usr/bin/python3 test/bench/loc_pandas.py [LABELS]      (default 1,000,000)

Prints one JSON object, or says that pandas is missing."""

import json
import random
import sys
import time

LOOKUPS = 200_000

try:
    import pandas
except ImportError:
    sys.exit('skipped: install python3-pandas')


def label(i):
    return f'flight-{i * 2654435761 % 100000000007}'


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    index = pandas.Index([label(i) for i in range(count)])
    random.seed(1)
    rows = [random.randrange(count) for _ in range(LOOKUPS)]
    asked = [label(i) for i in rows]
    index.get_loc(asked[0])  # builds its table
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for text in asked:
            index.get_loc(text)
        times.append(time.perf_counter() - start)
    if [index.get_loc(text) for text in asked[:1000]] != rows[:1000]:
        sys.exit('a label leads elsewhere')
    print(json.dumps({'bench': 'loc', 'labels': count, 'impl': 'pandas.Index.get_loc',
                      'ns': round(sorted(times)[2] / LOOKUPS * 1e9, 1)}))


if __name__ == '__main__':
    main()
