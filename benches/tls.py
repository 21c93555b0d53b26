#!/usr/bin/env python3
"""What TLS between coordinator and workers costs: the same syncs with it and without, in turn.

    make bench-tls ARGS="[--rounds N] [--workers N] [--scale X]"

Two tables: small files, whose reports are many, and large ones. With TLS the workers show
certificates, the command shows a token, and each call is judged; without it nobody is asked.
Printed are the medians of both, and how much longer the sync with TLS took.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import stores
from killed_workers import connection
from side_by_side import KIB, MIB, Table, data, log
from stores import Store

DEV_CA = pathlib.Path(__file__).resolve().parents[1] / "examples/tls/dev_ca.sh"


def main() -> None:
    arguments = parse()
    scaled = lambda number: max(2, int(number * arguments.scale))
    tables = [Table("small", [64 * KIB] * scaled(4_000), []),
              Table("bulk", [32 * MIB] * scaled(64), [])]
    with tempfile.TemporaryDirectory(prefix="deepclone-bench-") as scratch, \
            stores.started(arguments.store) as (source, target):
        for table in tables:
            source.create_bucket(table.name)
            source.fill(table.name, {f"table/{key}": size for key, size in table.sizes().items()})
            source.put(table.name, f"table/_delta_log/{0:020}.json", log(table))
            seconds = {"plain": [], "tls": []}
            for round_ in range(arguments.rounds):
                # Who goes first takes turns, too.
                for kind in sorted(seconds, reverse=round_ % 2 == 1):
                    target.create_bucket(table.name)
                    folder = pathlib.Path(scratch) / f"{table.name}-{round_}-{kind}"
                    folder.mkdir()
                    took = sync(arguments, folder, table.name, source, target, kind == "tls")
                    if data(target.digests(table.name)) != data(source.digests(table.name)):
                        sys.exit("the copy is not the source's")
                    target.delete_bucket(table.name)
                    seconds[kind].append(took)
            plain, tls = (statistics.median(seconds[kind]) for kind in ("plain", "tls"))
            print(f"{table.name}: {plain:.2f} s without TLS, {tls:.2f} s with it: "
                  f"{(tls / plain - 1) * 100:+.1f} %", flush=True)
            source.delete_bucket(table.name)


def parse() -> argparse.Namespace:
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release"
    parser = argparse.ArgumentParser(description="what TLS between our processes costs")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each (7)")
    parser.add_argument("--workers", type=int, default=2, help="workers (2)")
    parser.add_argument("--scale", type=float, default=1, help="fewer files, to try the bench")
    parser.add_argument("--programs", type=pathlib.Path, default=built)
    parser.add_argument("--store", default=str(built / "bench-store"))
    return parser.parse_args()


def sync(arguments: argparse.Namespace, folder: pathlib.Path, bucket: str, source: Store,
         target: Store, is_tls: bool) -> float:
    """How many seconds the command took."""
    sides = connection("source", bucket, source) + connection("target", bucket, target)
    files = guarded(arguments, folder) if is_tls else {}
    worker_config, config = folder / "worker.toml", folder / "deepclone.toml"
    worker_config.write_text(sides)
    config.write_text(sides + files.get("config", ""))
    settings = {"PATH": os.environ["PATH"], "HOME": str(folder), "DEEPCLONE_LOG": "error"}
    running = []

    def start(program: str, *flags: object) -> str:
        command = [arguments.programs / program, *map(str, flags)]
        process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process.stdout.readline()

    try:
        line = start("deepclone-coordinator", "--config", config, "--listen", "127.0.0.1:0",
                     "--http-listen", "127.0.0.1:0", "--database", f"sqlite:{folder}/state.db")
        url = f"{'https' if is_tls else 'http'}://{line.split()[2]}"
        for _ in range(arguments.workers):
            start("deepclone-worker", "--config", worker_config, "--coordinator", url,
                  *files.get("worker", []))
        begun = time.monotonic()
        clone = subprocess.run(
            [arguments.programs / "deepclone", "clone", f"s3://{bucket}/table",
             f"s3://{bucket}/table", "--source-connection", "source", "--target-connection",
             "target", "--coordinator", url, "--output", "json", *files.get("command", [])],
            env=settings, capture_output=True, text=True)
        seconds = time.monotonic() - begun
    finally:
        for process in running:
            process.kill()
            process.wait()
    if clone.returncode != 0:
        sys.exit(clone.stderr or clone.stdout)
    return seconds


def guarded(arguments: argparse.Namespace, folder: pathlib.Path) -> dict:
    """Certificates, a token and the file of principals; what each process is told of them."""
    subprocess.run([DEV_CA, folder / "keys", "coordinator", "worker"], check=True)
    made = subprocess.run([arguments.programs / "deepclone", "token", "--output", "json"],
                          check=True, capture_output=True, text=True)
    token = json.loads(made.stdout)
    (folder / "token").write_text(token["token"])
    (folder / "access.toml").write_text(
        '[[principals]]\nname = "fleet"\nrole = "worker"\ncertificates = ["worker"]\n'
        '[[principals]]\nname = "user"\nrole = "submitter"\n'
        f'tokens = [{{ sha256 = "{token["sha256"]}" }}]\n')
    keys = folder / "keys"
    return {
        "config": f'[tls]\ncert_file = "{keys}/coordinator.pem"\n'
                  f'key_file = "{keys}/coordinator.key"\nclient_ca_file = "{keys}/ca.pem"\n'
                  f'[access]\nfile = "{folder}/access.toml"\n',
        "worker": ["--ca-file", keys / "ca.pem", "--cert-file", keys / "worker.pem",
                   "--key-file", keys / "worker.key"],
        "command": ["--ca-file", str(keys / "ca.pem"), "--token-file", str(folder / "token")],
    }


if __name__ == "__main__":
    main()
