"""The site: it builds without a warning, its links lead somewhere, its examples, commands and notebooks run."""

import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbclient
import nbformat
import pytest
import typer

from kohort.cli.app import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
SAYS = {"classroom": r"helps|hurts|enough evidence|no difference", "tutorial": "every member is what fit gives"}


def name_of(path: Path) -> str:
    return path.relative_to(DOCS).with_suffix("").as_posix()


def code_of(page: Path) -> str:
    return "\n".join(code for skipped, code in BLOCK.findall(page.read_text("utf-8")) if not skipped)


def environment(**more: str) -> dict[str, str]:
    ours = {"KERAS_BACKEND", "JAX_NUM_CPU_DEVICES"}
    return {name: value for name, value in os.environ.items() if name not in ours} | more


class Page(HTMLParser):
    """The links of a page, and the places that others can link to."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and tag in ("a", "img", "link", "script"):
                self.links.append(value)
            if name in ("id", "name") and value:
                self.places.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_links_of_the_site_lead_somewhere(site: Path) -> None:
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 50  # with the lab's book
    lost = []
    for path, page in pages.items():
        if path.name == "404.html":  # which is shown at any address
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            found = target.is_file() and (
                not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].places
            )
            if not found and not parts.fragment.startswith("__"):  # switches of the theme
                lost.append(f"{path.relative_to(site.resolve())} -> {link}")
    assert not lost


@pytest.mark.slow
def test_the_reference_tells_of_every_public_name(site: Path) -> None:
    import kohort

    told = "".join(path.read_text("utf-8") for path in (site / "reference").glob("*.html"))
    modules = {"data", "lab", "statistics", "executors", "trackers"}
    missing = [
        name
        for name in kohort.__all__
        if name not in modules and not name.startswith("__") and not re.search(rf'id="kohort\.[\w.]+\.{name}"', told)
    ]
    assert not missing


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if code_of(page)], ids=name_of)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", code_of(page)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=250, cwd=tmp_path, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(SAYS.get(name_of(page), ""), done.stdout)


def lines_of_commands(text: str) -> list[str]:
    """The lines of blocks that are of a console, or of no language."""
    found, language = [], None
    for line in text.splitlines():
        if line.startswith("```"):
            language = line.removeprefix("```") if language is None else None
        elif language in ("", "console"):
            found.append(line.removeprefix("$ "))
    return found


def commands() -> list[str]:
    """All lines that call kohort, on the pages and in the README."""
    texts = [path.read_text("utf-8") for path in [*PAGES, ROOT / "README.md"]]
    lines = [line for text in texts for line in lines_of_commands(text)]
    calls = [re.sub(r"^\S*/kohort ", "kohort ", call.strip()) for line in lines for call in line.split("&&")]
    calls += [call for text in texts for call in re.findall(r"`(kohort [a-z][^`]*)`", text)]
    return sorted({call for call in calls if call.startswith("kohort ") and "…" not in call})


def test_commands_are_found() -> None:
    found = commands()
    for call in (
        "kohort compare digits",
        "kohort card digits-study model_card.md",
        "kohort compare wine --model my_module:network",
    ):
        assert call in found


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_pages_is_one(line: str) -> None:
    group = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    context = group.make_context("kohort", list(words), resilient_parsing=True)
    name, own, rest = group.resolve_command(context, words)  # pyright: ignore[reportAttributeAccessIssue]
    assert own is not None, name
    if rest:
        own.make_context(name, list(rest), resilient_parsing=True)
        known = {option for parameter in own.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.split("=")[0] for word in rest if word.startswith("--")} <= known | {"--help"}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "not-in-tests" not in cell.metadata.get("tags", [])]
    monkeypatch.setattr(os, "environ", environment())
    if (
        path.stem == "colab"
    ):  # another backend than JAX comes first; NumPy's stands for TensorFlow, which is no dependency
        monkeypatch.setenv("KERAS_BACKEND", "numpy")
    client = nbclient.NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = str([cell.get("outputs") for cell in notebook.cells])
    assert "<12 runs of 3 recipes" in outputs if path.stem == "colab" else "altair" in outputs or "vega" in outputs
