"""Uses pages in Chromium as people do: clicks, types, and reads what comes of it.

    clicks.py CHROMIUM VERB=WORDS…

The steps are done one after another, in one page:

    open=URL            opens a page
    see=TEXT            waits until the page shows the text
    miss=TEXT           the page does not show the text
    click=TEXT          clicks the link or button of this text, which leads to another page
    type=SELECTOR|TEXT  gives a field this value
    key=NAME            presses a key, such as Tab or Enter
    focus=TEXT          the element in focus has this text, and is seen to be in focus
    scripts=off         from here on no script of a page runs

It prints the first step that fails with what the page shows, or nothing.
"""

import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from pages import Browser  # noqa: E402

WAIT_SECONDS = 10
KEYS = {"Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r")}


def main(chromium: str, *steps: str) -> int:
    with tempfile.TemporaryDirectory(prefix="deepclone-", ignore_cleanup_errors=True) as profile:
        browser = Browser(chromium, profile)
        try:
            browser.ask("Emulation.setDeviceMetricsOverride", width=1280, height=800,
                        deviceScaleFactor=1, mobile=False)
            for step in steps:
                verb, words = step.split("=", 1)
                if not VERBS[verb](browser, words):
                    print(f"{step}\nis not so on {run(browser, 'location.href')}:\n{text(browser)}")
                    return 1
                if browser.faults:
                    print(f"{step}: {browser.faults}")
                    return 1
        finally:
            browser.close()
    return 0


def run(browser: Browser, expression: str):
    """Returns what an expression is in the page; none while the page changes."""
    try:
        result = browser.ask("Runtime.evaluate", expression=expression, returnByValue=True)
    except RuntimeError:
        return None
    return result["result"].get("value")


def text(browser: Browser) -> str:
    return run(browser, "document.body?.innerText") or ""


def until(condition) -> bool:
    """Waits until something holds."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def open_page(browser: Browser, url: str) -> bool:
    browser.url = url
    browser.ask("Page.navigate", url=url)
    browser.wait("Page.loadEventFired")
    return True


def see(browser: Browser, words: str) -> bool:
    return until(lambda: words in text(browser))


def click(browser: Browser, words: str) -> bool:
    expression = f"""(() => {{
      const all = [...document.querySelectorAll("a, button")];
      const found = all.find((element) => element.textContent.trim() === {json.dumps(words)});
      window.isLeft = false;
      found?.click();
      return found !== undefined;
    }})()"""
    arrived = "window.isLeft === undefined && document.readyState === 'complete'"
    return until(lambda: run(browser, expression)) and until(lambda: run(browser, arrived))


def fill(browser: Browser, words: str) -> bool:
    selector, value = words.split("|", 1)
    expression = f"""(() => {{
      const field = document.querySelector({json.dumps(selector)});
      if (field) field.value = {json.dumps(value)};
      return field?.value === {json.dumps(value)};
    }})()"""
    return until(lambda: run(browser, expression))


def press(browser: Browser, name: str) -> bool:
    key, code, typed = KEYS[name]
    for kind in ("keyDown", "keyUp"):
        browser.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=typed,
                    windowsVirtualKeyCode=code, nativeVirtualKeyCode=code)
    return True


def focus(browser: Browser, words: str) -> bool:
    expression = """(() => {
      const style = getComputedStyle(document.activeElement);
      const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      return isSeen ? document.activeElement.textContent.trim() : "an unseen focus";
    })()"""
    return until(lambda: run(browser, expression) == words)


def scripts(browser: Browser, words: str) -> bool:
    browser.ask("Emulation.setScriptExecutionDisabled", value=words == "off")
    return True


VERBS = {"open": open_page, "see": see, "click": click, "type": fill, "key": press, "focus": focus,
         "scripts": scripts, "miss": lambda browser, words: words not in text(browser)}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
