"""A server of JSON lines: one request a line on standard input, one answer a line on output.

A request is an object with `op` and the operation's arguments; the answer is `{"ok": …}` or
`{"error": "…"}`. The process lives as long as its input, so that libraries and the JVM are
started once for many tables.
"""

import json
import os
import sys


def serve(operations: dict) -> None:
    """Answers requests until the input ends."""
    # Libraries print what they like: the answers keep the real standard output to themselves.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(answer(operations, json.loads(line))) + "\n")
        answers.flush()


def answer(operations: dict, request: dict) -> dict:
    """Runs one operation; whatever it raises becomes the answer."""
    try:
        return {"ok": operations[request.pop("op")](**request)}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the panics of Rust libraries are no `Exception`
        return {"error": f"{type(error).__name__}: {first_words(error)}"}


def first_words(error: BaseException) -> str:
    """The beginning of an error's text: readers print whole plans and stack traces."""
    return " ".join(str(error).split())[:400]
