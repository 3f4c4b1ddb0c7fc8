"""What the machine can do: matrix product, memory and disk, to hold the stages against.

    python tests/bench/bench_machine.py [--threads 2] [--folder FOLDER]

The disk is read after its pages were dropped from the cache; a virtual disk may cache below.
"""

import argparse
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from side_by_side import report, row, sgemm, timed

SIZE = 1 << 28


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", help="on the disk to measure")
    parser.add_argument("--output", help="a CSV to write")
    args = parser.parse_args()

    rows = []
    for threads in sorted({1, args.threads}):
        product, operations = sgemm(threads)
        rates = [operations / timed(product) / 1e9 for _ in range(args.repeats)]
        rows.append(row(f"sgemm, {threads} threads", "GFLOP/s", rates))
        rates = [copied(threads) for _ in range(args.repeats)]
        rows.append(row(f"memory copied, {threads} threads (read + written)", "GB/s", rates))
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        written, read = zip(*[disk(Path(folder)) for _ in range(args.repeats)], strict=True)
    rows.append(row("disk, written", "GB/s", written))
    rows.append(row("disk, read", "GB/s", read))
    report("The machine", [{k: line[k] for k in list(line)[:5]} for line in rows], args.output)


def copied(threads):
    """Return the GB/s at which as many threads copy arrays larger than the cache."""
    sources = [np.ones(SIZE // 8 // threads) for _ in range(threads)]
    targets = [np.zeros_like(source) for source in sources]
    with ThreadPoolExecutor(threads) as pool:
        seconds = timed(lambda: list(pool.map(np.copyto, targets, sources)))
    return 2 * SIZE / seconds / 1e9


def disk(folder):
    """Return the GB/s at which a file is written and, from the disk again, read."""
    block = np.random.default_rng(0).bytes(SIZE)

    def write():
        with open(folder / "file", "wb") as file:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())

    def read():
        with open(folder / "file", "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    written = timed(write)
    with open(folder / "file", "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    buffer = bytearray(1 << 24)
    return SIZE / written / 1e9, SIZE / timed(read) / 1e9


if __name__ == "__main__":
    main()
