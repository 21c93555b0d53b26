"""Values for columns of any type, made by Spark from a row's number."""

# Partition values among them: spaces, percent signs, escapes, other alphabets, no text, nothing.
WORDS = ("plain", "with space", "100%", "a%2Fb", "ünï-ço∂e", "日本", "a=b", "x/y", "q'uote",
         "", None, "__HIVE_DEFAULT_PARTITION__", "UPPER", "upper", "tail.", "co:lon", "#1")


def frame(spark, schema, start: int, count: int, words: list, skip: set[str] = frozenset()):
    """Rows `start` to `start + count` for a schema, without the columns in `skip`."""
    expressions = [f"{value(field.dataType, 'id', words)} AS {quoted(field.name)}"
                   for field in schema.fields if field.name not in skip]
    return spark.range(start, start + count, 1, 1).selectExpr(*expressions)


def value(kind, number: str, words: list) -> str:
    """An expression of a type that depends on the number alone; sometimes null."""
    name = kind.typeName()
    plain = {
        "long": f"{number}",
        "integer": f"CAST({number} % 100000 AS INT)",
        "short": f"CAST({number} % 3000 AS SMALLINT)",
        "byte": f"CAST({number} % 100 AS TINYINT)",
        "double": f"CASE WHEN {number} % 17 = 0 THEN double('NaN') ELSE {number} / 7D END",
        "float": f"CAST({number} / 3F AS FLOAT)",
        "boolean": f"({number} % 3 = 0)",
        "date": f"date_add(DATE'1999-12-25', CAST({number} % 9 AS INT))",
        "timestamp": f"timestamp_micros(1700000000123456 + {number} * 3600000001)",
        "timestamp_ntz": f"CAST(timestamp_micros(-7 + {number} * 86400000003) AS TIMESTAMP_NTZ)",
        "binary": f"CAST(concat('b', {number}) AS BINARY)",
        "variant": f"parse_json(concat('{{\"n\":', {number}, ',\"w\":[1,null,\"x\"]}}'))",
    }
    if name in plain:
        made = plain[name]
    elif name == "string":
        choices = ", ".join("NULL" if word is None else literal(word) for word in words)
        made = f"element_at(array({choices}), CAST({number} % {len(words)} AS INT) + 1)"
    elif name == "decimal":
        made = f"CAST(({number} * 1.01) % 1000 AS DECIMAL({kind.precision}, {kind.scale}))"
    elif name == "array":
        made = f"array({value(kind.elementType, number, words)}, NULL)"
    elif name == "map":
        key = f"concat('k', {number} % 2)" if kind.keyType.typeName() == "string" else number
        made = f"map({key}, {value(kind.valueType, number, words)})"
    elif name == "struct":
        inner = ", ".join(f"{literal(field.name)}, {value(field.dataType, number, words)}"
                          for field in kind.fields)
        made = f"named_struct({inner})"
    else:
        raise ValueError(f"no values of type {name}")
    if name in ("string", "long"):
        return made
    return f"CASE WHEN {number} % 11 = 5 THEN NULL ELSE {made} END"


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
