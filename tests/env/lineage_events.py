#!/usr/bin/env python3
"""Judges events of lineage by OpenLineage's own schemas and its own Python client.

    lineage_events.py FILE    reads a file of JSON lines, and prints what the client made of each

Each event is checked against the JSON schema of its specification and each facet against that
which it names; formats (times, UUIDs, URIs) count, too. Then the client's classes are made of it
and written out again: what comes back is the event itself. It ends with 1 at the first mistake.
"""

import importlib
import json
import pathlib
import pkgutil
import sys

import jsonschema
from openlineage.client import event_v2, facet_v2, generated
from openlineage.client.serde import Serde
from referencing import Registry, Resource

SCHEMAS = pathlib.Path(__file__).resolve().parent / "openlineage"


def main(file: str) -> None:
    registry, classes = schemas(), client_classes()
    for number, line in enumerate(pathlib.Path(file).read_text().splitlines(), 1):
        try:
            event = json.loads(line)
            check(event, registry)
            print(json.dumps(read(event, classes)))
        except Exception as error:
            sys.exit(f"{file}, line {number}: {type(error).__name__}: {error}\n{line}")


def schemas() -> Registry:
    """The schemas by the addresses that they name themselves."""
    texts = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")]
    return Registry().with_resources((text["$id"], Resource.from_contents(text)) for text in texts)


def check(event: dict, registry: Registry) -> None:
    """Checks an event and its facets by the schemas that they name."""
    validate(event, event["schemaURL"], registry)
    for facet in all_facets(event):
        validate(facet, facet["_schemaURL"], registry)


def validate(value: dict, schema: str, registry: Registry) -> None:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    assert {"uuid", "date-time", "uri"} <= set(checker.checkers), "the formats are not checked"
    jsonschema.Draft202012Validator(
        {"$ref": schema}, registry=registry, format_checker=checker).validate(value)


def all_facets(event: dict) -> list[dict]:
    holders = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    kinds = ("facets", "inputFacets", "outputFacets")
    return [facet for of in holders for kind in kinds for facet in of.get(kind, {}).values()]


def client_classes() -> dict[str, type]:
    """The client's classes of facets, by the address of the schema that each is made from."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        names = vars(importlib.import_module(f"{generated.__name__}.{module.name}"))
        for kind in names.values():
            if isinstance(kind, type) and hasattr(kind, "_get_schema"):
                found[kind._get_schema()] = kind
    return found


def read(event: dict, classes: dict[str, type]) -> dict:
    """Makes the client's event of it, and returns what the client would send."""
    facet_v2.set_producer(event["producer"])
    made = event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]],
        eventTime=event["eventTime"],
        run=event_v2.Run(runId=event["run"]["runId"], facets=facets(event["run"], classes)),
        job=event_v2.Job(event["job"]["namespace"], event["job"]["name"],
                         facets(event["job"], classes)),
        inputs=[event_v2.InputDataset(of["namespace"], of["name"], facets=facets(of, classes))
                for of in event["inputs"]],
        outputs=[event_v2.OutputDataset(of["namespace"], of["name"], facets=facets(of, classes),
                                        outputFacets=facets(of, classes, "outputFacets"))
                 for of in event["outputs"]],
        producer=event["producer"],
    )
    written = json.loads(Serde.to_json(made))
    assert without_empty(written) == without_empty(event), f"the client has {written}"
    return written


def facets(holder: dict, classes: dict[str, type], kind: str = "facets") -> dict:
    return {name: facet_of(body, classes) for name, body in holder.get(kind, {}).items()}


def facet_of(body: dict, classes: dict[str, type]):
    own = {name: value for name, value in body.items() if not name.startswith("_")}
    return classes[body["_schemaURL"]](**own)


def without_empty(value):
    """The client leaves out what is empty."""
    if isinstance(value, dict):
        cleaned = {name: without_empty(part) for name, part in value.items()}
        return {name: part for name, part in cleaned.items() if part not in ({}, [], None)}
    return [without_empty(part) for part in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main(*sys.argv[1:])
