#!/usr/bin/env python3
"""A sync whose workers are killed one after another, over a link with faults.

    make bench-kills ARGS="[--workers N] [--every SECONDS] [--silent] [--scale X]"

A coordinator and its workers copy a table of small files over a long link, each worker few at once
so that the sync lasts. Every few seconds the oldest worker is killed (SIGKILL) and a new one
started, until the sync ends. The servers say the checksums of objects, as S3 does, unless --silent.
Printed are the bytes of data that the source sent for each byte of the table, and what the sync
said. The copy is compared byte by byte.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import stores
from side_by_side import KIB, Table, data, log
from stores import Link, Store


def main() -> None:
    arguments = parse()
    table = Table("lake", [64 * KIB] * max(2, int(60_000 * arguments.scale)), [])
    with tempfile.TemporaryDirectory(prefix="deepclone-bench-") as scratch, \
            stores.started(arguments.store) as (source, target):
        source.create_bucket("lake")
        source.fill("lake", {f"table/{key}": size for key, size in table.sizes().items()})
        source.put("lake", f"table/_delta_log/{0:020}.json", log(table))
        target.create_bucket("replica")
        faults = Link("faults", round_trip_ms=80, refused_every=100, cut_every=200,
                      checksums=not arguments.silent)
        for store in (source, target):
            store.set_link(faults)
        said, killed, seconds = sync(arguments, pathlib.Path(scratch), source, target)
        read = source.counts()["kinds"]["GET data"]["bytes_out"] / sum(table.files)
        copied = data(target.digests("replica")) == data(source.digests("lake"))
        print(f"{len(table.files)} files in {seconds:.0f} s, {killed} workers killed: read "
              f"{read:.4f} of the source, said {said}")
        if not copied or "error" in said:
            sys.exit("the copy is not the source's")


def parse() -> argparse.Namespace:
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release"
    parser = argparse.ArgumentParser(description="a sync whose workers are killed")
    parser.add_argument("--workers", type=int, default=8, help="workers at any time (8)")
    parser.add_argument("--every", type=float, default=5, help="seconds between two kills (5)")
    parser.add_argument("--concurrency", default="32", help="copies at once of a worker (32)")
    parser.add_argument("--silent", action="store_true", help="servers that say no checksums")
    parser.add_argument("--scale", type=float, default=1, help="fewer files, to try the bench")
    parser.add_argument("--programs", type=pathlib.Path, default=built)
    parser.add_argument("--store", default=str(built / "bench-store"))
    return parser.parse_args()


def sync(arguments: argparse.Namespace, scratch: pathlib.Path, source: Store,
         target: Store) -> tuple[dict, int, float]:
    """What the sync said, the number of workers killed, and the seconds that it took."""
    config = scratch / "deepclone.toml"
    sides = connection("source", "lake", source), connection("target", "replica", target)
    config.write_text("".join(sides))
    settings = {"PATH": os.environ["PATH"], "HOME": str(scratch), "DEEPCLONE_LOG": "error"}

    def start(program: str, *flags: str) -> tuple[subprocess.Popen, str]:
        command = [arguments.programs / program, "--config", config, *flags]
        process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline()

    coordinator, line = start("deepclone-coordinator", "--listen", "127.0.0.1:0", "--http-listen",
                              "127.0.0.1:0", "--database", f"sqlite:{scratch / 'state.db'}")
    url = f"http://{line.split()[2]}"

    def worker() -> subprocess.Popen:
        return start("deepclone-worker", "--coordinator", url, "--concurrency",
                     arguments.concurrency)[0]

    workers = [worker() for _ in range(arguments.workers)]
    killed, begun = 0, time.monotonic()
    clone = subprocess.Popen(
        [arguments.programs / "deepclone", "clone", "s3://lake/table", "s3://replica/table",
         "--coordinator", url, "--output", "json"],
        env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while True:
        try:
            out, errors = clone.communicate(timeout=arguments.every)
            break
        except subprocess.TimeoutExpired:
            oldest = workers.pop(0)
            oldest.send_signal(signal.SIGKILL)
            oldest.wait()
            workers.append(worker())
            killed += 1
    seconds = time.monotonic() - begun
    for process in [coordinator, *workers]:
        process.kill()
        process.wait()
    said = json.loads(out) if out else {"error": errors.strip()[-300:]}
    figures = ("error", "objects_copied", "objects_skipped", "bytes_read", "up_to_date")
    return {key: said[key] for key in figures if key in said}, killed, seconds


def connection(role: str, bucket: str, store: Store) -> str:
    return f"""
[connections.{role}]
url = "s3://{bucket}"
roles = ["{role}"]
aws_endpoint_url = "http://{store.address}"
aws_allow_http = "true"
aws_region = "us-east-1"
aws_access_key_id = "key"
aws_secret_access_key = "secret"
"""


if __name__ == "__main__":
    main()
