"""The order of the source's rows: a file imports from its own row and from the rows above, and there is no circle."""

import ast
from pathlib import Path

import tapejax

SOURCE = Path(tapejax.__file__).parent / "_src"
# The rows of the table in ARCHITECTURE.md, from the bottom of the stack up. The longest prefix decides.
ROWS = [
    ["engine"],
    ["core"],
    ["kernels"],
    ["ops"],
    ["autodiff"],
    ["composite"],
    ["ops.io", "ops.strings", "ops.sets", "ops.nn.ctc_decoding", "ops.image.random", "composite.lookup"],
    ["function"],
    ["keras", "train", "experimental", "setup", "lazy"],
    ["compat"],
    ["namespaces", "facades"],
]


def modules() -> dict[str, Path]:
    """Each file of the source by its dotted name."""
    return {
        ".".join(p.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): p for p in SOURCE.rglob("*.py")
    }


def imports(path: Path, known: dict[str, Path], inside: bool) -> set[str]:
    """The source's modules that a file imports: all of them, or only those imported when it is loaded."""
    found = set()
    tree = ast.parse(path.read_text("utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        is_typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if is_typing or (not inside and isinstance(node, (ast.FunctionDef, ast.Lambda))):
            skipped |= {id(n) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in skipped and node.module:
            if not node.module.startswith("tapejax._src"):
                continue
            base = node.module.removeprefix("tapejax._src").removeprefix(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".removeprefix(".")
                found.add(full if full in known else base)
    return found - {""}


def row(module: str) -> int:
    """The number of a module's row."""
    fitting = [
        (len(prefix), i)
        for i, row in enumerate(ROWS)
        for prefix in row
        if module == prefix or module.startswith(prefix + ".")
    ]
    return max(fitting)[1]


def test_no_import_goes_upwards() -> None:
    known = modules()
    upwards = [
        f"{module} -> {target}"
        for module, path in known.items()
        if module
        for target in imports(path, known, inside=True)
        if row(target) > row(module)
    ]
    assert not upwards


def test_no_circle_when_modules_are_loaded() -> None:
    known = modules()
    graph = {m: {t for t in imports(p, known, inside=False) if t != m} for m, p in known.items()}
    done: set[str] = set()
    for start in graph:
        _visit(start, graph, [], done)


def _visit(module: str, graph: dict[str, set[str]], path: list[str], done: set[str]) -> None:
    assert module not in path, " -> ".join([*path[path.index(module) :], module])
    if module in done:
        return
    for target in graph[module]:
        _visit(target, graph, [*path, module], done)
    done.add(module)


def test_keras_reaches_the_engine_by_one_file_only() -> None:
    known = modules()
    users = {
        module
        for module, path in known.items()
        if module.startswith("keras.") and any(t.startswith("engine") for t in imports(path, known, inside=True))
    }
    assert users == {"keras.recording"}
