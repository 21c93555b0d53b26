"""The two programs that are compared, and what a run of one of them costs."""

import dataclasses
import os
import pathlib
import subprocess
import time

from stores import Store

# Its faster settings where several were tried: it looks at nothing that it need not look at. An
# object that it wrote with several streams it must look at: without, it takes its length for 0,
# and the copy for damaged.
RCLONE = ["--no-check-dest", "--fast-list", "--checkers", "64", "--s3-no-head",
          "--s3-no-check-bucket", "--s3-upload-concurrency", "8", "--s3-chunk-size", "16M"]
NO_LOOK = "--s3-no-head-object"


@dataclasses.dataclass
class Cost:
    """What a run cost: of its own process, not of the servers."""
    wall_s: float
    cpu_s: float
    peak_mib: float
    # None when it ended well.
    error: str | None


def deepclone(program: str, config: pathlib.Path | None, source: str, target: str) -> list[str]:
    """The command for the table at `source`; both are `BUCKET/PATH`."""
    extra = ["--config", str(config)] if config else []
    return [program, "clone", f"s3://{source}", f"s3://{target}", "--output", "json", *extra]


def rclone(program: str, settings: list[str], source: str, target: str) -> list[str]:
    looks = [] if "--multi-thread-streams" in settings else [NO_LOOK]
    return [program, "copy", f"source:{source}", f"target:{target}", *RCLONE, *looks, *settings]


def environment(source: Store, target: Store) -> dict[str, str]:
    """Where both programs find the two servers, and nothing else of this machine's settings."""
    found = {"PATH": os.environ["PATH"], "RCLONE_CONFIG": "/dev/null"}
    for side, store in (("SOURCE", source), ("TARGET", target)):
        shared = {"REGION": "us-east-1", "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret"}
        endpoint = f"http://{store.address}"
        ours = {**shared, "ENDPOINT_URL": endpoint, "ALLOW_HTTP": "true"}
        theirs = {**shared, "ENDPOINT": endpoint, "TYPE": "s3", "PROVIDER": "SeaweedFS",
                  "USE_UNSIGNED_PAYLOAD": "true"}
        found |= {f"{side}_AWS_{key}": value for key, value in ours.items()}
        found |= {f"RCLONE_CONFIG_{side}_{key}": value for key, value in theirs.items()}
    return found


def measured(command: list[str], settings: dict[str, str], folder: pathlib.Path) -> Cost:
    """Runs a command to its end, in a folder for its state.

    The peak is never below this script's own size, which a child begins with.
    """
    settings = {**settings, "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
        begun = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=settings, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    error = None
    if process.returncode != 0:
        last = (folder / "err").read_text(errors="replace").strip()[-300:]
        error = f"exit code {process.returncode}: {last}"
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, error)
