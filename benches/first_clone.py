#!/usr/bin/env python3
"""What a first clone of very many small files takes: seconds, and peak memory.

    make bench-first-clone ARGS="[--files 1000000] [--folder FOLDER]"

A table of one-byte files with a checkpoint that delta-rs wrote is cloned to another folder of the
same disk, in one process. The replica is then opened by delta-rs, which must count as many files
by its checkpoint. A million files take 10 GB of a disk with blocks of 4 KiB.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import scale


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="deepclone-bench-", dir=arguments.folder) as folder:
        source, replica = pathlib.Path(folder) / "source", pathlib.Path(folder) / "replica"
        write_table(source, arguments.files)
        subprocess.run([arguments.python, "-c", scale.CHECKPOINT, str(source)], check=True)
        command = [arguments.deepclone, "clone", str(source), str(replica), "--output", "json"]
        (seconds, peak), _ = scale.timed(command, pathlib.Path(folder) / "state")
        checkpoint = replica / "_delta_log" / f"{0:020}.checkpoint.parquet"
        if not checkpoint.exists():
            sys.exit("the replica has no checkpoint")
        load = [arguments.python, "-c", scale.LOAD, str(replica)]
        counted = int(subprocess.run(load, check=True, capture_output=True, text=True).stdout)
        if counted != arguments.files:
            sys.exit(f"delta-rs counts {counted} files")
        print(f"{arguments.files} files: {seconds:.0f} s, peak {peak:.0f} MiB")


def parse() -> argparse.Namespace:
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release"
    parser = argparse.ArgumentParser(description="what a first clone of very many files takes")
    parser.add_argument("--files", type=int, default=1_000_000, help="files of the table")
    parser.add_argument("--folder", help="where the tables are made")
    parser.add_argument("--python", default=sys.executable, help="a Python that has deltalake")
    parser.add_argument("--deepclone", default=str(built / "deepclone"))
    return parser.parse_args()


def write_table(table: pathlib.Path, files: int) -> None:
    """A table of so many files of one byte."""
    scale.write_commit(table, 0, range(files), size=1)
    with open(table / "_delta_log" / f"{0:020}.json", encoding="utf-8") as log:
        for line in log:
            if added := json.loads(line).get("add"):
                file = table / added["path"]
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(b"x")


if __name__ == "__main__":
    main()
