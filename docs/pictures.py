"""Makes the pictures of the documentation: a real study, its report and the dashboard that follows it.

python docs/pictures.py
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
KOHORT = str(Path(sys.executable).with_name("kohort"))
RECIPES = "none,l2=0.0001,l2=0.001,l2=0.01,dropout=0.3,batchnorm"
LOOKS = {
    "": (1440, 1500, "light"),
    "-dark": (1440, 1500, "dark"),
    "-phone": (390, 1500, "light"),
    "-phone-dark": (390, 1500, "dark"),
}


def brought_to_life(page: Any) -> None:
    """Scrolls past every figure, so that what is seen is what a reader sees."""
    for figure in page.locator("figure[data-chart]").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".living svg").wait_for()
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(500)


def main() -> None:
    """Trains, looks, and writes the pictures."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        served = subprocess.Popen([KOHORT, "dashboard", name], stdout=subprocess.PIPE, text=True)
        assert served.stdout is not None
        found = re.search(r"http://\S+", served.stdout.readline())
        assert found
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        words = ["--recipes", RECIPES, "--epochs", "400", "--study", str(folder / "digits"), "--quiet", "--time-fit"]
        training = subprocess.Popen([KOHORT, "compare", "digits", *words, "--report", str(folder / "report.html")])
        page = browser.new_page(viewport={"width": 1440, "height": 1400})
        page.goto(found.group())
        page.get_by_role("link", name="digits").click(timeout=60_000)
        page.locator("#cohorts tbody tr").nth(1).wait_for(timeout=120_000)  # the second cohort trains
        while int(page.locator("html").get_attribute("data-drawn") or 0) < 900:
            page.wait_for_timeout(100)
        page.screenshot(path=IMAGES / "dashboard.png")
        training.wait()
        page.locator("#state[data-state=ended]").wait_for(timeout=60_000)
        phone = browser.new_context(viewport={"width": 390, "height": 1500}, color_scheme="dark").new_page()
        phone.goto(found.group())
        phone.goto(page.url)
        phone.locator(".living svg").wait_for(timeout=60_000)
        phone.wait_for_timeout(1000)
        phone.screenshot(path=IMAGES / "dashboard-phone-dark.png")
        for ending, (width, height, scheme) in LOOKS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto((folder / "report.html").as_uri())
            brought_to_life(page)
            whole = page.evaluate("document.documentElement.scrollHeight")
            clip = {"x": 0, "y": 0, "width": width, "height": min(whole, 2600)}
            page.screenshot(path=IMAGES / f"report{ending}.png", full_page=True, clip=clip)
            page.close()
        browser.close()
        served.terminate()
        served.wait(20)


if __name__ == "__main__":
    main()
