"""Functions of the installed standard library, read when a set is made: never imported, never committed.

Names of functions, parameters and local variables are replaced by drawn words, because models know the
library by heart; docstrings and comments are left out.
"""

import ast
import functools
import hashlib
import platform
import random
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from probes.text.names import Maker

LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "lib2to3", "__pycache__", "turtledemo"}
BODY, DESCRIBED_BODY = (3, 60), (5, 40)  # lines of a function
WORDS = (8, 40)  # of a description


@dataclass(frozen=True)
class Function:
    """A function without its docstring. ``description``: the docstring's first paragraph, or nothing where it
    is too short or too long, or names the function."""

    name: str
    source: str
    description: str


@functools.cache
def files() -> tuple[Path, ...]:
    """All files of the library, in an order that does not depend on the file system."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (
        path for path in root.rglob("*.py") if not LEFT_OUT & set(path.relative_to(root).parts)
    )
    return tuple(sorted(found))


@functools.cache
def version() -> str:
    """The Python version, and a hash of the files: rows of two versions are not the same data."""
    together = hashlib.sha256()
    for path in files():
        together.update(hashlib.sha256(path.read_bytes()).digest())
    return f"cpython-{platform.python_version()}-{together.hexdigest()[:12]}"


@functools.cache
def functions(path: Path) -> tuple[Function, ...]:
    """The functions of a file, methods too, without those inside other functions."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return ()
    found = []
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef)]
    scopes: list[ast.Module | ast.ClassDef] = [tree, *classes]
    for scope in scopes:
        for node in scope.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                described = _description(node)
                source = _without_docstrings(node)
                if BODY[0] <= source.count("\n") <= BODY[1]:
                    found.append(Function(node.name, source, described))
    return tuple(found)


def _description(node: ast.FunctionDef) -> str:
    text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    lines = (node.end_lineno or 0) - node.lineno
    fits = WORDS[0] <= len(text.split()) <= WORDS[1] and lines >= DESCRIBED_BODY[0]
    named = node.name.strip("_").lower() in text.lower()
    return text if fits and not named and text.isascii() else ""


def _without_docstrings(node: ast.FunctionDef) -> str:
    node.decorator_list = []
    for each in ast.walk(node):
        if (
            isinstance(each, (ast.FunctionDef, ast.ClassDef))
            and ast.get_docstring(each) is not None
        ):
            each.body = each.body[1:] or [ast.Pass()]
    return ast.unparse(node)


class _Renamed(ast.NodeTransformer):
    """Puts other names in place of a function's own."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self.generic_visit(node)
        node.arg = self.names.get(node.arg, node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name) if node.name else None
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self.names.get(each, each) for each in node.names]
        return node


def renamed(function: Function, name: str, words: Maker) -> str:
    """The source with ``name`` for the function's, and a word for each parameter and local variable."""
    tree = ast.parse(function.source)
    nodes = list(ast.walk(tree))
    shared = {name for each in nodes if isinstance(each, ast.Global) for name in each.names}
    own = [each.arg for each in nodes if isinstance(each, ast.arg)]
    own += [
        each.id
        for each in nodes
        if isinstance(each, ast.Name) and isinstance(each.ctx, (ast.Store, ast.Del))
    ]
    own += [each.name for each in nodes if isinstance(each, ast.ExceptHandler) and each.name]
    own += [each.name for each in nodes if isinstance(each, ast.FunctionDef)]
    names = {each: words() for each in dict.fromkeys(own) if each not in shared}
    names[function.name] = name
    return ast.unparse(_Renamed(names).visit(tree))


def stream(rng: random.Random) -> Iterator[Function]:
    """All functions of the library, the files in a random order."""
    for path in rng.sample(files(), len(files())):
        yield from functions(path)


def plain_description(text: str) -> str:
    """A description for a question: one line that ends with a full stop."""
    return re.sub(r"[\s.:]*$", ".", text)
