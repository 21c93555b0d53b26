#!/usr/bin/env python3
"""Random histories of tables by Spark, each synced several times and compared each time.

    histories DEEPCLONE [--seeds 0..41] [--syncs 4] [--story] [--keep FOLDER]

DEEPCLONE is the command that is tried. A seed decides the kind of its table, what happens to it,
when it is synced, and which syncs are killed; only the names of files and the moments differ from
run to run. Every replica that a sync publishes is compared with its source at the same version
(see `judge.py`). A refusal with a cause is counted apart; anything else is a difference, is told
with its seed and what happened before, and makes the exit code 1. With `--story` every seed tells
what happened; with `--keep` the tables of a seed with a difference stay there.

    tables.py    how a table begins
    rows.py      values for any schema
    changes.py   what happens to it between two syncs
    history.py   one seed: a table, its changes, its syncs
    syncs.py     the command, killed or not
    judge.py     what must be equal
"""

import argparse
import collections
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

import history  # noqa: E402  (needs the path above)


def main() -> int:
    arguments = parsed()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="histories-"))
    # A build may replace the command meanwhile.
    command = pathlib.Path(shutil.copy(arguments.deepclone, scratch / "deepclone"))
    total, troubled = collections.Counter(), []
    try:
        for seed in arguments.seeds:
            begun = time.monotonic()
            folder = scratch / f"seed-{seed}"
            told = history.History(seed, folder, command, arguments.syncs).run()
            total.update(told.counts)
            seconds = time.monotonic() - begun
            print(f"seed {seed} ({told.kind}): {dict(told.counts)} in {seconds:.0f} s", flush=True)
            for line in told.refusals:
                print(f"  refused: {line}", flush=True)
            if told.differences or arguments.story:
                print("  " + "\n  ".join(told.story + told.differences), flush=True)
            if told.differences:
                troubled.append(seed)
                if arguments.keep:
                    shutil.copytree(folder, arguments.keep / folder.name, dirs_exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"in all: {dict(total)}")
    if troubled:
        print(f"different: seeds {troubled}")
    return 1 if troubled or not total["equal"] else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="histories")
    parser.add_argument("deepclone", type=pathlib.Path)
    parser.add_argument("--seeds", type=span, default=range(41))
    parser.add_argument("--syncs", type=int, default=4)
    parser.add_argument("--story", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path)
    return parser.parse_args()


def span(text: str) -> range:
    """`7` or `0..41`; the end does not belong to it."""
    first, dots, end = text.partition("..")
    return range(int(first), int(end) if dots else int(first) + 1)


if __name__ == "__main__":
    sys.exit(main())
