#!/usr/bin/env python3
"""`deepclone clone` beside rclone: the same table, from one cloud to the other, in turns.

    environment.py run -- python3 benches/side_by_side.py [--full] [--rounds N] [--binary PATH]

Two tables are made in the north cloud: a *bulk* one of a few large objects and a *small* one of
many little ones. Their logs are real, their objects random bytes: a copier does not look inside.
Each round copies each table once with each tool, in an order that alternates, to a fresh prefix
in the south cloud, which is checked and deleted outside the timing. Wall time, CPU seconds (user
and system) and peak resident memory are those of the tool's own process; the stores' are not
counted. What is printed are medians, and deepclone's as ratios to rclone's: below 1 is better.

rclone runs with its best settings for each shape, without digests of its own.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BUCKET = "lake"
KIB = 1024
MIB = 1024 * KIB
# Its faster settings where several were tried; the rest are its defaults.
RCLONE_COMMON = ["--s3-no-check-bucket", "--no-check-dest", "--s3-no-head",
                 "--s3-upload-concurrency", "8", "--s3-chunk-size", "16M"]
RCLONE_BULK = ["--transfers", "8"]
RCLONE_SMALL = ["--transfers", "64", "--checkers", "64", "--fast-list"]


@dataclasses.dataclass
class Shape:
    """A table to copy."""
    name: str
    objects: int
    object_bytes: int
    rclone: list[str]


@dataclasses.dataclass
class Cost:
    """What one copy cost."""
    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    arguments = parse()
    with open(os.environ["DEEPCLONE_TEST_ENVIRONMENT"]) as file:
        environment = json.load(file)
    with tempfile.TemporaryDirectory(prefix="deepclone-bench-") as scratch:
        bench = Bench(environment, arguments.binary, pathlib.Path(scratch))
        results = {}
        for shape in shapes(arguments.full):
            bench.make(shape)
            results[shape.name] = [bench.round(shape, number)
                                   for number in range(arguments.rounds + 1)][1:]
            print(report(shape, results[shape.name]), flush=True)
            bench.purge("north", f"bench/{shape.name}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, default=dataclasses.asdict, indent=2))


def parse() -> argparse.Namespace:
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    parser = argparse.ArgumentParser(description="deepclone beside rclone")
    parser.add_argument("--full", action="store_true", help="2 GiB bulk and 4 000 small objects")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds; one more warms up")
    parser.add_argument("--binary", default=f"{target}/release/deepclone")
    parser.add_argument("--json", type=pathlib.Path, help="also write every measurement here")
    return parser.parse_args()


def shapes(full: bool) -> list[Shape]:
    factor = 4 if full else 1
    return [Shape("bulk", 16 * factor, 32 * MIB, RCLONE_BULK),
            Shape("small", 1000 * factor, 64 * KIB, RCLONE_SMALL)]


class Bench:
    """Both tools, set up for both clouds."""

    def __init__(self, environment: dict, binary: str, scratch: pathlib.Path):
        self.rclone = environment["tools"]["rclone"]
        self.binary = binary
        self.scratch = scratch
        # A bundle of certificates of this machine changes how rclone signs.
        self.settings = {key: value for key, value in os.environ.items()
                         if not key.startswith(("AWS_", "RCLONE_"))}
        self.settings["XDG_STATE_HOME"] = str(scratch / "state")
        self.settings["RCLONE_CONFIG"] = "/dev/null"
        sides = (("north", "SOURCE"), ("south", "TARGET"))
        for name, side in sides:
            cloud = environment["services"][name]
            self.settings |= {
                f"{side}_AWS_ENDPOINT_URL": cloud["endpoint"],
                f"{side}_AWS_REGION": cloud["region"],
                f"{side}_AWS_ACCESS_KEY_ID": cloud["access_key_id"],
                f"{side}_AWS_SECRET_ACCESS_KEY": cloud["secret_access_key"],
                f"{side}_AWS_ALLOW_HTTP": "true",
            }
            prefix = f"RCLONE_CONFIG_{name.upper()}"
            self.settings |= {
                f"{prefix}_TYPE": "s3",
                f"{prefix}_PROVIDER": "SeaweedFS",
                f"{prefix}_ENDPOINT": cloud["endpoint"],
                f"{prefix}_REGION": cloud["region"],
                f"{prefix}_ACCESS_KEY_ID": cloud["access_key_id"],
                f"{prefix}_SECRET_ACCESS_KEY": cloud["secret_access_key"],
            }

    def make(self, shape: Shape) -> None:
        """Makes the table in the north cloud."""
        folder = self.scratch / shape.name
        write_table(folder, shape)
        self.quiet(self.rclone, "copy", "--s3-no-check-bucket", "--transfers", "8",
                   str(folder), f"north:{BUCKET}/bench/{shape.name}")
        shutil.rmtree(folder)

    def round(self, shape: Shape, number: int) -> dict[str, Cost]:
        """One copy with each tool; who begins alternates."""
        source = f"bench/{shape.name}"
        order = ["deepclone", "rclone"] if number % 2 else ["rclone", "deepclone"]
        costs = {}
        for tool in order:
            target = f"bench-{tool}/{shape.name}-{number}"
            if tool == "deepclone":
                command = [self.binary, "clone", f"s3://{BUCKET}/{source}",
                           f"s3://{BUCKET}/{target}", "--output", "json"]
            else:
                command = [self.rclone, "copy", f"north:{BUCKET}/{source}",
                           f"south:{BUCKET}/{target}", *RCLONE_COMMON, *shape.rclone]
            costs[tool] = self.measured(command)
            self.check(shape, target)
            self.purge("south", target)
        return costs

    def measured(self, command: list[str]) -> Cost:
        """Runs a command to its end and tells what its process cost."""
        begun = time.monotonic()
        with open(self.scratch / "log", "wb") as log:
            process = subprocess.Popen(command, env=self.settings, stdout=log, stderr=log)
            _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - begun
        if status != 0:
            sys.exit(f"{command} failed:\n{(self.scratch / 'log').read_text()}")
        return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / KIB)

    def check(self, shape: Shape, target: str) -> None:
        """Every data object is there with all its bytes."""
        told = self.quiet(self.rclone, "size", "--json", "--filter", "- _deepclone/**",
                          "--filter", "- _delta_log/**", f"south:{BUCKET}/{target}")
        found = json.loads(told)
        expected = shape.objects * shape.object_bytes
        if (found["count"], found["bytes"]) != (shape.objects, expected):
            sys.exit(f"{target} is not whole: {found}")

    def purge(self, cloud: str, prefix: str) -> None:
        self.quiet(self.rclone, "purge", f"{cloud}:{BUCKET}/{prefix}")

    def quiet(self, *command: str) -> str:
        return subprocess.run(command, env=self.settings, check=True, text=True,
                              stdout=subprocess.PIPE).stdout


def write_table(folder: pathlib.Path, shape: Shape) -> None:
    """A Delta table of one commit whose files are random bytes."""
    (folder / "_delta_log").mkdir(parents=True)
    schema = {"type": "struct", "fields": [
        {"name": "id", "type": "long", "nullable": True, "metadata": {}}]}
    actions = [
        {"commitInfo": {"timestamp": 0, "operation": "WRITE", "operationParameters": {}}},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {"id": "00000000-0000-4000-8000-000000000001", "configuration": {},
                      "format": {"provider": "parquet", "options": {}}, "createdTime": 0,
                      "schemaString": json.dumps(schema), "partitionColumns": []}},
    ]
    for number in range(shape.objects):
        name = f"part-{number:05}.parquet"
        (folder / name).write_bytes(os.urandom(shape.object_bytes))
        actions.append({"add": {"path": name, "partitionValues": {}, "dataChange": True,
                                "size": shape.object_bytes, "modificationTime": 0}})
    log = folder / "_delta_log" / f"{0:020}.json"
    log.write_text("".join(json.dumps(action) + "\n" for action in actions))


def report(shape: Shape, rounds: list[dict[str, Cost]]) -> str:
    """A table of medians, with deepclone's as ratios to rclone's."""
    lines = [
        f"### {shape.objects} × {shape.object_bytes // KIB} KiB, {len(rounds)} rounds",
        "",
        "| | wall s | CPU s | peak MiB |",
        "| --- | --- | --- | --- |",
    ]
    medians = {}
    for tool in ("deepclone", "rclone"):
        medians[tool] = [statistics.median(getattr(costs[tool], field.name) for costs in rounds)
                         for field in dataclasses.fields(Cost)]
        lines.append(f"| {tool} | " + " | ".join(f"{x:.2f}" for x in medians[tool]) + " |")
    ratios = [ours / theirs for ours, theirs in zip(*medians.values(), strict=True)]
    lines.append("| ratio | " + " | ".join(f"**{ratio:.2f}**" for ratio in ratios) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
