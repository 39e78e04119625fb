"""Structure of the package in figures: size, imports, cycles, parameters.

    python tools/structure.py [FOLDER]

FOLDER is a checkout (this one by default). The figures come from the source text alone.
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

#: Folders of the package; each imports only from those before it.
LAYERS = (
    "exceptions",
    "utils",
    "audio",
    "datasets",
    "metrics",
    "model_selection",
    "preprocessing",
    "store",
    "feature_extraction",
    "augmentation",
    "neural_network",
    "recipes",
    "persistence",
    "evaluation",
    "audit",
    "robustness",
    "inspection",
    "testing",
    "cli",
)
#: Imports against that order, each for a stated reason (docs/development/decisions).
EXCEPTIONS = {("evaluation", "inspection")}  # the plot_* conveniences of EvaluationResult


def read_modules(project):
    """Syntax trees of the package's modules by dotted name."""
    package = Path(project) / "sklearn_ser"
    trees = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def imports_of(tree, modules, top_level_only=False):
    """Modules of the package that a module imports."""
    found = set()
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in modules else node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name in modules}


def folder_of(module):
    """Folder or top-level module of the package that holds a module."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "sklearn_ser"


def cycles(graph):
    """Strongly connected components of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for successor in graph[node]:
            if successor not in index:
                visit(successor)
                low[node] = min(low[node], low[successor])
            elif successor in stack:
                low[node] = min(low[node], index[successor])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    sys.setrecursionlimit(10_000)
    for node in graph:
        if node not in index:
            visit(node)
    return found


def backward_imports(trees):
    """Imports of a folder from one that comes after it in `LAYERS`, as (importer, imported)."""
    place = {name: number for number, name in enumerate(LAYERS)}
    found = []
    for module, tree in trees.items():
        own = folder_of(module)
        for other in sorted(imports_of(tree, trees)):
            theirs = folder_of(other)
            if own not in place or theirs not in place or own == theirs:
                continue
            if place[theirs] > place[own] and (own, theirs) not in EXCEPTIONS:
                found.append((module, other))
    return found


def parameters(tree):
    """Number of parameters of every function of a module, but self and cls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            given = node.args
            names = [arg.arg for arg in given.posonlyargs + given.args + given.kwonlyargs]
            names = [name for name in names if name not in ("self", "cls")]
            yield len(names) + bool(given.vararg) + bool(given.kwarg), node.name


def figures(project):
    """Figures of a checkout, by name."""
    trees = read_modules(project)
    package = Path(project) / "sklearn_ser"
    texts = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    importers = defaultdict(set)
    for module, tree in trees.items():
        for other in imports_of(tree, trees):
            importers[other].add(module)
    private = [name for name in trees if name.rpartition(".")[2].startswith("_")]
    functions = [
        (number, f"{module}.{name}")
        for module, tree in trees.items()
        for number, name in parameters(tree)
        if name != "__init__"
    ]
    constructors = [
        (number, module)
        for module, tree in trees.items()
        for number, name in parameters(tree)
        if name == "__init__"
    ]
    lines = sum(text.count("\n") for text in texts)
    raises = sum(isinstance(node, ast.Raise) for tree in trees.values() for node in ast.walk(tree))
    graph = {module: imports_of(tree, trees, True) for module, tree in trees.items()}
    return {
        "lines": lines,
        "modules": len(trees),
        "private modules with one importer": sum(len(importers[name]) == 1 for name in private),
        "function with most parameters": max(functions),
        "functions with more than 10 parameters": sum(number > 10 for number, _ in functions),
        "constructor with most parameters": max(constructors),
        "imports against the order of folders": len(backward_imports(trees)),
        "import cycles": len(cycles(graph)),
        "raises per 1,000 lines": round(1000 * raises / lines, 1),
    }


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    for name, value in figures(folder).items():
        print(f"{name}: {value}")
    for importer, imported in backward_imports(read_modules(folder)):
        print(f"  {importer} imports {imported}")
