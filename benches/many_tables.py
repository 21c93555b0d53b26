#!/usr/bin/env python3
"""What a round of many tables costs that have no news.

    make bench-rounds ARGS="[--tables 1000] [--rounds 5]"

A coordinator and two workers in one process keep tables of one file each on a local disk. Printed
are the seconds of the first round, which copies all, and of each later one, which finds nothing
new: as the coordinator records them.
"""

import argparse
import datetime
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from typing import Any


def main() -> None:
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release"
    parser = argparse.ArgumentParser(description="what a round without news costs")
    parser.add_argument("--tables", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds without news (5)")
    parser.add_argument("--deepclone", default=str(built / "deepclone"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deepclone-bench-") as name:
        folder = pathlib.Path(name)
        for number in range(arguments.tables):
            write_table(folder / "lake" / "shop" / f"t{number:05}", number)
        measure(arguments, folder)


def write_table(table: pathlib.Path, number: int) -> None:
    log = table / "_delta_log"
    log.mkdir(parents=True)
    (table / "a.parquet").write_bytes(b"x")
    table_id = str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))
    schema = {"type": "struct", "fields": [
        {"name": "id", "type": "long", "nullable": True, "metadata": {}}]}
    actions: list[dict[str, Any]] = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {"id": table_id, "format": {"provider": "parquet", "options": {}},
                      "schemaString": json.dumps(schema), "partitionColumns": [],
                      "configuration": {}}},
        {"add": {"path": "a.parquet", "partitionValues": {}, "size": 1,
                 "modificationTime": 1_700_000_000_000, "dataChange": True}},
    ]
    text = "".join(json.dumps(action) + "\n" for action in actions)
    (log / f"{0:020}.json").write_text(text, encoding="utf-8")


def measure(arguments: argparse.Namespace, folder: pathlib.Path) -> None:
    (folder / "dr").mkdir()
    (folder / "deepclone.toml").write_text(
        f"[connections.lake]\nurl = \"file://{folder}/lake\"\nroles = [\"source\"]\n"
        f"[connections.dr]\nurl = \"file://{folder}/dr\"\nroles = [\"target\"]\n")
    (folder / "replications.toml").write_text(
        "version = 1\n[[replication]]\nname = \"shop\"\nsource = \"lake\"\ntarget = \"dr\"\n"
        "include = [\"shop/**\"]\nschedule = {every = \"7d\"}\n")
    address = f"127.0.0.1:{free_port()}"
    serve = [arguments.deepclone, "replication", "serve", "replications.toml", "--config",
             "deepclone.toml", "--listen", address, "--http-listen", "127.0.0.1:0",
             "--database", f"sqlite:{folder}/deepclone.db"]
    with subprocess.Popen(serve, cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as server:
        try:
            if server.stdout is None or not server.stdout.readline():
                sys.exit("the coordinator did not start")
            for number in range(arguments.rounds + 1):
                seconds, copied = a_round(arguments.deepclone, address)
                what = "first" if number == 0 else "no news"
                print(f"{arguments.tables:>7} tables  {what:8} {seconds:>7.2f} s  "
                      f"{copied:>7} copied", flush=True)
        finally:
            server.terminate()


def a_round(deepclone: str, address: str) -> tuple[float, int]:
    """Asks for a round and waits for its end; its seconds, and the tables that it copied."""
    coordinator = ["--coordinator", f"http://{address}"]
    subprocess.run([deepclone, "replication", "run", "shop", *coordinator], check=True,
                   stdout=subprocess.DEVNULL)
    while True:
        time.sleep(0.2)
        command = [deepclone, "replication", "get", "shop", "--output", "json", *coordinator]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        newest = (json.loads(said)["last_rounds"] or [{}])[0]
        if newest.get("end_time"):
            began, ended = (datetime.datetime.fromisoformat(newest[key])
                            for key in ("start_time", "end_time"))
            return (ended - began).total_seconds(), newest["tables_done"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
