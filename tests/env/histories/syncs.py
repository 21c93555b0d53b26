"""The command that is tried: run to its end, or killed and run again."""

import json
import os
import pathlib
import subprocess
import time
from dataclasses import dataclass

ENDS_WITHIN_S = 120


@dataclass
class Ended:
    """How a command ended; `code` is None where it was killed."""

    code: int | None
    answer: dict
    errors: str
    seconds: float

    def refusal(self) -> str | None:
        """The cause, if the source or the target was refused with one."""
        error = self.answer.get("error", {})
        if self.code in (3, 4) and error.get("reason") and error.get("message"):
            return f"{error['reason']}: {error['message']}"
        return None


class Deepclone:
    """The command with a state of its own."""

    def __init__(self, command: pathlib.Path, folder: pathlib.Path):
        self.command = command
        self.state = folder / "state"

    def clone(self, source: pathlib.Path, target: pathlib.Path, *flags: str,
              kill_after_s: float | None = None) -> Ended:
        return self.run("clone", str(source), str(target), *flags, kill_after_s=kill_after_s)

    def verify(self, source: pathlib.Path, target: pathlib.Path) -> Ended:
        return self.run("verify", str(source), str(target), "--deep")

    def run(self, *arguments: str, kill_after_s: float | None = None) -> Ended:
        begun = time.monotonic()
        process = subprocess.Popen(
            [self.command, *arguments, "--output", "json"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, "XDG_STATE_HOME": str(self.state)})
        try:
            output, errors = process.communicate(timeout=kill_after_s or ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
        code = process.returncode if process.returncode >= 0 else None
        try:
            answer = json.loads(output)
        except json.JSONDecodeError:
            answer = {}
        return Ended(code, answer, errors, time.monotonic() - begun)
