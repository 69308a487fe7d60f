#!/usr/bin/python3
"""convolve_as_scipy.py PROGRAM: examples/convolve agrees with scipy.ndimage.convolve.

The program writes its input, its kernels and its results as .npy files; scipy convolves the same
bytes, edges reflected; every element must agree to 1e-12 relative. Sizes include frames smaller
than the kernel, where reflections are reflected again. Exit status 77: there is no scipy here."""
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from scipy.ndimage import convolve
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

TOLERANCE = 1e-12
SIZES = [(1000, 200), (257, 301), (37, 23), (20, 20), (19, 21), (7, 3), (3, 40), (1, 1)]


def worst_difference(program, rows, columns, tasks, directory):
    """Runs the program, then scipy, and returns the largest relative difference."""
    subprocess.run([program, "--mode=shared", "--no-check", f"--rows={rows}", f"--tasks={tasks}",
                    f"--columns={columns}", "--workers=2", f"--dump-npy={directory}"],
                   check=True, stdout=subprocess.DEVNULL)
    values = np.load(f"{directory}/input-0.npy")
    assert values.shape == (rows, columns), values.shape
    worst = 0.0
    for task in range(tasks):
        kernel = np.load(f"{directory}/kernel-{task}.npy")
        result = np.load(f"{directory}/result-{task}.npy")
        assert kernel.shape == (20, 20) and result.shape == values.shape
        assert np.isin(kernel, values).all(), "the kernel is not made of the frame's entries"
        expected = convolve(values, kernel, mode="reflect")
        worst = max(worst, float(np.max(np.abs(result - expected) / np.abs(expected))))
    return worst


def main():
    """All sizes; the exit status says whether all agree."""
    failed = False
    for rows, columns in SIZES:
        with tempfile.TemporaryDirectory() as directory:
            worst = worst_difference(sys.argv[1], rows, columns, 2, directory)
        print(f"{rows:5} x {columns:<5} largest relative difference {worst:.2e}")
        failed |= not worst <= TOLERANCE
    return 1 if failed else 0


sys.exit(main())
