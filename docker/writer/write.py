#!/usr/bin/env python3
"""Appends to a Delta table again and again: the source of docker-compose.yml that changes.

    write.py URI SECONDS

Each load is a day of rides, as examples/make_trips.py makes them. Settings of the store come from
the environment under the names of delta-rs; AWS_SECRET_ACCESS_KEY_FILE names a file of the secret.
"""

import os
import pathlib
import sys
import time

from deltalake import DeltaTable, write_deltalake
from make_trips import rides


def main(uri: str, seconds: str) -> None:
    secret = pathlib.Path(os.environ["AWS_SECRET_ACCESS_KEY_FILE"]).read_text().strip()
    options = {"AWS_SECRET_ACCESS_KEY": secret}
    load = 0
    if DeltaTable.is_deltatable(uri, options):
        load = DeltaTable(uri, storage_options=options).version() + 1
    while True:
        write_deltalake(uri, rides(load), mode="append", partition_by=["city"],
                        storage_options=options)
        print(f"{uri}: version {load}", flush=True)
        load += 1
        time.sleep(float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
