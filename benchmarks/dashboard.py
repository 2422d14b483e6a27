"""What being watched costs a training: `kohort compare digits --study` alone, and with a dashboard open in a browser.

python -m benchmarks.dashboard [--rounds 5] [--epochs 200] [--kinds alone,reader,browser]

In each round all three are run: alone; with a client that only reads the page's events, which is what the dashboard
itself costs; and with a browser (Debian's Chromium, by Playwright) in which the page is open, whose drawing needs the
cores, too.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.cookiejar import CookieJar
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "dashboard.json"


def trained(folder: Path, epochs: int) -> float:
    """Seconds that the comparison says it took, imports left out."""
    words = ["compare", "digits", "--epochs", str(epochs), "--study", str(folder / "study"), "--json", "--quiet"]
    command = [*entry(), *words, "--report", str(folder / "report.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert len(told["plan"]["seeds"]) == 20
    return told["seconds"]


def entry() -> list[str]:
    return [str(Path(sys.executable).with_name("kohort"))]


@contextmanager
def watched(folder: Path, browser: bool) -> Iterator[None]:
    """A dashboard whose page of the study is open as soon as there is one."""
    served = subprocess.Popen([*entry(), "dashboard", str(folder)], stdout=subprocess.PIPE, text=True)
    assert served.stdout is not None
    address = re.search(r"http://\S+", served.stdout.readline())
    assert address
    ended = threading.Event()
    ready = threading.Event()
    watch = threading.Thread(target=_in_browser if browser else _events, args=(address.group(), ready, ended))
    watch.start()
    ready.wait(60)
    try:
        yield
    finally:
        ended.set()
        served.terminate()
        watch.join(20)
        served.wait(20)


def _key(text: str) -> str | None:
    found = re.search(r"/study/([0-9a-f]+)", text)
    return found.group(1) if found else None


def _events(address: str, ready: threading.Event, ended: threading.Event) -> None:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    key = None
    ready.set()
    while not key and not ended.is_set():
        with opener.open(address) as page:
            key = _key(page.read().decode())
        time.sleep(0.5)
    try:
        with opener.open(f"{address.split('/?')[0]}/study/{key}/events") as events:
            while not ended.is_set() and events.readline():
                pass
    except OSError:  # the dashboard has ended
        return


def _in_browser(address: str, ready: threading.Event, ended: threading.Event) -> None:
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = opened.new_page()
        try:
            page.goto(address)
            ready.set()
            page.locator("#studies a").first.click(timeout=60_000)
            while not ended.is_set():
                page.wait_for_timeout(500)
        except Error:
            pass
        opened.close()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--epochs", type=int, default=200)
    asked.add_argument("--kinds", default="alone,reader,browser")
    options = asked.parse_args()
    seconds: dict[str, list[float]] = {kind: [] for kind in options.kinds.split(",")}
    for turn in range(options.rounds):
        for kind in seconds:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                if kind == "alone":
                    seconds[kind].append(trained(folder, options.epochs))
                else:
                    with watched(folder, kind == "browser"):
                        seconds[kind].append(trained(folder, options.epochs))
            print(f"round {turn + 1}, {kind}: {seconds[kind][-1]:.2f} s", flush=True)
    ratios = {
        kind: [watched_ / alone for watched_, alone in zip(own, seconds["alone"], strict=True)]
        for kind, own in seconds.items()
        if kind != "alone"
    }
    told = {
        "date": date.today().isoformat(),
        "epochs": options.epochs,
        "seconds": seconds,
        "ratios": {
            kind: {"median": round(statistics.median(own), 3), "min": round(min(own), 3), "max": round(max(own), 3)}
            for kind, own in ratios.items()
        },
    }
    RESULT.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    print(json.dumps(told["ratios"], indent=1))


if __name__ == "__main__":
    main()
