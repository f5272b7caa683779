"""The arrows of the design: data <- lensmodel <- dashboard, and who may know torch and Panel."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
LAYERS = ("data", "lensmodel", "dashboard")
DRAWING = {"panel", "bokeh", "bokeh_fastapi", "holoviews", "datashader", "matplotlib", "fastapi", "starlette"}
# The simulator draws its lenses with caustics, which computes in torch.
TORCH_IN_DATA = ("data/simulations/", "data/samples/")
# Worker processes live in these; they import torch when they run, never before.
TORCH_IN_DASHBOARD = (
    "dashboard/explainer.py",
    "dashboard/experimenter.py",
    "dashboard/dreamer.py",
    "dashboard/commands/",
)
STANDARD = set(sys.stdlib_module_names)


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def faults_of(path: Path, place: str) -> list[str]:
    """What a module at that place in the project imports, but must not."""
    package = place.partition("/")[0]
    above = LAYERS[LAYERS.index(package) + 1 :]
    faults = []
    for name in imported(path):
        top = name.partition(".")[0]
        if name.startswith("."):
            faults.append(f"{place} imports {name}: name the package")
        elif top in above:
            faults.append(f"{place} imports {name}: {package} must not know {top}")
        elif top in DRAWING and package != "dashboard":
            faults.append(f"{place} imports {name}: only dashboard draws and serves")
        elif top in ("torch", "captum", "caustics") and not _may_import_torch(package, place):
            faults.append(f"{place} imports {name}: {package} holds no network")
    return faults


def _may_import_torch(package: str, place: str) -> bool:
    allowed = {"data": TORCH_IN_DATA, "lensmodel": ("lensmodel/",), "dashboard": TORCH_IN_DASHBOARD}
    return place.startswith(allowed[package])


def modules() -> list[str]:
    return sorted(
        str(path.relative_to(PROJECT))
        for layer in LAYERS
        for path in (PROJECT / layer).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def test_no_import_runs_against_the_arrows():
    faults = [fault for place in modules() for fault in faults_of(PROJECT / place, place)]
    assert faults == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("data/planted.py", "import lensmodel.models"),
        ("data/planted.py", "from dashboard import server"),
        ("data/planted.py", "import torch"),
        ("data/planted.py", "import holoviews as hv"),
        ("lensmodel/planted.py", "from dashboard.session import Session"),
        ("lensmodel/planted.py", "import panel as pn"),
        ("dashboard/planted.py", "import torch"),
        ("dashboard/planted.py", "from .server import create_app"),
    ],
)
def test_a_planted_import_is_found_wherever_it_stands(place: str, line: str, tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text(f"def hidden():\n    if True:\n        {line}\n")
    (fault,) = faults_of(planted, place)
    assert place in fault


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("lensmodel/fine.py", "from data.campaign import Campaign"),
        ("lensmodel/fine.py", "import torch"),
        ("dashboard/fine.py", "import panel, lensmodel.models, data.votes"),
        ("data/simulations/fine.py", "import caustics"),
    ],
)
def test_an_import_along_the_arrows_is_no_fault(place: str, line: str, tmp_path):
    fine = tmp_path / "fine.py"
    fine.write_text(line)
    assert faults_of(fine, place) == []


def test_the_web_process_never_imports_torch():
    """Also not through something that it imports; it would cost 200 MB and the start-up a second."""
    served = [place for place in modules() if place.startswith(("dashboard/", "data/exports/"))]
    lines = [
        f"import {place.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}" for place in served
    ]
    loaded = modules_after("; ".join(lines))
    assert "panel" in loaded
    assert not {"torch", "captum", "caustics"} & loaded


def test_no_module_is_named_after_a_library():
    """Panel and Python put a file's folder first on the path: `queue.py` there would hide the library's."""
    third_party = {"panel", "bokeh", "torch", "numpy", "zarr", "duckdb", "astropy", "rich", "httpx", "captum"}
    hiding = [place for place in modules() if Path(place).stem in STANDARD | third_party]
    assert hiding == []


def test_environment_yml_names_the_requirements_of_pyproject():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    listed = [
        line.strip().removeprefix("- ").strip('"')
        for line in (PROJECT / "environment.yml")
        .read_text(encoding="utf-8")
        .partition("- pip:")[2]
        .splitlines()
        if line.strip()
    ]
    assert sorted(listed) == sorted(needed)


def test_every_requirement_is_locked_to_a_version_that_fits():
    from packaging.requirements import Requirement

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = dict(line.split("==") for line in lines if "==" in line)
    locked = {name.lower().replace("_", "-"): version for name, version in locked.items()}
    for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[requirement.name.lower()]), text


def modules_after(code: str) -> set[str]:
    """Top-level names of all modules that are loaded once the code ran in a fresh process."""
    script = f"import sys; {code}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=PROJECT)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())
