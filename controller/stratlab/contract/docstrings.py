"""Reads what our classes say of themselves, so that schemas and pages say the same."""

import inspect
import re

_SECTION = "\nAttributes:\n"
_ATTRIBUTE = re.compile(r"^    (\w+): ")


def read_docstring(described: type) -> tuple[str, dict[str, str]]:
    """Return the text of a class's docstring and, by name, what it says of its attributes."""
    text, _, section = (inspect.getdoc(described) or "").partition(_SECTION)
    attributes: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        found = _ATTRIBUTE.match(line)
        if found:
            name = found[1]
            attributes[name] = line[found.end() :].strip()
        elif name and line.strip():
            attributes[name] += f" {line.strip()}"
    return " ".join(text.split()), attributes
