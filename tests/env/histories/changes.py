"""What happens to a table between two syncs: one random change after the other, by Spark.

A change that Spark refuses leaves the table as it is and counts for nothing.
"""

import os
import pathlib
import random
import time

import rows
import tables

# Which changes there are, how often, and which of them only some kinds have.
WEIGHTS = {
    "append": 10, "append_in_transaction": 2, "append_wider": 2, "overwrite": 2,
    "overwrite_schema": 1, "replace_where": 4, "overwrite_partitions": 3, "update": 6,
    "delete": 6, "delete_partition": 3, "delete_all": 0.5, "merge": 5, "optimize": 5,
    "z_order": 3, "vacuum": 3, "restore": 4, "add_column": 3, "add_nested": 1,
    "reorder_column": 1, "comment": 2, "set_properties": 3, "unset_property": 1,
    "constraint": 1, "checkpoint": 4, "clean_log": 2, "create_or_replace": 1.5, "upgrade": 0.7,
    "drop_feature": 0.7, "rename_column": 4, "drop_column": 2, "widen": 8, "recluster": 3,
    "purge": 4,
}
ONLY_IF_ALLOWED = {"rename_column", "drop_column", "widen", "recluster", "purge"}
UPGRADES = (
    {"delta.columnMapping.mode": "name", "delta.minReaderVersion": "2",
     "delta.minWriterVersion": "5"},
    {"delta.columnMapping.mode": "name"},
    {"delta.enableDeletionVectors": "true"}, {"delta.enableDeletionVectors": "false"},
    {"delta.enableRowTracking": "true"}, {"delta.enableChangeDataFeed": "true"},
    {"delta.enableInCommitTimestamps": "true"}, {"delta.enableInCommitTimestamps": "false"},
    {"delta.enableTypeWidening": "true"}, {"delta.checkpointPolicy": "v2"},
    {"delta.checkpointPolicy": "classic"}, {"delta.feature.vacuumProtocolCheck": "supported"},
)
FEATURES = ("deletionVectors", "v2Checkpoint", "typeWidening", "inCommitTimestamp", "rowTracking",
            "changeDataFeed", "checkConstraints", "columnMapping", "vacuumProtocolCheck")
WIDER = {"byte": "SMALLINT", "short": "INT", "integer": "BIGINT", "float": "DOUBLE",
         "date": "TIMESTAMP_NTZ"}
NEW_TYPES = ("INT", "STRING", "DECIMAL(20,3)", "STRUCT<y: INT, z: STRING>", "ARRAY<INT>",
             "TIMESTAMP", "DATE", "SMALLINT")
LONG_AGO_S = 60 * 24 * 3600


class Changes:
    """A table's future."""

    def __init__(self, spark, location: pathlib.Path, kind: tables.Kind, chance: random.Random):
        self.spark, self.location, self.kind, self.chance = spark, location, kind, chance
        self.table = f"delta.`{location}`"
        self.words = chance.sample(rows.WORDS, 5)
        self.next_id, self.next_name = 0, 0
        self.story: list[str] = []

    def create(self) -> None:
        self.sql(tables.create(self.kind, self.table))
        self.story.append(f"create {self.kind.name}: {self.kind.partitions} "
                          f"{self.kind.properties}")

    def change(self) -> bool:
        """One change; false: Spark refused it."""
        usable = {name: weight for name, weight in WEIGHTS.items() if self.may(name)}
        (name,) = self.chance.choices(list(usable), list(usable.values()))
        try:
            told = getattr(self, name)()
        except Exception as error:  # Spark's, and what reaches us through it
            self.story.append(f"{name}: refused by Spark: {first_words(error)}")
            return False
        self.story.append(f"{name} {told or ''}".rstrip())
        return True

    def may(self, name: str) -> bool:
        if name in ONLY_IF_ALLOWED and name not in self.kind.allows:
            return False
        return name not in self.kind.forbids

    def sql(self, statement: str):
        return self.spark.sql(statement)

    # Rows

    def append(self) -> str:
        return self.write(self.new_rows(), "append")

    def append_in_transaction(self) -> str:
        number = self.number()
        return self.write(self.new_rows(), "append", txnAppId=f"app-{number % 2}",
                          txnVersion=number)

    def append_wider(self) -> str:
        name = f"wide {self.number()}" if "rename_column" in self.kind.allows else self.fresh()
        wider = self.new_rows().selectExpr("*", f"CAST(id % 5 AS INT) AS {rows.quoted(name)}")
        return self.write(wider, "append", mergeSchema="true")

    def overwrite(self) -> str:
        return self.write(self.new_rows(), "overwrite")

    def overwrite_schema(self) -> str:
        """Other columns and another partitioning, or the same."""
        frame = self.new_rows()
        strings = [field.name for field in frame.schema.fields
                   if field.dataType.typeName() in ("string", "boolean", "date")]
        by = self.chance.sample(strings, min(len(strings), self.chance.choice((0, 1))))
        self.written(frame, by).mode("overwrite").option("overwriteSchema", "true").save(
            str(self.location))
        return f"partitioned by {by}"

    def replace_where(self) -> str:
        if "part" in self.partitions() and self.chance.random() < 0.7:
            word = self.chance.choice(self.words)
            if word:
                frame = rows.frame(self.spark, self.schema(), self.next_id, 12, [word],
                                   self.kind.filled)
                self.next_id += 12
                return self.write(frame, "overwrite", replaceWhere=f"part = {rows.literal(word)}")
        start = self.chance.randrange(max(self.next_id, 1))
        count = self.chance.randrange(1, 15)
        frame = rows.frame(self.spark, self.schema(), start, count, self.words, self.kind.filled)
        return self.write(frame, "overwrite",
                          replaceWhere=f"id >= {start} AND id < {start + count}")

    def overwrite_partitions(self) -> str:
        if not self.partitions():
            return self.append()
        return self.write(self.new_rows(8), "overwrite", partitionOverwriteMode="dynamic")

    def update(self) -> str:
        fields = [field for field in self.schema().fields
                  if field.name != "id" and field.name not in self.kind.filled]
        field = self.chance.choice(fields)
        value = rows.value(field.dataType, "(id + 1000)", self.words)
        where = self.condition()
        self.sql(f"UPDATE {self.table} SET {rows.quoted(field.name)} = {value} WHERE {where}")
        return f"{field.name} where {where}"

    def delete(self) -> str:
        where = self.condition()
        self.sql(f"DELETE FROM {self.table} WHERE {where}")
        return where

    def delete_partition(self) -> str:
        where = self.partition_condition() or self.condition()
        self.sql(f"DELETE FROM {self.table} WHERE {where}")
        return where

    def delete_all(self) -> None:
        self.sql(f"DELETE FROM {self.table}")

    def merge(self) -> str:
        start = max(0, self.next_id - 20)
        frame = rows.frame(self.spark, self.schema(), start, 30, self.words, self.kind.filled)
        self.next_id = start + 30
        frame.createOrReplaceTempView("incoming")
        columns = [rows.quoted(name) for name in frame.columns]
        sets = ", ".join(f"t.{name} = s.{name}" for name in columns)
        values = ", ".join(f"s.{name}" for name in columns)
        self.sql(f"MERGE INTO {self.table} t USING incoming s ON t.id = s.id "
                 f"WHEN MATCHED AND s.id % 4 = 0 THEN DELETE "
                 f"WHEN MATCHED THEN UPDATE SET {sets} "
                 f"WHEN NOT MATCHED THEN INSERT ({', '.join(columns)}) VALUES ({values})")
        return f"ids from {start}"

    # Files

    def optimize(self) -> str:
        where = self.partition_condition() if self.chance.random() < 0.3 else None
        self.sql(f"OPTIMIZE {self.table} {'WHERE ' + where if where else ''}")
        return where or ""

    def z_order(self) -> None:
        self.sql(f"OPTIMIZE {self.table} ZORDER BY (id)")

    def recluster(self) -> str:
        by = self.chance.choice(("(id)", "(part)", "(note, id)", "NONE"))
        if self.chance.random() < 0.5:
            self.sql(f"ALTER TABLE {self.table} CLUSTER BY {by}")
        self.sql(f"OPTIMIZE {self.table} {self.chance.choice(('', 'FULL'))}")
        return by

    def purge(self) -> None:
        self.sql(f"REORG TABLE {self.table} APPLY (PURGE)")

    def vacuum(self) -> str:
        how = self.chance.choice(("", "LITE"))
        self.sql(f"VACUUM {self.table} {how} RETAIN 0 HOURS")
        return how

    def restore(self) -> str:
        versions = [row.version for row in self.sql(f"DESCRIBE HISTORY {self.table}").collect()]
        version = self.chance.choice(versions)
        self.sql(f"RESTORE TABLE {self.table} TO VERSION AS OF {version}")
        return f"to {version}"

    # The description

    def add_column(self) -> str:
        kind, name = self.chance.choice(NEW_TYPES), self.fresh()
        where = self.chance.choice(("", "FIRST", "AFTER id"))
        self.sql(f"ALTER TABLE {self.table} ADD COLUMNS ({name} {kind} COMMENT 'ü' {where})")
        return f"{name} {kind} {where}"

    def add_nested(self) -> str:
        parent, name = self.chance.choice(self.of_type("struct")), self.fresh()
        self.sql(f"ALTER TABLE {self.table} ADD COLUMNS ({rows.quoted(parent)}.{name} INT)")
        return f"{parent}.{name}"

    def reorder_column(self) -> str:
        name = self.chance.choice(self.schema().fieldNames())
        self.sql(f"ALTER TABLE {self.table} ALTER COLUMN {rows.quoted(name)} FIRST")
        return name

    def rename_column(self) -> str:
        old = self.chance.choice([name for name in self.schema().fieldNames()
                                  if name not in ("id", "part")])
        new = self.chance.choice(("renamed {}", "n{}", "ü,{}")).format(self.number())
        self.sql(f"ALTER TABLE {self.table} RENAME COLUMN {rows.quoted(old)} "
                 f"TO {rows.quoted(new)}")
        return f"{old} to {new}"

    def drop_column(self) -> str:
        name = self.chance.choice([name for name in self.schema().fieldNames()
                                   if name not in ("id", "part")])
        self.sql(f"ALTER TABLE {self.table} DROP COLUMN {rows.quoted(name)}")
        return name

    def widen(self) -> str:
        field = self.chance.choice([field for field in self.schema().fields
                                    if field.dataType.typeName() in (*WIDER, "decimal")])
        kind = field.dataType
        wider = WIDER.get(kind.typeName()) or f"DECIMAL({kind.precision + 2}, {kind.scale + 1})"
        self.sql(f"ALTER TABLE {self.table} ALTER COLUMN {rows.quoted(field.name)} TYPE {wider}")
        return f"{field.name} to {wider}"

    def comment(self) -> None:
        self.sql(f"COMMENT ON TABLE {self.table} IS 'number {self.number()}, ü'")

    def set_properties(self) -> str:
        key, value = self.chance.choice((
            (f"user.key{self.number() % 3}", "ü 100%"),
            ("delta.checkpointInterval", str(self.chance.choice((2, 4)))),
            ("delta.dataSkippingNumIndexedCols", str(self.chance.choice((0, 1, 5)))),
            ("delta.checkpoint.writeStatsAsStruct", "true"),
            ("delta.deletedFileRetentionDuration", "interval 2 hours")))
        self.sql(f"ALTER TABLE {self.table} SET TBLPROPERTIES ('{key}' = '{value}')")
        return f"{key}={value}"

    def unset_property(self) -> None:
        self.sql(f"ALTER TABLE {self.table} UNSET TBLPROPERTIES IF EXISTS "
                 f"('user.key{self.chance.randrange(3)}')")

    def constraint(self) -> None:
        if self.chance.random() < 0.6:
            self.sql(f"ALTER TABLE {self.table} ADD CONSTRAINT c{self.number()} CHECK (id > -9)")
        else:
            self.sql(f"ALTER TABLE {self.table} DROP CONSTRAINT IF EXISTS positive")

    def create_or_replace(self) -> str:
        """Another kind's columns and partitions in the same log, under another id."""
        kind = self.chance.choice([kind for kind in tables.KINDS if not kind.filled])
        schema = self.spark.createDataFrame([], kind.columns).schema
        start, self.next_id = self.next_id, self.next_id + 20
        frame = rows.frame(self.spark, schema, start, 20, self.words)
        frame.createOrReplaceTempView("replacement")
        self.sql(f"CREATE OR REPLACE TABLE {self.table} USING DELTA {tables.described(kind)} "
                 f"AS SELECT * FROM replacement")
        self.kind = kind
        return f"as {kind.name}"

    def upgrade(self) -> str:
        properties = self.chance.choice(UPGRADES)
        listed = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
        self.sql(f"ALTER TABLE {self.table} SET TBLPROPERTIES ({listed})")
        return str(properties)

    def drop_feature(self) -> str:
        feature = self.chance.choice(FEATURES)
        self.sql(f"ALTER TABLE {self.table} DROP FEATURE {feature}")
        return feature

    # The log

    def checkpoint(self) -> None:
        self.log().checkpoint()

    def clean_log(self) -> None:
        """As if everything had been written long ago: the clean-up leaves the last checkpoint."""
        for file in (self.location / "_delta_log").rglob("*"):
            if file.is_file():
                moment = time.time() - LONG_AGO_S
                os.utime(file, (moment, moment))
        self.checkpoint()

    def log(self):
        logs = self.spark._jvm.org.apache.spark.sql.delta.DeltaLog
        return logs.forTable(self.spark._jsparkSession, str(self.location))

    # What the changes are made of

    def write(self, frame, mode: str, **options) -> str:
        frame = frame.repartition(self.chance.randrange(1, 4))
        frame.write.format("delta").mode(mode).options(**options).save(str(self.location))
        return f"{options or ''}"

    def written(self, frame, by: list[str]):
        writer = frame.write.format("delta")
        return writer.partitionBy(*by) if by else writer

    def new_rows(self, most: int = 40):
        count = self.chance.randrange(1, most)
        start, self.next_id = self.next_id, self.next_id + count
        return rows.frame(self.spark, self.schema(), start, count, self.words, self.kind.filled)

    def condition(self) -> str:
        if self.chance.random() < 0.3 and (where := self.partition_condition()):
            return where
        if self.chance.random() < 0.5:
            return f"id % {self.chance.randrange(3, 9)} = {self.chance.randrange(3)}"
        start = self.chance.randrange(max(self.next_id, 1))
        return f"id BETWEEN {start} AND {start + self.chance.randrange(20)}"

    def partition_condition(self) -> str | None:
        names = self.partitions()
        if not names:
            return None
        name = self.chance.choice(names)
        shown = rows.quoted(name)
        kind = self.schema()[name].dataType.simpleString()
        texts = [row[0] for row in self.sql(
            f"SELECT DISTINCT CAST({shown} AS STRING) FROM {self.table}").collect()]
        text = self.chance.choice(sorted(texts, key=str)) if texts else None
        if text is None:
            return f"{shown} IS NULL"
        return f"{shown} = CAST({rows.literal(text)} AS {kind})"

    def schema(self):
        return self.spark.read.format("delta").load(str(self.location)).schema

    def partitions(self) -> list[str]:
        columns = self.log().unsafeVolatileSnapshot().metadata().partitionColumns()
        return [columns.apply(n) for n in range(columns.size())]

    def of_type(self, name: str) -> list[str]:
        return [field.name for field in self.schema().fields if field.dataType.typeName() == name]

    def fresh(self) -> str:
        return f"c{self.number()}"

    def number(self) -> int:
        self.next_name += 1
        return self.next_name


def first_words(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
