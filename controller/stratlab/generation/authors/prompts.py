"""The prompts: versioned templates in files, filled by typed functions, nothing else."""

from functools import lru_cache
from importlib.resources import files
from string import Template

VERSION = 1
"""Of all templates together; raised with every change of one."""


def version(name: str) -> str:
    """Return a template's name with its version, as it is kept with what it led to."""
    return f"{name}/{VERSION}"


def fill(name: str, **parts: str) -> str:
    """Return a template with all its places filled.

    Args:
        name: File name without its ending.
        parts: Text by place; every place must be named and nothing else may be.
    """
    template = _template(name)
    places = set(template.get_identifiers())
    if places != set(parts):
        message = f"prompt {name} has the places {sorted(places)}, not {sorted(parts)}"
        raise ValueError(message)
    return template.substitute(parts).strip() + "\n"


@lru_cache(maxsize=32)
def _template(name: str) -> Template:
    text = files("stratlab.generation.authors").joinpath("templates", f"{name}.md").read_text()
    return Template(text)
