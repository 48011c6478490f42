"""A real browser without a window: Chromium, told what to do through its own pipe (--remote-debugging-pipe).

    with Browser(folder) as browser:
        page = browser.open(url, width=360, height=780, dark=True)
        page.value("document.title"); page.faults; page.screenshot(path)
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time

PROGRAM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)


class Browser:
    def __init__(self, folder):
        to_it, self._out = os.pipe()
        self._in, from_it = os.pipe()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
                 "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile"]

        def give_pipes():
            os.dup2(to_it, 103)
            os.dup2(from_it, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)
        self._errors = open(folder / "chromium-errors", "wb")
        self._process = subprocess.Popen([PROGRAM, *flags, "about:blank"], preexec_fn=give_pipes, close_fds=False,
                                         stdin=subprocess.DEVNULL, stdout=self._errors, stderr=self._errors,
                                         env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"})
        os.close(to_it)
        os.close(from_it)
        self._pending, self._number, self.events = b"", 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
        except (AssertionError, OSError):
            pass
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._errors.close()

    def _message(self, until):
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._in], [], [], max(0, until - time.monotonic()))
            assert ready, "Chromium does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "Chromium has ended"
            self._pending += data
        line, self._pending = self._pending.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, session=None, timeout=60, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + timeout
        while True:
            answer = self._message(until)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method, session, timeout=60):
        until = time.monotonic() + timeout
        while not any(it.get("method") == method and it.get("sessionId") == session for it in self.events):
            self.events.append(self._message(until))

    def open(self, url, width=1280, height=900, dark=False, scripts=True):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        if not scripts:
            page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired", session)
        return page


class Page:
    def __init__(self, browser, session, target):
        self._browser, self._session, self._target = browser, session, target

    def call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    @property
    def faults(self):
        """What the browser itself finds wrong: its console, its log, policies that were broken, what did not load."""
        self.value("1")  # all that came before is there
        mine = [it for it in self._browser.events if it.get("sessionId") == self._session]
        found = []
        for event in mine:
            what, told = event["method"], event.get("params", {})
            if what == "Log.entryAdded" and told["entry"]["level"] in ("warning", "error"):
                found.append(told["entry"]["text"])
            elif what in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Audits.issueAdded", "Network.loadingFailed"):
                found.append(json.dumps(told))
        return found

    def screenshot(self, path, whole=False):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
        return path.read_bytes()

    def print(self):
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def close(self):
        self._browser.call("Target.closeTarget", targetId=self._target)
