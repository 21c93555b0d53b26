#!/usr/bin/env python3
"""The test environment: tools, two clouds and Azurite, for one command or until told.

    environment.py run -- COMMAND…   start what does not run, run COMMAND, stop what was started
    environment.py up                start what does not run and leave it running
    environment.py down              stop it
    environment.py install           only install the tools
    environment.py deny              install cargo-deny and print its path
    environment.py buf               install buf and print its path
    environment.py rclone            install the Python tools and print rclone's path
    environment.py python            install the Python tools and print the path of their Python
    environment.py histories ARG…    run random histories by Spark (see histories/), without stores

The addresses lie in `run/environment.json` below the cache folder; COMMAND finds the file's path
in DEEPCLONE_TEST_ENVIRONMENT. Runs share one environment: each holds a shared lock while its
command runs, and the last to leave stops what no `up` asked to keep.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import services
import tools


def main(arguments: list[str]) -> int:
    match arguments:
        case ["run", "--", *command] if command:
            return run(command)
        case ["up"]:
            with locked("change"):
                ensure(keep=True)
            print(state_file())
        case ["down"]:
            with locked("change"):
                stop()
        case ["install"]:
            print(json.dumps(tools.install(), indent=2))
        case ["deny"]:
            print(tools.cargo_deny())
        case ["buf"]:
            print(tools.buf())
        case ["rclone"]:
            print(tools.python_tools() / "bin/rclone")
        case ["python"]:
            print(tools.python_tools() / "bin/python")
        case ["histories", *rest]:
            return histories(rest)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def run(command: list[str]) -> int:
    """Runs a command within the environment and returns its exit code."""
    # Told to end, it leaves as it would otherwise: without the stores that it started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    users = open_lock("users")
    try:
        with locked("change"):
            ensure(keep=False)
            fcntl.flock(users, fcntl.LOCK_SH)
        with tempfile.TemporaryDirectory(prefix="deepclone-",
                                         ignore_cleanup_errors=True) as scratch:
            # Tests kill their helpers: what these leave behind goes with the folder.
            environment = {**os.environ, "DEEPCLONE_TEST_ENVIRONMENT": str(state_file()),
                           "DEEPCLONE_TEST_SCRATCH": scratch}
            return subprocess.run(command, env=environment).returncode
    finally:
        with locked("change"):
            with contextlib.suppress(BlockingIOError):
                # Only the last user gets the lock to itself.
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not read_state().get("keep"):
                    stop()
        users.close()


def histories(arguments: list[str]) -> int:
    """Runs the histories in the tools' Python; they need no store."""
    paths = tools.install()
    program = pathlib.Path(__file__).resolve().parent / "histories"
    with tempfile.TemporaryDirectory(prefix="deepclone-", ignore_cleanup_errors=True) as scratch:
        environment = {**os.environ, "DEEPCLONE_SPARK_JARS": paths["jars"],
                       "DEEPCLONE_TEST_SCRATCH": scratch}
        command = [paths["python"], program, *arguments]
        return subprocess.run(command, env=environment).returncode


def ensure(keep: bool) -> None:
    """Makes the environment healthy: reuses it whole, or starts it whole."""
    paths = tools.install()
    state = read_state()
    running = state.get("services", {})
    wanted = {*services.CLOUDS, "azure"}
    ready = state.get("ready") and set(running) == wanted
    if not ready or not all(map(services.healthy, running.values())):
        stop()
        state = {"keep": False, "ready": True, "services": start(paths)}
    state["tools"] = paths
    state["keep"] = state["keep"] or keep
    write_state(state)


def start(paths: dict[str, str]) -> dict[str, dict]:
    """Starts all services at once and waits until each is healthy."""
    folder = state_file().parent / "services"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = {name: services.start_cloud(name, paths["weed"], folder)
               for name in services.CLOUDS}
    started["azure"] = services.start_azure(paths["azurite"], folder)
    # Written before they are healthy: whatever happens next, `down` finds them.
    write_state({"keep": False, "ready": False, "services": started})
    with ThreadPoolExecutor() as pool:
        list(pool.map(services.wait_healthy, started, started.values()))
    for service in started.values():
        services.make_bucket(service)
    return started


def stop() -> None:
    """Stops the services of the state file, if they are still those that were started."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(services.stop, read_state().get("services", {}).values()))
    state_file().unlink(missing_ok=True)
    shutil.rmtree(state_file().parent / "services", ignore_errors=True)


def state_file() -> pathlib.Path:
    return tools.cache() / "run" / "environment.json"


def read_state() -> dict:
    try:
        return json.loads(state_file().read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def write_state(state: dict) -> None:
    """Replaces the state file in one step; it holds credentials, if only of the moment."""
    draft = state_file().with_suffix(".draft")
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(state, indent=2))
    draft.replace(state_file())


def open_lock(name: str):
    path = state_file().parent / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "w")


@contextlib.contextmanager
def locked(name: str):
    with open_lock(name) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
