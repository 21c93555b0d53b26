#!/usr/bin/env python3
"""Generates the Python code of Deepclone's API: generate.py FOLDER"""

import pathlib
import subprocess
import sys

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"


def main(folder: str) -> int:
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    files = sorted(map(str, PROTO.glob("deepclone/v1/*.proto")))
    compiler = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}"]
    out = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    return subprocess.run([*compiler, *out, *files]).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 2 else __doc__)
