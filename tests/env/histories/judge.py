"""What must be equal in a replica and in its source, at the versions that belong together."""

import json

import readers

# The log of a replica is its own: what says when a feature of the log was enabled there.
OWN_PROPERTIES = {"delta.inCommitTimestampEnablementVersion",
                  "delta.inCommitTimestampEnablementTimestamp"}
# Not part of a replica, as docs/compatibility.md says.
DROPPED_PROPERTIES = ("delta.requireCheckpointProtectionBeforeVersion", "delta.universalFormat.")
DROPPED_FEATURES = {"checkpointProtection", "checkpointProtection-preview"}
# The replica's own: whether a commit changed data is judged by sync.
OWN_OF_ADDS = {"dataChange"}
SHOWN = 300


class Unreadable(Exception):
    """Spark cannot read the source any more: nothing can be compared."""


class Judge:
    """Reads both sides by Spark, from the log up to the rows."""

    def __init__(self, spark):
        self.spark = spark

    def differences(self, source: str, version: int, target: str, at: int) -> list[str]:
        """What differs between a version of the source and one of the replica; empty: nothing."""
        self.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
        try:
            expected = self.seen(source, version)
        except Exception as error:  # Spark's, and what reaches us through it
            raise Unreadable(first_words(error)) from error
        try:
            found = self.seen(target, at)
        except Exception as error:
            return [f"Spark cannot read the replica: {first_words(error)}"]
        told = [f"{what}: {shown(expected[what], found[what])}"
                for what in expected if expected[what] != found[what] and what != "features"]
        if lost := expected["features"] - found["features"] - DROPPED_FEATURES:
            told.append(f"features that the replica lost: {sorted(lost)}")
        return told

    def seen(self, location: str, version: int) -> dict:
        """Everything that a reader may find at a version."""
        frame = (self.spark.read.format("delta").option("versionAsOf", version).load(location))
        snapshot = self.snapshot(location, version)
        metadata = json.loads(snapshot.metadata().json())["metaData"]
        configuration = {key: value for key, value in metadata["configuration"].items()
                         if key not in OWN_PROPERTIES and not key.startswith(DROPPED_PROPERTIES)}
        with_ids = frame
        if configuration.get("delta.enableRowTracking") == "true":
            with_ids = frame.selectExpr("*", "_metadata.row_id AS `_row id`")
        return {
            "schema": frame.schema.json(),
            "rows": readers.digest("", map(repr, with_ids.collect())),
            "schema in the log": json.loads(metadata["schemaString"]),
            "partitions": metadata["partitionColumns"],
            "name": metadata.get("name"),
            "description": metadata.get("description"),
            "properties": configuration,
            "features": features(json.loads(snapshot.protocol().json())["protocol"]),
            "domains": domains(snapshot),
            "transactions": transactions(snapshot),
            "files": files(snapshot),
        }

    def snapshot(self, location: str, version: int):
        delta = self.spark._jvm.org.apache.spark.sql.delta
        log = delta.DeltaLog.forTable(self.spark._jsparkSession, location)
        default = [getattr(log, f"getSnapshotAt$default${n}")() for n in (2, 3, 4)]
        return log.getSnapshotAt(version, *default)


def features(protocol: dict) -> set[str]:
    """What a protocol asks for, with its versions where it has no lists."""
    listed = {*protocol.get("readerFeatures", []), *protocol.get("writerFeatures", [])}
    return listed or {f"versions {protocol['minReaderVersion']}, {protocol['minWriterVersion']}"}


def domains(snapshot) -> dict:
    found = (json.loads(domain.json())["domainMetadata"]
             for domain in listed(snapshot.domainMetadata()))
    return {domain["domain"]: domain["configuration"] for domain in found
            if not domain["removed"]}


def transactions(snapshot) -> dict:
    found = (json.loads(one.json())["txn"] for one in listed(snapshot.setTransactions()))
    return {one["appId"]: one["version"] for one in found
            if not one["appId"].startswith("deepclone")}


def files(snapshot) -> list:
    """The live files as the log describes them, statistics as values."""
    found = []
    schema = json.loads(snapshot.schema().json())
    for text in snapshot.allFiles().toJSON().collectAsList():
        file = {key: value for key, value in json.loads(text).items() if key not in OWN_OF_ADDS}
        stats = json.loads(file["stats"]) if file.get("stats") else None
        for bounds in ("minValues", "maxValues"):
            if stats and bounds in stats:
                stats[bounds] = without_nan(stats[bounds], schema)
        file["stats"] = stats
        found.append(file)
    return sorted(found, key=lambda file: json.dumps(file, sort_keys=True))


def without_nan(bounds: dict, schema: dict) -> dict:
    """The bounds without those that are no number: JSON has none, and a replica leaves them out."""
    kept = {}
    types = {field["metadata"].get("delta.columnMapping.physicalName", field["name"]): field["type"]
             for field in schema["fields"]}
    for name, bound in bounds.items():
        kind = types.get(name)
        if isinstance(kind, dict) and isinstance(bound, dict):
            kept[name] = without_nan(bound, kind)
        elif not (kind in ("float", "double") and bound == "NaN"):
            kept[name] = bound
    return kept


def listed(sequence) -> list:
    return [sequence.apply(n) for n in range(sequence.size())]


def by_other_readers(source: str, target: str) -> list[str]:
    """What other readers, most of them over the kernel, do not see as in the source."""
    replica = readers.read(target)
    return [f"{reader}: {shown(seen, replica[reader])}"
            for reader, seen in readers.read(source).items()
            if "rows" in seen and replica[reader] != seen]


def shown(expected, found) -> str:
    """The parts that differ, as short as they are of use."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = sorted({*expected, *found}, key=str)
        return "; ".join(f"{key}: {shown(expected.get(key), found.get(key))}"
                         for key in keys if expected.get(key) != found.get(key))
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return "; ".join(shown(one, other) for one, other in zip(expected, found) if one != other)
    return f"{str(expected)[:SHOWN]} in the source, {str(found)[:SHOWN]} in the replica"


def first_words(error: Exception) -> str:
    return " ".join(str(error).split())[:SHOWN]
