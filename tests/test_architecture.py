"""The import rule of the house: who may know whom. Read from the source, so that nothing has to be imported."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "kohort"
FILES = sorted(SOURCE.rglob("*.py"))

GROUND = {"errors", "extras", "seeds", "run", "runtime", "progress", "notebook", "terminal"}
MAY_IMPORT = {  # room -> rooms it may import besides itself and the ground
    "data": set(),
    "recipes": {"parts"},
    "parts": set(),
    "cohort": set(),
    "training": {"cohort", "recipes"},
    "fitting": {"cohort", "recipes", "training"},
    "checking": {"cohort", "recipes", "training", "fitting"},
    "elsewhere": {"cohort", "recipes", "fitting"},
    "study": {
        "data",
        "recipes",
        "cohort",
        "training",
        "statistics",
        "store",
        "report",
        "executors",
        "exports",
        "trackers",
    },
    "executors": set(),
    "exports": {"data", "recipes", "parts", "statistics", "report"},
    "trackers": {"report", "store"},
    "store": set(),
    "statistics": set(),
    "scores": {"statistics"},
    "report": {"statistics"},
    "dashboard": {"statistics", "report", "store"},
    "lab": {"data", "parts", "fitting", "study", "statistics", "report", "store"},
    "tuner": {"data", "parts", "recipes", "cohort", "training", "study", "statistics", "report", "store"},
    "estimators": {"data", "recipes", "study", "fitting", "tuner"},
    "cli": {
        "data",
        "recipes",
        "cohort",
        "checking",
        "study",
        "statistics",
        "scores",
        "report",
        "store",
        "dashboard",
        "lab",
        "tuner",
        "executors",
        "exports",
        "trackers",
    },
}
DOORS = {  # a dependency -> where alone it may be imported
    "jax": {"cohort", "study", "parts"},
    "keras": {
        "data",
        "cohort",
        "recipes",
        "parts",
        "training",
        "fitting",
        "checking",
        "elsewhere",
        "study",
        "lab",
        "tuner",
        "estimators",
        "exports",
    },
    "optuna": {"tuner"},
    "sklearn": {"data", "estimators"},
    "PIL": {"data"},
    "scipy": {"statistics", "data", "lab"},
    "polars": {"scores", "data", "report"},
    "altair": {"report", "lab"},
    "vl_convert": {"report"},
    "jinja2": {"report", "dashboard", "lab"},
    "starlette": {"dashboard"},
    "sse_starlette": {"dashboard"},
    "uvicorn": {"dashboard"},
    "sqlite3": {"store", "cli"},
    "safetensors": {"store"},
    "filelock": {"store", "executors"},
    "ray": {"executors"},
    "mlflow": {"trackers"},
    "tensorboardX": {"trackers"},
    "onnx": {"exports"},
    "onnxruntime": {"exports"},
    "typer": {"cli"},
}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


MODULES = frozenset(module_of(path) for path in FILES)


@cache
def imports(path: Path, everywhere: bool = True) -> frozenset[str]:
    """Modules that a file imports; only while it is being loaded, unless `everywhere`."""
    tree = ast.parse(path.read_text())
    body = ast.walk(tree) if everywhere else iter(tree.body)
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return frozenset(found)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_import_rule(path: Path) -> None:
    own = room(module_of(path))
    for module in imports(path):
        if not module.startswith("kohort"):
            continue
        other = room(module)
        if own in GROUND:
            assert other in GROUND, f"{own} is ground and must not know {module}"
        elif own:
            assert other in GROUND | {own, ""} | MAY_IMPORT[own], f"{own} must not know {module}"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_one_door_for_each_dependency(path: Path) -> None:
    own = room(module_of(path))
    for module in imports(path):
        package = module.split(".")[0]
        if package in DOORS and not (own == "cli" and package in {"jax", "keras"}):
            assert own in DOORS[package], f"{package} is imported in {module_of(path)}"


def test_no_import_cycle() -> None:
    graph = {module_of(path): {m for m in imports(path, everywhere=False) if m.startswith("kohort")} for path in FILES}
    graph["kohort"] = {"kohort.runtime"}  # the rest of it is loaded lazily
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module in done:
            return
        for other in graph.get(module, ()):
            if other != "kohort":
                visit(other, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_every_room_and_ground_module_is_in_the_rule() -> None:
    rooms = {room(module_of(path)) for path in FILES} - {""}
    assert rooms == GROUND | set(MAY_IMPORT)


def test_only_the_command_line_imports_inside_functions() -> None:
    for path in FILES:
        if room(module_of(path)) == "cli":
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                inside = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
                assert not inside, f"{module_of(path)}.{function.name} imports inside"


def test_no_path_of_a_machine_and_no_registry_in_any_file() -> None:
    root = SOURCE.parents[1]
    suffixes = {".py", ".toml", ".md", ".jinja", ".yml", ".json"}
    parts = ("src", "tests", "benchmarks", "examples", "docs")
    told = re.compile(r"/(?:home|root|Users|work|tmp)/\w|files\.pythonhosted|pypi\.org|registry\.npmjs")
    for folder in parts:
        for path in (root / folder).rglob("*"):
            if path.suffix in suffixes and path != Path(__file__):
                found = told.search(path.read_text("utf-8"))
                assert not found, f"{path.relative_to(root)}: {found and found.group()}"


def test_what_runs_beside_another_backend_never_loads_the_engine() -> None:
    for path in (SOURCE / "elsewhere").glob("*.py"):
        if path.stem != "child":
            rooms = {room(module) for module in imports(path) if module.startswith("kohort")}
            assert not rooms & {"cohort", "training", "fitting"}, path.name
