"""What image and controller agree on about strategies."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import stratlab_runner
from stratlab_runner import contract

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(stratlab_runner.__file__).parent
# Exported strategies carry the text of all three.
BARS, RISK, LAB = (
    ast.parse((RUNNER / f"{name}.py").read_text()) for name in ("bars", "risk", "lab")
)


def imported_modules(tree: ast.Module) -> set[str]:
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules.add(node.module or "")
    return modules


def test_contract_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == contract.RUNNER_VERSION


def test_contract_imports_the_standard_library_alone() -> None:
    tree = ast.parse((RUNNER / "contract.py").read_text())
    assert {name.split(".")[0] for name in imported_modules(tree)} <= sys.stdlib_module_names


def test_lab_imports_the_standard_library_and_zipline_alone() -> None:
    own = {"stratlab_runner", "stratlab_runner.bars"}
    modules = imported_modules(LAB) - own | imported_modules(BARS) | imported_modules(RISK)
    roots = {name.split(".")[0] for name in modules}
    assert roots <= sys.stdlib_module_names | {"zipline"}
    assert "__future__" not in roots  # such an import could not be inlined


def test_contract_names_are_those_of_the_lab() -> None:
    definitions = {
        node.name: node
        for node in (*BARS.body, *LAB.body)
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    assert set(contract.LAB_NAMES) - {"risk"} <= definitions.keys()
    assert {
        node.name
        for node in RISK.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    } == set(contract.RISK_NAMES)
    bound = next(
        node
        for node in LAB.body
        if isinstance(node, ast.ImportFrom) and node.module == "stratlab_runner.bars"
    )
    assert {alias.name for alias in bound.names} >= set(contract.LAB_NAMES) & {
        n.name for n in BARS.body if hasattr(n, "name")
    }
    bracket = definitions["Bracket"]
    public = {
        node.name
        for node in bracket.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assert public == set(contract.BRACKET_ATTRIBUTES)


def test_entry_point_outside_a_container_refuses() -> None:
    result = subprocess.run(
        [sys.executable, "-P", "-m", "stratlab_runner"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 2
    assert "first process of a container" in result.stderr
