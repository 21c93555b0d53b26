"""Opens pages in Chromium as people do, takes pictures of them and prints what is wrong with each.

    pages.py CHROMIUM FOLDER URL=NAME…

Each page is opened wide and light, wide and dark, and as narrow as a small phone. The pictures lie
in FOLDER as NAME-light.png, NAME-dark.png and NAME-narrow.png. Chromium is spoken to over its pipe
(`--remote-debugging-pipe`): messages of JSON, each ended by a zero byte.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# Name, width, height, scheme.
VIEWS = (("light", 1280, 800, "light"), ("dark", 1280, 800, "dark"), ("narrow", 360, 740, "light"))
PICTURE_HEIGHT_MAX = 4000
CHECKS = (pathlib.Path(__file__).parent / "pages.js").read_text()


def main(chromium: str, folder: str, *pages: str) -> int:
    faults = []
    # A process of the browser may write to the profile when the browser itself has ended.
    with tempfile.TemporaryDirectory(prefix="deepclone-", ignore_cleanup_errors=True) as profile:
        browser = Browser(chromium, profile)
        try:
            for page in pages:
                url, name = page.rsplit("=", 1)
                for view in VIEWS:
                    found = look(browser, url, view, pathlib.Path(folder) / f"{name}-{view[0]}.png")
                    faults += [f"{name} {view[0]}: {fault}" for fault in found]
        finally:
            browser.close()
    print("\n".join(faults))
    return 1 if faults else 0


def look(browser: "Browser", url: str, view: tuple, picture: pathlib.Path) -> list[str]:
    """Opens a page, takes its picture and returns its faults."""
    _, width, height, scheme = view
    browser.faults, browser.url = [], url
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                deviceScaleFactor=1, mobile=False)
    browser.ask("Emulation.setEmulatedMedia",
                features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.ask("Page.navigate", url=url)
    browser.wait("Page.loadEventFired")
    result = browser.ask("Runtime.evaluate", expression=CHECKS, returnByValue=True)
    faults = browser.faults + result["result"].get("value", [json.dumps(result)])
    size = browser.ask("Page.getLayoutMetrics")["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": width, "scale": 1,
            "height": min(size["height"], PICTURE_HEIGHT_MAX)}
    shot = browser.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    picture.write_bytes(base64.b64decode(shot["data"]))
    return faults


class Browser:
    """A Chromium with one page, spoken to over a pair of pipes."""

    def __init__(self, chromium: str, profile: str):
        theirs, self.requests = os.pipe()
        self.answers, theirs_out = os.pipe()
        # It reads from 3 and writes to 4.
        command = f'exec "$0" "$@" 3<&{theirs} 4>&{theirs_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, chromium, "--headless", "--no-sandbox", "--disable-gpu",
             "--hide-scrollbars", "--no-first-run", "--remote-debugging-pipe",
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(theirs, theirs_out), stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        os.close(theirs)
        os.close(theirs_out)
        self.unread = b""
        self.number = 0
        self.session = None
        self.faults: list[str] = []
        self.url = ""
        self.seen: list[str] = []
        targets = self.ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters) -> dict:
        """Sends a request and returns its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.seen = []
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def wait(self, event: str) -> None:
        """Waits for an event since the last request."""
        while event not in self.seen:
            self.read()

    def read(self) -> dict:
        while b"\0" not in self.unread:
            part = os.read(self.answers, 1 << 16)
            if not part:
                raise RuntimeError("Chromium has ended")
            self.unread += part
        text, self.unread = self.unread.split(b"\0", 1)
        message = json.loads(text)
        self.seen.append(message.get("method", ""))
        # What the console says, such as of a style that the policy refuses. That a page is absent
        # is no fault of it.
        if message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            if entry.get("url") != self.url:
                self.faults.append(entry["text"])
        return message

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
