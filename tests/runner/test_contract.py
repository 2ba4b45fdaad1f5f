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
LAB = ast.parse((RUNNER / "lab.py").read_text())


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
    roots = {name.split(".")[0] for name in imported_modules(LAB)}
    assert roots <= sys.stdlib_module_names | {"zipline"}
    assert "__future__" not in roots  # such an import could not be inlined


def test_contract_names_are_those_of_the_lab() -> None:
    definitions = {
        node.name: node for node in LAB.body if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    assert set(contract.LAB_NAMES) <= definitions.keys()
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
