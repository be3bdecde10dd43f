"""A headless Chromium driven through its DevTools protocol: keys and clicks as a person makes them."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0", "--mute-audio",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
KEYS = {"Enter": ("\r", 13), "Escape": ("", 27), "Tab": ("", 9), "ArrowRight": ("", 39), "ArrowLeft": ("", 37)}


class Browser:
    """One page of a browser; `console` has what scripts complained of, `requests` every address that was asked for."""

    def __init__(self):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([CHROMIUM, *FLAGS, f"--user-data-dir={self._profile.name}"], **quiet)
        self._number, self._events, self.console, self.requests = 0, [], [], []
        self._socket = connect(self._address(), max_size=2**28, compression=None)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    _session = None

    def _address(self) -> str:
        file = Path(self._profile.name) / "DevToolsActivePort"
        for _ in range(600):
            if file.exists() and (lines := file.read_text().splitlines())[1:]:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.05)
        raise TimeoutError("Chromium did not start within 30 seconds")

    def call(self, method, **parameters):
        """A command of the protocol and its result."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while (answer := json.loads(self._socket.recv(timeout=20))).get("id") != number:
            self._note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _note(self, event):
        facts = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"])
        if event.get("method") == "Runtime.exceptionThrown":
            self.console.append(str(facts["exceptionDetails"].get("exception", facts)))
        if event.get("method") == "Page.javascriptDialogOpening":  # an edit that was left: the next test goes on
            self._number += 1
            answer = {"id": self._number, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
            self._socket.send(json.dumps({**answer, "sessionId": self._session}))
        if event.get("method") == "Log.entryAdded":
            self.console.append(facts["entry"]["text"])

    def open(self, url, *, width=1280, height=900, is_dark=False, is_phone=False):
        """Loads a page and waits until it says that it is ready."""
        self.size(width, height, is_phone=is_phone)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Page.navigate", url=url)
        self.until("document.body && document.body.dataset.ready === 'true'")

    def size(self, width, height, *, is_phone=False):
        """Sets the size of the window in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)  # fmt: skip

    def js(self, expression):
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression, seconds=20):
        """Waits for an expression to be true, and gives its value."""
        for _ in range(int(seconds / 0.02)):
            if value := self.js(f"Boolean({expression})"):
                return value
            time.sleep(0.02)
        raise TimeoutError(f"not true within {seconds} s: {expression}; the page shows {self.text('body')[:600]}")

    def text(self, selector):
        """The visible text of the first element that a selector finds."""
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def key(self, *keys, control=False):
        """Presses keys, one after the other."""
        for key in keys:
            text, code = KEYS.get(key, (key, ord(key.upper()[0])))
            facts = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 2 if control else 0}
            self.call(
                "Input.dispatchKeyEvent", type="keyDown", **facts, **({} if control or not text else {"text": text})
            )
            self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    def write(self, text):
        """Types a text where the focus is."""
        self.call("Input.insertText", text=text)

    def click(self, selector):
        """Clicks on the middle of an element, as a pointer does, once the page is drawn as it will stay."""
        self.js("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        found = f"const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'nearest'}});"
        middle = "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2];"
        box = self.js(f"(() => {{ {found} {middle} }})()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def close(self):
        """Ends the browser."""
        self._socket.close()
        self._process.terminate()
        self._process.wait(timeout=20)
        self._profile.cleanup()
