"""Prints zipline's published examples as JSON. Usage: examples.py NAME..."""

import json
import sys
from importlib.resources import files

FOLDER = files("zipline.examples")
print(json.dumps({name: FOLDER.joinpath(f"{name}.py").read_text() for name in sys.argv[1:]}))
