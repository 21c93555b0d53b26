#!/usr/bin/env python3
"""Writes and changes real Delta tables with delta-rs and with Spark, on request (see lines.py).

delta-rs takes a local path or a URI with `options` (its storage options):

    {"op": "append", "location": …, "start": 0, "count": 10}       rows of the common table below
    {"op": "create", "location": …, "configuration": {…}}          empty, over whatever is there
    {"op": "overwrite", …, "start", "count", "predicate": null}    all, or one partition's rows
    {"op": "delete" | "update" | "optimize" | "vacuum" | "restore" | "checkpoint" | …}

The common table has `id` long, `region` string (the partition), `amount` double, `at` timestamp
and `note` string; row n is the same wherever it is made. `wide` adds the column `score`.

Spark runs in the same process from its first use on: `{"op": "sql", "statements": […]}` with
tables as ``delta.`/path` ``, and `{"op": "spark_read", "location": …}` for rows as a digest.
"""

import datetime
import os
import pathlib
import tempfile

import lines
import readers

REGIONS = ("north", "south", "east", "west")
NOTES = ("plain", "with space", "ünïcode", None)


def frame(start: int, count: int, regions: list[str] | None = None, wide: bool = False):
    """Rows `start` to `start + count` of the common table."""
    import polars
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    names = regions or REGIONS
    numbers = range(start, start + count)
    columns = {
        "id": list(numbers),
        "region": [names[n % len(names)] for n in numbers],
        "amount": [n / 7 for n in numbers],
        "at": [begin + datetime.timedelta(minutes=n) for n in numbers],
        "note": [NOTES[n % len(NOTES)] for n in numbers],
    }
    types = {"id": polars.Int64, "region": polars.String, "amount": polars.Float64,
             "at": polars.Datetime("us", "UTC"), "note": polars.String}
    if wide:
        columns["score"] = [n % 100 for n in numbers]
        types["score"] = polars.Int32
    return polars.DataFrame(columns, schema=types)


def append(location: str, start: int, count: int, options: dict | None = None, **rows) -> int:
    """Appends rows, creating a table partitioned by region; `wide` merges the schemas."""
    from deltalake import write_deltalake
    write_deltalake(location, frame(start, count, **rows), mode="append", schema_mode="merge",
                    partition_by=partitions_of(location, options), storage_options=options)
    return version(location, options)


def overwrite(location: str, start: int, count: int, predicate: str | None = None,
              options: dict | None = None, **rows) -> int:
    """Replaces all rows, or those that a predicate selects."""
    from deltalake import write_deltalake
    schema = {} if predicate else {"schema_mode": "overwrite"}
    write_deltalake(location, frame(start, count, **rows), mode="overwrite",
                    predicate=predicate, storage_options=options, **schema)
    return version(location, options)


def create(location: str, configuration: dict | None = None, partition_by: list | None = None,
           options: dict | None = None) -> int:
    """Creates the common table without rows, over a table that is there (a new table id)."""
    from arro3.core import Table
    from deltalake import DeltaTable
    schema = Table.from_arrow(frame(0, 0)).schema
    DeltaTable.create(location, schema, mode="overwrite",
                      configuration=configuration, storage_options=options,
                      partition_by=["region"] if partition_by is None else partition_by)
    return version(location, options)


def delete(location: str, predicate: str | None = None, options: dict | None = None) -> int:
    table(location, options).delete(predicate)
    return version(location, options)


def update(location: str, updates: dict, predicate: str | None = None,
           options: dict | None = None) -> int:
    table(location, options).update(updates=updates, predicate=predicate)
    return version(location, options)


def optimize(location: str, options: dict | None = None) -> int:
    table(location, options).optimize.compact()
    return version(location, options)


def vacuum(location: str, options: dict | None = None, full: bool = False) -> list[str]:
    """Deletes what the log removed, or (full) every file that it does not name; gives the keys."""
    return table(location, options).vacuum(
        retention_hours=0, enforce_retention_duration=False, dry_run=False, full=full)


def restore(location: str, to: int, options: dict | None = None) -> int:
    table(location, options).restore(to)
    return version(location, options)


def checkpoint(location: str, options: dict | None = None) -> int:
    table(location, options).create_checkpoint()
    return version(location, options)


def set_properties(location: str, properties: dict, options: dict | None = None) -> int:
    table(location, options).alter.set_table_properties(
        properties, raise_if_not_exists=False)
    return version(location, options)


def version(location: str, options: dict | None = None) -> int:
    return table(location, options).version()


def table(location: str, options: dict | None):
    from deltalake import DeltaTable
    return DeltaTable(location, storage_options=options)


def partitions_of(location: str, options: dict | None) -> list[str]:
    from deltalake import DeltaTable
    if DeltaTable.is_deltatable(location, options):
        return table(location, options).metadata().partition_columns
    return ["region"]


def sql(statements: list[str]) -> list:
    """Runs statements in Spark; gives the rows of the last one."""
    rows = []
    for statement in statements:
        rows = spark().sql(statement).collect()
    return [[str(value) for value in row] for row in rows]


def spark_read(location: str, version: int | None = None) -> dict:
    """What Spark sees: the same kind of digest as the other readers give."""
    reader = spark().read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    found = reader.load(location)
    return readers.digest(found.schema.simpleString(), map(repr, found.collect()))


def spark(**more):
    """The one Spark session, local and small; DEEPCLONE_SPARK_JARS is the folder of its jars."""
    from pyspark.sql import SparkSession
    if (active := SparkSession.getActiveSession()) is not None:
        return active
    os.environ["TZ"] = "UTC"
    jars = sorted(map(str, pathlib.Path(os.environ["DEEPCLONE_SPARK_JARS"]).glob("*.jar")))
    scratch = tempfile.mkdtemp(prefix="spark-", dir=os.environ.get("DEEPCLONE_TEST_SCRATCH"))
    settings = {
        "spark.jars": ",".join(jars),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": scratch,
        "spark.local.dir": scratch,
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions":
            f"-Duser.timezone=UTC -Dderby.system.home={scratch} -XX:TieredStopAtLevel=1",
        "spark.ui.enabled": "false",
        **more,
    }
    builder = SparkSession.builder.master("local[2]").appName("deepclone-tests")
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


if __name__ == "__main__":
    lines.serve({
        operation.__name__: operation
        for operation in (append, overwrite, create, delete, update, optimize, vacuum, restore,
                          checkpoint, set_properties, version, sql, spark_read)
    })
