#!/usr/bin/env python3
"""Reads the rows of a Delta table with independent readers, as one digest for each.

    readers.py LOCATION [VERSION]    prints what each reader sees
    readers.py                       answers requests on standard input (see lines.py)

A request is `{"op": "read", "location": …, "version": null, "readers": null, "options": null}`;
`options` are delta-rs's storage options, and a location in a store is read only by the readers
that take them. An answer has for each reader one of

    {"rows": 3, "digest": "…", "columns": "…"}   the digest does not depend on the rows' order
    {"error": "…"}                                the reader refuses the table or fails
    {"cannot_judge": "…"}                         the reader is known to be wrong here, and why

`{"op": "rows", "location": …, "reader": …, "limit": 20}` gives rows as text, sorted, to look at.

`{"op": "lost", "location": …}` looks every value of every plain column up by a predicate, so that
readers skip files by their statistics; an answer has for each reader the values it did not find.
"""

import hashlib
import json
import pathlib
import sys
from collections.abc import Iterable, Iterator

import lines

BATCH_ROWS = 8192
DIGEST_BITS = 128


def read(location: str, version: int | None = None, readers: list[str] | None = None,
         options: dict | None = None) -> dict:
    """What each reader sees at a version, by default the newest."""
    location = plain(location)
    return {name: lines_of_reader(name, location, version, options)
            for name in readers or usable(options)}


def rows(location: str, reader: str, version: int | None = None, limit: int = 20,
         options: dict | None = None) -> list[str]:
    """The first rows in the order of their texts."""
    _, texts = READERS[reader](plain(location), version, options)
    return sorted(texts)[:limit]


def lost(location: str) -> dict:
    """The values that a reader shows and does not find by a predicate."""
    return {"duckdb": lost_by_duckdb(plain(location)), "polars": lost_by_polars(plain(location))}


def plain(location: str) -> str:
    """A local path without `..`, which the kernel's paths do not have; a URI as it is."""
    return location if "://" in location else str(pathlib.Path(location).resolve())


def usable(options: dict | None) -> list[str]:
    # DuckDB takes no storage options; it judges local copies.
    return [name for name in READERS if name != "duckdb" or not options]


def lines_of_reader(name: str, location: str, version: int | None,
                    options: dict | None) -> dict:
    result = lines.answer({name: lambda: digest(*READERS[name](location, version, options))},
                          {"op": name})
    if "error" in result and result["error"].startswith("CannotJudge: "):
        return {"cannot_judge": result["error"].removeprefix("CannotJudge: ")}
    return result.get("ok", result)


def digest(columns: str, texts: Iterable[str]) -> dict:
    """Adds up the hashes of all rows, so that order does not count and multiplicity does."""
    total, count = 0, 0
    for text in texts:
        total += int.from_bytes(hashlib.sha256(text.encode()).digest()[: DIGEST_BITS // 8])
        count += 1
    return {"rows": count, "digest": f"{total % (1 << DIGEST_BITS):032x}", "columns": columns}


class CannotJudge(Exception):
    """This reader gives wrong rows for such tables, or none, without saying so."""


def by_duckdb(location: str, version: int | None,
              options: dict | None) -> tuple[str, Iterator[str]]:
    """DuckDB's delta extension, loaded from its Python package: nothing is downloaded."""
    connection = duckdb_with_delta()
    at = "" if version is None else f", version => {version}"
    scan = f"delta_scan({quoted(location)}{at})"
    described = connection.execute(f"DESCRIBE FROM {scan}").fetchall()
    columns = ", ".join(f"{name} {kind}" for name, kind, *_ in described)
    # As text within DuckDB: it spells every type, also those that Python has no value for.
    result = connection.execute(f"SELECT (scanned)::VARCHAR FROM {scan} AS scanned")
    return columns, (text for (text,) in fetched(result))


def duckdb_with_delta():
    import duckdb
    import duckdb_extension_delta
    extension = (pathlib.Path(duckdb_extension_delta.__file__).parent / "extensions"
                 / f"v{duckdb.__version__}" / "delta.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    return connection


def lost_by_duckdb(location: str) -> list[str]:
    connection = duckdb_with_delta()
    scan = f"delta_scan({quoted(location)})"
    missed = []
    for name, kind, *_ in connection.execute(f"DESCRIBE FROM {scan}").fetchall():
        if "(" in kind and not kind.startswith("DECIMAL"):
            continue
        column = '"' + name.replace('"', '""') + '"'
        # A literal, as people write it: only then are files skipped.
        values = connection.execute(
            f"SELECT DISTINCT {column}::VARCHAR FROM {scan} WHERE {column} IS NOT NULL").fetchall()
        for (value,) in values:
            where = f"{column} = CAST({quoted(value)} AS {kind})"
            (count,) = connection.execute(f"SELECT count(*) FROM {scan} WHERE {where}").fetchone()
            missed += [where] if count == 0 else []
    return missed


def lost_by_polars(location: str) -> list[str]:
    import polars
    import polars_deltalake
    table = polars_deltalake.scan_delta(location)
    missed = []
    for name, kind in table.collect_schema().items():
        if kind.is_nested():
            continue
        for value in table.select(name).collect()[name].drop_nulls().unique():
            # The predicate travels as JSON, which has no NaN.
            if value != value:
                continue
            where = polars.col(name) == polars.lit(value, dtype=kind)
            if table.filter(where).collect().is_empty():
                missed.append(f"{name} = {value!r}")
    return missed


def fetched(result) -> Iterator[tuple]:
    while batch := result.fetchmany(BATCH_ROWS):
        yield from batch


def by_polars(location: str, version: int | None,
              options: dict | None) -> tuple[str, Iterator[str]]:
    """Polars over the Delta kernel."""
    import polars_deltalake
    arguments = {key: value for key, value in
                 {"version": version, "storage_options": options}.items() if value is not None}
    return of_frame(polars_deltalake.scan_delta(location, **arguments).collect())


def by_delta_rs(location: str, version: int | None,
                options: dict | None) -> tuple[str, Iterator[str]]:
    """delta-rs through DataFusion."""
    import polars
    from deltalake import DeltaTable, QueryBuilder
    table = DeltaTable(location, version=version, storage_options=options)
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        raise CannotJudge("delta-rs gives nulls for tables with column mapping")
    batches = QueryBuilder().register("scanned", table).execute("SELECT * FROM scanned")
    return of_frame(polars.from_arrow(batches).struct.unnest())


def of_frame(frame) -> tuple[str, Iterator[str]]:
    """The columns and rows of a Polars frame; moments as numbers, which have no last year."""
    import polars.selectors
    columns = ", ".join(f"{name} {kind}" for name, kind in frame.schema.items())
    moments = polars.selectors.temporal()
    plain = frame.with_columns(moments.to_physical())
    return columns, (repr(row) for row in plain.iter_rows())


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


READERS = {"duckdb": by_duckdb, "polars": by_polars, "delta-rs": by_delta_rs}


def main(arguments: list[str]) -> None:
    match arguments:
        case []:
            lines.serve({"read": read, "rows": rows, "lost": lost})
        case [location, *version]:
            seen = read(location, int(version[0]) if version else None)
            print(json.dumps(seen, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
