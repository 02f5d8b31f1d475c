"""The reference of the Python interface, a page a room, read from the source without importing it.

What begins with an underscore is left out. Docstrings are given as they are; see ``pages.prose``. Names in annotations
are written in full, since several rooms have a ``Row`` of their own; Sphinx shows them short and links them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pages.prose import cell, markdown_of, table, title

PACKAGE = Path(__file__).parents[3] / "src" / "msadg"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def pages() -> Iterator[tuple[str, str]]:
    """Yield the overview, and the page of each room."""
    rooms = sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")})
    rooms = [room for room in rooms if not room.startswith("__")]
    rows = [(f"[`msadg.{room}`]({room}.md)", cell(_summary(room))) for room in rooms]
    listed = "\n".join(f"{room} <{room}>" for room in rooms)
    yield (
        "reference/index.md",
        f"{title('Python reference')}\n"
        "By room; each imports from itself and from rooms before it ([decision 1](../../decisions/0001-rooms.md)).\n"
        'Shapes are in the annotations: `Float[Tensor, "batch time feature"]`.\n\n'
        f"{table(('room', 'what'), rows)}\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n",
    )
    for room in rooms:
        yield f"reference/{room}.md", "\n".join([title(f"msadg.{room}"), *map(module_section, _modules(room))])


@cache
def _own_names() -> frozenset[str]:
    """Classes and constants that any of our modules defines: a foreign class of that name is written in full, too."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    return frozenset(getattr(node, "name", "") or _assigned(node) for tree in trees for node in tree.body)


class _NamesInFull(ast.NodeTransformer):
    """Writes the names of our own classes in annotations with their modules."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self.full = {node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)}
        self.full |= {name: f"{module}.{name}" for node in tree.body if (name := _assigned(node)) and name[0].isupper()}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                ours = (node.module or "").startswith("msadg.")
                names = [alias for alias in node.names if ours or alias.name in _own_names()]
                self.full |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in names}

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """An argument of a function."""
        node.annotation = self._in_full(node.annotation)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        """A field or constant with a type."""
        node.annotation = self._in_full(node.annotation) or node.annotation
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """A function, for what it returns."""
        node.returns = self._in_full(node.returns)
        self.generic_visit(node)
        return node

    def _in_full(self, annotation: ast.expr | None) -> ast.expr | None:
        if annotation is None:
            return None
        for node in ast.walk(annotation):
            if isinstance(node, ast.Name):
                node.id = self.full.get(node.id, node.id)
        return annotation


def _modules(room: str) -> list[Path]:
    single = PACKAGE / f"{room}.py"
    return [single] if single.is_file() else sorted((PACKAGE / room).rglob("*.py"))


def _summary(room: str) -> str:
    docstring = ast.get_docstring(ast.parse(_modules(room)[0].read_text(encoding="utf-8"))) or ""
    return docstring.split("\n")[0]


def module_section(path: Path) -> str:
    """Return the section of one module: its docstring, its constants, classes and functions."""
    name = ".".join(("msadg", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    _NamesInFull(name, tree).visit(tree)
    is_room = path.parent == PACKAGE or (path.name == "__init__.py" and path.parent.parent == PACKAGE)
    parts = ["" if is_room else title(name, 2), f"```{{py:module}} {name}\n```\n", markdown_of(ast.get_docstring(tree))]
    for node, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        parts.append(_described(node, below, depth=6))
    return "\n".join(part for part in parts if part)


def _described(node: ast.stmt, below: ast.stmt | None, depth: int) -> str:
    """What is said of one statement; nothing of what is private or has no docstring."""
    if isinstance(node, ast.ClassDef) and _is_public(node.name):
        members = [
            _described(member, after, depth - 1)
            for member, after in zip(node.body, [*node.body[1:], None], strict=True)
        ]
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        derived = f"Derived from `{bases}`.\n\n" if bases else ""
        body = derived + markdown_of(ast.get_docstring(node)) + "\n".join(member for member in members if member)
        return _directive("py:class", node.name, body, depth)
    if isinstance(node, Function) and _is_public(node.name) and ast.get_docstring(node):
        return _function(node, depth)
    if (name := _assigned(node)) and _is_public(name) and (text := _text_of(below)):
        kind = "py:data" if depth == 6 else "py:attribute"
        return _directive(kind, name + _type_of(node), markdown_of(text), depth)
    return ""


def _function(node: Function, depth: int) -> str:
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    if any(decorator.endswith(".setter") for decorator in decorators):
        return ""
    body = markdown_of(ast.get_docstring(node))
    if decorators & {"property", "cached_property"}:
        kind = f":type: {ast.unparse(node.returns)}\n" if node.returns else ""
        return _directive("py:property", f"{node.name}\n{kind}", body, depth)
    arguments = node.args
    is_method = depth < 6 and "staticmethod" not in decorators
    if is_method:
        positional = arguments.posonlyargs or arguments.args
        del positional[:1]
    signature = f"{node.name}({ast.unparse(arguments)})"
    signature += f" -> {ast.unparse(node.returns)}" if node.returns else ""
    kind = "py:method" if depth < 6 else "py:function"
    option = next((f"\n:{name}:" for name in ("classmethod", "staticmethod") if name in decorators), "")
    return _directive(kind, signature + option, body, depth)


def _directive(kind: str, head: str, body: str, depth: int) -> str:
    fence = "`" * depth
    signature, _, options = head.partition("\n")
    options = f"{options.strip()}\n" if options.strip() else ""
    return f"{fence}{{{kind}}} {signature}\n{options}\n{body.strip()}\n{fence}\n"


def _assigned(node: ast.stmt) -> str:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def _type_of(node: ast.stmt) -> str:
    lines = f"\n:type: {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
    value = ast.unparse(node.value) if isinstance(node, ast.AnnAssign | ast.Assign) and node.value else ""
    return lines + (f"\n:value: {value}" if value and len(value) <= 60 and "\n" not in value else "")


def _text_of(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return ""


def _is_public(name: str) -> bool:
    return not name.startswith("_")
