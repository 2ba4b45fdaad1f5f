"""Importing the package loads nothing numerical: servers and commands start without it."""

import subprocess
import sys

HEAVY = {"numpy", "pandas", "scipy", "empyrical", "pyarrow"}
PROGRAM = "import sys, stratlab.evaluation; print(*sys.modules)"


def test_import_of_evaluation_loads_no_numerical_library():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())
