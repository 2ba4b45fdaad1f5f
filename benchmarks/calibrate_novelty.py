"""Measures which similarity of free code means a copy, and writes that down.

Run ``python -m benchmarks.calibrate_novelty [--write] [--examples DIRECTORY]``. The corpus are
the algorithms of ``tests/zipline_compat`` and zipline's own published examples, read from the
sandbox image (or from DIRECTORY). Two different ones of them are different strategies, however
much they share of zipline's ceremony. Copies are made of each: renamed, reordered, padded with
helpers and logging, and all of it at once with other numbers. Weights are the inverse document
frequencies in the corpus; the threshold lies in the middle between the most similar two different
algorithms and the least similar copy. The honest sources of ``tests/screening`` had no part in it:
how weights and threshold do on them is shown below.
"""

import argparse
import ast
import hashlib
import json
import math
import subprocess
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from random import Random

from benchmarks.support.figures import head, percentile, row

from stratlab.search.code_novelty import DIMENSIONS, Shape, shape_of, vector

ROOT = Path(__file__).resolve().parents[1]
ALGORITHMS = ROOT / "tests" / "zipline_compat" / "algorithms"
HELD_OUT = ROOT / "tests" / "screening" / "corpus" / "honest"
RESULT = ROOT / "controller" / "stratlab" / "search" / "code_calibration.json"
IMAGE = "stratlab-sandbox:0.1.0"
EXAMPLES = (
    "buyapple",
    "buy_and_hold",
    "dual_moving_average",
    "dual_ema_talib",
    "momentum_pipeline",
    "olmar",
)
PRINT_EXAMPLES = """
import json
from importlib.resources import files
from zipline import examples
print(json.dumps({n: files(examples).joinpath(n + ".py").read_text() for n in %r}))
"""
ENTRY_POINTS = {"initialize", "handle_data", "before_trading_start", "analyze"}
PADDING = """
def note_progress(context, label, figure):
    message = str(label) + " " + str(figure)
    context.progress = message
    print(message)
"""


def corpus(examples: Path | None) -> dict[str, str]:
    """Return name -> source of every algorithm."""
    found = {
        f"algorithms/{path.name}": path.read_text() for path in sorted(ALGORITHMS.glob("*.py"))
    }
    if examples is not None:
        texts = {name: (examples / f"{name}.py").read_text() for name in EXAMPLES}
    else:
        command = ["docker", "run", "--rm", "--network=none", "--entrypoint=python", IMAGE]
        code = PRINT_EXAMPLES % (EXAMPLES,)
        done = subprocess.run(
            [*command, "-P", "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        texts = json.loads(done.stdout)
    return found | {f"zipline/{name}.py": text for name, text in texts.items()}


class Renaming(ast.NodeTransformer):
    """Gives every name of the author another one."""

    def __init__(self, tree: ast.AST) -> None:
        self.names: dict[str, str] = {}
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                    self._note(name)
                case ast.Attribute(attr=name, ctx=ast.Store()) | ast.FunctionDef(name=name):
                    self._note(name)

    def _note(self, name: str) -> None:
        if name not in ENTRY_POINTS:
            self.names.setdefault(name, f"own_{len(self.names)}")

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Rename a variable."""
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """Rename an argument."""
        node.arg = self.names.get(node.arg, node.arg)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        """Rename an attribute that the author set."""
        self.generic_visit(node)
        node.attr = self.names.get(node.attr, node.attr)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Rename a function."""
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name)
        return node


class Renumbering(ast.NodeTransformer):
    """Moves every number."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Add one."""
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node


def renamed(source: str) -> str:
    """Return the same program in other names."""
    tree = ast.parse(source)
    return ast.unparse(Renaming(tree).visit(tree))


def reordered(source: str) -> str:
    """Return the same program with its functions in another order."""
    tree = ast.parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    others = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    Random(1).shuffle(functions)
    tree.body = [*others, *functions]
    return ast.unparse(tree)


def padded(source: str) -> str:
    """Return the same program with comments, a helper, and calls of it in every function."""
    tree = ast.parse(source)
    call = ast.parse('note_progress(context, "here", 1)').body
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.args.args:
            node.body = [*ast.parse('"""Words."""').body, *node.body, *call]
    tree.body += ast.parse(PADDING).body
    return f"# A comment.\n{ast.unparse(ast.fix_missing_locations(tree))}\n"


def disguised(source: str) -> str:
    """Return the same program renamed, renumbered, reordered and padded."""
    tree = Renumbering().visit(ast.parse(source))
    return padded(reordered(renamed(ast.unparse(tree))))


COPIES: Mapping[str, Callable[[str], str]] = {
    "renamed": renamed,
    "reordered": reordered,
    "padded": padded,
    "disguised": disguised,
}


def inverse_frequencies(shapes: list[Shape]) -> list[float]:
    """Return the weight of each dimension: rarer shapes say more."""
    seen = [sum(place in shape.counts for shape in shapes) for place in range(DIMENSIONS)]
    return [round(math.log((1 + len(shapes)) / (1 + count)) + 1, 6) for count in seen]


def similarities(
    sources: Mapping[str, str], weights: list[float]
) -> Iterator[tuple[str, str, float]]:
    """Yield (kind of pair, names, similarity) for every pair of sources and every copy."""
    shapes = {name: shape_of(source) for name, source in sources.items()}
    rows = {name: vector(shape, weights) for name, shape in shapes.items()}
    for first, second in combinations(rows, 2):
        yield "different", f"{first} {second}", float(rows[first] @ rows[second])
    for kind, change in COPIES.items():
        for name, source in sources.items():
            copy = vector(shape_of(change(source)), weights)
            yield kind, name, float(rows[name] @ copy)


def show(measured: list[tuple[str, str, float]]) -> None:
    """Print one row for each kind of pair."""
    print(head("pairs", "count", "lowest", "median", "highest", "at the edge"))
    for kind in ("different", *COPIES):
        found = sorted((score, names) for what, names, score in measured if what == kind)
        scores = [score for score, _ in found]
        edge = found[-1] if kind == "different" else found[0]
        figures = (scores[0], percentile(scores, 0.5), scores[-1])
        print(row(kind, len(found), *(f"{score:.3f}" for score in figures), edge[1]))


def main() -> None:
    """Measure, print, and write the result when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the committed calibration")
    parser.add_argument("--examples", type=Path, help="folder of zipline's examples")
    options = parser.parse_args()
    sources = corpus(options.examples)
    weights = inverse_frequencies([shape_of(source) for source in sources.values()])
    measured = list(similarities(sources, weights))
    show(measured)
    highest = max(score for kind, _, score in measured if kind == "different")
    lowest = min(score for kind, _, score in measured if kind != "different")
    threshold = round((highest + lowest) / 2, 3)
    print(f"\nmost similar different pair {highest:.4f}, least similar copy {lowest:.4f}")
    print(f"threshold {threshold}, separated: {highest < lowest}\n")
    others = {path.name: path.read_text() for path in sorted(HELD_OUT.glob("*.py"))}
    held_out = list(similarities(others, weights))
    show(held_out)
    wrong = [score >= threshold for kind, _, score in held_out if kind == "different"]
    missed = [score < threshold for kind, _, score in held_out if kind != "different"]
    print(
        f"\n{len(others)} sources held out: {sum(wrong)} of {len(wrong)} different pairs taken for"
    )
    print(f"copies, {sum(missed)} of {len(missed)} copies missed")
    if options.write:
        document = {
            "threshold": threshold,
            "most_similar_different_pair": round(highest, 4),
            "least_similar_copy": round(lowest, 4),
            "corpus": {
                name: hashlib.sha256(source.encode()).hexdigest()
                for name, source in sources.items()
            },
            "weights": weights,
        }
        RESULT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
