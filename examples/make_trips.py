#!/usr/bin/env python3
"""Makes the example table `trips` with delta-rs: python examples/make_trips.py FOLDER

The rides of a bicycle hire in three cities, partitioned by city, with a history like a real
table's: three loads, a compaction, a correction, the deletion of one rider, a checkpoint, a load.
Its rows are the same every time; file names and times are not. Needs `deltalake` and `polars`;
`tests/env/environment.py install` prints a Python that has them.
"""

import datetime
import random
import sys

import polars
from deltalake import DeltaTable, write_deltalake

CITIES = {"lisbon": 38.72, "nairobi": -1.29, "osaka": 34.69}
RIDES_PER_LOAD = 400
FIRST_DAY = datetime.datetime(2026, 3, 1, 6, tzinfo=datetime.timezone.utc)


def rides(load: int) -> polars.DataFrame:
    """The rides of one load: a day's worth."""
    dice = random.Random(load)
    rows = []
    for number in range(RIDES_PER_LOAD):
        city = dice.choice(sorted(CITIES))
        minutes = round(dice.lognormvariate(2.6, 0.5), 1)
        begun = FIRST_DAY + datetime.timedelta(days=load, seconds=dice.randrange(64_800))
        rows.append({
            "trip_id": load * RIDES_PER_LOAD + number,
            "city": city,
            "rider_id": dice.randrange(150),
            "started_at": begun,
            "minutes": minutes,
            "fare_cents": 100 + round(minutes * 17),
            "latitude": round(CITIES[city] + dice.gauss(0, 0.02), 5),
            "note": dice.choice([None, None, None, "rain", "child seat", "flat tyre"]),
        })
    return polars.DataFrame(rows).with_columns(polars.col("rider_id").cast(polars.Int32))


def main(folder: str) -> None:
    for load in range(3):
        write_deltalake(folder, rides(load), mode="append", partition_by=["city"],
                        name="trips", description="Rides of a bicycle hire in three cities")
    table = DeltaTable(folder)
    table.optimize.compact()
    table.update(updates={"fare_cents": "0"}, predicate="note = 'flat tyre'")
    table.delete("rider_id = 42")
    table.create_checkpoint()
    write_deltalake(folder, rides(3), mode="append")
    print(f"{folder}: version {DeltaTable(folder).version()}")


if __name__ == "__main__":
    main(sys.argv[1])
