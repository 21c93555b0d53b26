#!/usr/bin/env python3
"""What planning costs, by the size of the table and of the change.

    make bench-scale ARGS="[--files 10000,100000,1000000] [--rounds N]"

Tables without data, partitioned by day, whose files lie in one commit. Printed for each size are
the time and the peak memory of `deepclone plan`:

  first       without a replica; beside it delta-rs, which loads the same table
  read        the same from a checkpoint that delta-rs wrote
  no-op       after a sync
  +10, +1000  so many new files since the last sync
  whole       ten new files, when what the last sync knew is gone: both tables are read

The replica's log is published without copying objects (replica_log.rs), which a plan never reads.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from typing import Callable, Iterator

Figures = tuple[float, float]

LOAD = "import sys, deltalake; print(len(deltalake.DeltaTable(sys.argv[1]).file_uris()))"


CHECKPOINT = "import sys, deltalake; deltalake.DeltaTable(sys.argv[1]).create_checkpoint()"


def main() -> None:
    arguments = parse()
    print(f"{'files':>9} {'case':6} {'seconds':>8} {'peak MiB':>9} {'÷ delta-rs':>11}", flush=True)
    for files in arguments.files:
        with tempfile.TemporaryDirectory(prefix="deepclone-bench-", dir=arguments.folder) as folder:
            for case, (seconds, peak), other in measured(arguments, pathlib.Path(folder), files):
                ratio = f"{seconds / other:.2f}" if other else ""
                print(f"{files:>9} {case:6} {seconds:>8.3f} {peak:>9.0f} {ratio:>11}", flush=True)


def parse() -> argparse.Namespace:
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release"
    parser = argparse.ArgumentParser(description="what planning costs")
    parser.add_argument("--files", type=lambda text: [int(part) for part in text.split(",")],
                        default=[10_000, 100_000, 1_000_000], help="sizes of the table")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each plan (3)")
    parser.add_argument("--folder", help="where the tables are made")
    parser.add_argument("--python", default=sys.executable, help="a Python that has deltalake")
    parser.add_argument("--deepclone", default=str(built / "deepclone"))
    parser.add_argument("--replica-log", default=str(built / "examples" / "replica-log"))
    return parser.parse_args()


def measured(arguments: argparse.Namespace, folder: pathlib.Path,
             files: int) -> Iterator[tuple[str, Figures, float | None]]:
    """The cases in the order of the table's life: each with its figures, and delta-rs's seconds."""
    source, replica = folder / "source", folder / "replica"
    write_commit(source, 0, range(files))

    def plan(copied: int) -> Figures:
        command = [arguments.deepclone, "plan", str(source), str(replica), "--output", "json"]
        figures, said = timed(command, folder / "state")
        if json.loads(said).get("num_copied_files", 0) != copied:
            sys.exit(f"the plan says {said}")
        return figures

    def median(run: Callable[[], Figures]) -> Figures:
        runs = [run() for _ in range(arguments.rounds)]
        return statistics.median(run[0] for run in runs), max(run[1] for run in runs)

    def sync() -> None:
        command = [arguments.replica_log, str(source), str(replica)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    yield "first", median(lambda: plan(files)), loaded(arguments, source, median)
    if has_delta_rs(arguments):
        subprocess.run([arguments.python, "-c", CHECKPOINT, str(source)], check=True)
        yield "read", median(lambda: plan(files)), loaded(arguments, source, median)
    sync()
    yield "no-op", median(lambda: plan(0)), None
    write_commit(source, 1, range(files, files + 10))
    yield "+10", median(lambda: plan(10)), None
    known = replica / "_deepclone" / "synced.json"
    known.rename(folder / "known")
    yield "whole", median(lambda: plan(10)), None
    (folder / "known").rename(known)
    sync()
    write_commit(source, 2, range(files + 10, files + 1010))
    yield "+1000", median(lambda: plan(1000)), None


def write_commit(table: pathlib.Path, version: int, numbers: range,
                 size: int | None = None) -> None:
    """A commit that adds the files with these numbers, all of one size or of about 100 MB each;
    version 0 describes the table, too."""
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    columns = [("id", "long"), ("amount", "double"), ("day", "string")]
    fields = [{"name": name, "type": kind, "nullable": True, "metadata": {}}
              for name, kind in columns]
    table_id = str(uuid.uuid5(uuid.NAMESPACE_URL, "deepclone-bench"))
    described = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {"id": table_id, "format": {"provider": "parquet", "options": {}},
                      "schemaString": json.dumps({"type": "struct", "fields": fields}),
                      "partitionColumns": ["day"], "configuration": {}}},
    ]
    with open(log / f"{version:020}.json", "w", encoding="utf-8") as out:
        for action in described if version == 0 else []:
            out.write(json.dumps(action) + "\n")
        for number in numbers:
            day = f"2026-{number // 30 % 12 + 1:02}-{number % 28 + 1:02}"
            name = uuid.uuid5(uuid.NAMESPACE_URL, str(number))
            stats = {"numRecords": 1000, "minValues": {"id": number * 1000, "amount": 0.5},
                     "maxValues": {"id": number * 1000 + 999, "amount": 99.5},
                     "nullCount": {"id": 0, "amount": 0}}
            out.write(json.dumps({"add": {
                "path": f"day={day}/part-{number % 100_000:05}-{name}-c000.snappy.parquet",
                "partitionValues": {"day": day}, "size": size or 100_000_000 + number % 1000,
                "modificationTime": 1_700_000_000_000, "dataChange": True,
                "stats": json.dumps(stats)}}) + "\n")


def loaded(arguments: argparse.Namespace, table: pathlib.Path,
           median: Callable[[Callable[[], Figures]], Figures]) -> float | None:
    """The seconds in which delta-rs loads the table; none where it is not installed."""
    if not has_delta_rs(arguments):
        return None
    run = lambda: timed([arguments.python, "-c", LOAD, str(table)], table)[0]
    return median(run)[0]


def has_delta_rs(arguments: argparse.Namespace) -> bool:
    """Whether the Python of the bench has delta-rs."""
    installed = subprocess.run([arguments.python, "-c", "import deltalake"], capture_output=True)
    return installed.returncode == 0


def timed(command: list[str], state: pathlib.Path) -> tuple[Figures, str]:
    """Runs the command; its seconds, its peak memory in MiB, and what it said."""
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {said[-500:]}")
    return (time.monotonic() - started, usage.ru_maxrss / 1024), said


if __name__ == "__main__":
    main()
