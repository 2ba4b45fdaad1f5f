"""Asks the local server once, in a process that a test kills.

Usage: asker.py HOME URL
"""

import sys
from pathlib import Path

from tests.llm.door_setup import a_call, open_door

if __name__ == "__main__":
    with open_door(Path(sys.argv[1]), sys.argv[2], seconds=30) as door:
        print(door.models.ask(a_call()).text)
