#!/usr/bin/env python3
"""`deepclone clone` beside rclone: the same tables, over the same links, in turns.

    make bench ARGS="[--only TABLE]… [--link LINK]… [--rounds N] [--memory SIZE] [--scale X]"

Each run copies a table from one server to a fresh bucket of the other. A first run of each program
warms up and its copy is compared byte by byte; rclone warms up with several settings, and the
fastest goes on. Then both run in turns, and every copy's keys and lengths are compared.

Speed is rclone's time over deepclone's of the same round, CPU deepclone's seconds over rclone's:
both are medians over the rounds, speed with the least and the largest. Where two figures stand in
a column, the first is deepclone's. Peaks of memory are the largest of all rounds. Requests are
those for data, at both servers, for each object; read are the bytes of data that the source sent,
for each byte of the table.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import sys
import tempfile

import copiers
import stores
from copiers import Cost
from stores import Link, Store

KIB = 1024
MIB = 1024 * KIB
LINKS = [Link("bare"), Link("20ms", round_trip_ms=20), Link("80ms", round_trip_ms=80),
         Link("faults", refused_every=100, cut_every=200)]
COLUMNS = ["table", "link", "speed", "CPU", "wall s", "CPU s", "peak MiB", "requests", "read",
           "failed", "rclone's settings"]
WIDTHS = [5, 6, 18, 5, 15, 13, 9, 13, 15, 6, 0]


@dataclasses.dataclass
class Table:
    """A table to copy: the lengths of its files, and the settings that rclone may run with."""
    name: str
    files: list[int]
    rclone: list[list[str]]

    def sizes(self) -> dict[str, int]:
        return {f"part-{number:05}.parquet": size for number, size in enumerate(self.files)}


@dataclasses.dataclass
class Run:
    """What a run cost, and what the servers saw of it."""
    cost: Cost
    requests: float
    read: float
    # None when the copy is right.
    wrong: str | None


def main() -> None:
    arguments = parse()
    print(row(COLUMNS), flush=True)
    with tempfile.TemporaryDirectory(prefix="deepclone-bench-") as scratch, \
            stores.started(arguments.store) as (source, target):
        bench = Bench(arguments, pathlib.Path(scratch), source, target)
        for table in tables(arguments.scale):
            if arguments.only and table.name not in arguments.only:
                continue
            bench.load(table)
            for link in LINKS:
                if not arguments.link or link.name in arguments.link:
                    print(bench.measure(table, link), flush=True)
            source.delete_bucket(table.name)


def parse() -> argparse.Namespace:
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release"
    parser = argparse.ArgumentParser(description="deepclone beside rclone")
    parser.add_argument("--only", action="append", choices=[table.name for table in tables(1)])
    parser.add_argument("--link", action="append", choices=[link.name for link in LINKS])
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (5)")
    parser.add_argument("--memory", help="deepclone's limit, such as 64MiB; else its default")
    parser.add_argument("--scale", type=float, default=1, help="smaller tables, to try the bench")
    parser.add_argument("--deepclone", default=str(built / "deepclone"))
    parser.add_argument("--store", default=str(built / "bench-store"))
    parser.add_argument("--rclone", required=True)
    return parser.parse_args()


def tables(scale: float) -> list[Table]:
    def scaled(number: int) -> int:
        return max(2, int(number * scale))

    return [
        Table("bulk", [32 * MIB] * scaled(64),
              [["--transfers", "8"], ["--transfers", "32"]]),
        Table("small", [64 * KIB] * scaled(4000),
              [["--transfers", "64"], ["--transfers", "128"]]),
        Table("huge", [scaled(2048) * MIB] + [64 * KIB] * scaled(200),
              [["--transfers", "8", "--multi-thread-streams", "8"],
               ["--transfers", "32", "--multi-thread-streams", "32"]]),
    ]


class Bench:
    """Both programs between both servers."""

    def __init__(self, arguments: argparse.Namespace, scratch: pathlib.Path,
                 source: Store, target: Store):
        self.arguments = arguments
        self.scratch = scratch
        self.source, self.target = source, target
        self.settings = copiers.environment(source, target)
        self.digests = {}
        self.runs = 0
        self.config = None
        if arguments.memory:
            self.config = scratch / "deepclone.toml"
            self.config.write_text(f'[limits]\nmemory = "{arguments.memory}"\n')

    def load(self, table: Table) -> None:
        """Makes the table at the source, in a bucket of its name."""
        self.source.create_bucket(table.name)
        self.source.fill(table.name, {f"table/{key}": size for key, size in table.sizes().items()})
        self.source.put(table.name, f"table/_delta_log/{0:020}.json", log(table))
        self.digests[table.name] = data(self.source.digests(table.name))

    def measure(self, table: Table, link: Link) -> str:
        """Warms up, runs the rounds, and returns a row of the results."""
        self.run(table, link, None, is_first=True)
        warm = [self.run(table, link, each, is_first=True) for each in table.rclone]
        best = min(range(len(warm)), key=lambda at: warm[at].cost.wall_s)
        settings = table.rclone[best]
        ours, theirs = [], []
        for number in range(self.arguments.rounds):
            # Who begins alternates.
            for ran, using in [(theirs, settings), (ours, None)][::-1 if number % 2 else 1]:
                ran.append(self.run(table, link, using))
        return row([table.name, link.name, *figures(ours, theirs), " ".join(settings[1::2])])

    def run(self, table: Table, link: Link, settings: list[str] | None,
            is_first: bool = False) -> Run:
        """One copy, by rclone with these settings or by deepclone."""
        self.runs += 1
        bucket = f"run-{self.runs}"
        folder = self.scratch / bucket
        folder.mkdir()
        self.target.create_bucket(bucket)
        places = f"{table.name}/table", f"{bucket}/table"
        command = copiers.deepclone(self.arguments.deepclone, self.config, *places)
        if settings is not None:
            command = copiers.rclone(self.arguments.rclone, settings, *places)
        for store in (self.source, self.target):
            store.set_link(link)
        cost = copiers.measured(command, self.settings, folder)
        counted = [store.counts()["kinds"] for store in (self.source, self.target)]
        wrong = cost.error or self.difference(table, bucket, is_first)
        # Faults may be too many for a program; without any, a wrong copy is no measurement.
        if wrong and not link.refused_every:
            sys.exit(f"{table.name}, {link.name}: {' '.join(command)}: {wrong}")
        self.target.delete_bucket(bucket)
        requests = sum(tally["requests"] for kinds in counted for kind, tally in kinds.items()
                       if kind.endswith(" data"))
        read = counted[0].get("GET data", {"bytes_out": 0})["bytes_out"]
        return Run(cost, requests / len(table.files), read / sum(table.files), wrong)

    def difference(self, table: Table, bucket: str, is_first: bool) -> str | None:
        """What the copy in a bucket lacks; the first ones are compared byte by byte."""
        sizes = self.target.sizes(bucket)
        if not any("/_delta_log/" in key for key in sizes):
            return "the copy has no log"
        if data(sizes) != table.sizes():
            return "the copy has other keys or lengths"
        if is_first and data(self.target.digests(bucket)) != self.digests[table.name]:
            return "the copy has other bytes"
        return None


def figures(ours: list[Run], theirs: list[Run]) -> list[str]:
    """The figures of a row, from speed to failed."""
    pairs = list(zip(ours, theirs, strict=True))
    speeds = [their.cost.wall_s / our.cost.wall_s for our, their in pairs]
    cpu = statistics.median(our.cost.cpu_s / their.cost.cpu_s for our, their in pairs)

    def both(figure, of=statistics.median, digits: int = 2) -> str:
        found = (of(figure(run) for run in runs) for runs in (ours, theirs))
        return " / ".join(f"{each:.{digits}f}" for each in found)

    return [
        f"{statistics.median(speeds):.2f} ({min(speeds):.2f}–{max(speeds):.2f})",
        f"{cpu:.2f}",
        both(lambda run: run.cost.wall_s),
        both(lambda run: run.cost.cpu_s),
        both(lambda run: run.cost.peak_mib, of=max, digits=0),
        both(lambda run: run.requests, of=max, digits=3),
        both(lambda run: run.read, of=max, digits=4),
        both(lambda run: run.wrong is not None, of=sum, digits=0),
    ]


def row(cells: list[str]) -> str:
    """A row of a table, as pages have it."""
    padded = (cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))
    return f"| {' | '.join(padded)} |"


def data(keys: dict) -> dict:
    """What is said of a table's data files, by their path in it."""
    paths = {key.removeprefix("table/"): value for key, value in keys.items()}
    own = ("_delta_log/", "_deepclone/")
    return {path: value for path, value in paths.items() if not path.startswith(own)}


def log(table: Table) -> str:
    """The table's one commit. Its files are random bytes: a copier does not look inside."""
    schema = {"type": "struct", "fields": [
        {"name": "id", "type": "long", "nullable": True, "metadata": {}}]}
    actions = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {"id": "00000000-0000-4000-8000-000000000001", "configuration": {},
                      "format": {"provider": "parquet", "options": {}}, "createdTime": 0,
                      "schemaString": json.dumps(schema), "partitionColumns": []}},
        *({"add": {"path": path, "partitionValues": {}, "dataChange": True, "size": size,
                   "modificationTime": 0}} for path, size in table.sizes().items()),
    ]
    return "".join(json.dumps(action) + "\n" for action in actions)


if __name__ == "__main__":
    main()
