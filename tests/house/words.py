"""Rules of docs/glossary.md and of the docstrings that a program can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.source import Function, SourceFile

VAGUE_VERBS = ("Give", "Say", "Tell", "Take", "Let", "Lay", "Put")
"""A docstring starts with the verb that says what the caller gets: Return, Compute, Read, Write."""
CALLERS = re.compile(r"\b(Driven|Used|Called|Asked|Made|Written|Kept|Set up) by\b")
"""Who calls a module is not its docstring's matter: it goes stale."""
MAX_LINE = 100


def findings(file: SourceFile) -> Iterator[str]:
    """Find everything in a file that breaks a rule.

    Args:
        file: The file.

    Returns:
        One line for each finding: `path:line: what is wrong`.
    """
    for number, line in enumerate(file.lines, 1):
        if len(line) > MAX_LINE:
            yield f"{file.name}:{number}: {len(line)} characters, more than {MAX_LINE}"
    head = ast.get_docstring(file.tree) or ""
    if CALLERS.search(head):
        yield f"{file.name}:1: the module docstring names callers"
    for node in file.classes():
        if starts_vaguely(ast.get_docstring(node) or ""):
            yield f"{file.name}:{node.lineno}: {node.name}: starts with a vague verb"
    for function, public in file.functions():
        for fault in function_faults(function, public=public):
            yield f"{file.name}:{function.lineno}: {function.name}: {fault}"


def function_faults(function: Function, *, public: bool) -> Iterator[str]:
    """Find what is wrong with a function's docstring.

    Args:
        function: The function.
        public: Whether others call it; then a docstring with all sections is needed.

    Returns:
        One phrase for each fault.
    """
    text = ast.get_docstring(function) or ""
    if starts_vaguely(text):
        yield f"starts with {text.split(None, 1)[0]}"
    if not public or is_property(function):
        return
    names = parameters(function)
    if len(names) > 1:
        if "Args:" not in text:
            yield "has no Args"
        else:
            missing = [
                name
                for name in names
                if not re.search(rf"^\s+\*{{0,2}}{name}\b.*?:", text, re.MULTILINE)
            ]
            if missing:
                yield f"Args lacks {', '.join(missing)}"
        if gives_something(function) and not re.search(r"^(Returns|Yields):", text, re.MULTILINE):
            yield "has no Returns"
    if raises_itself(function) and "Raises:" not in text:
        yield "has no Raises"


def starts_vaguely(docstring: str) -> bool:
    """Return whether a docstring starts with a verb that does not say what the caller gets."""
    words = docstring.split(None, 1)
    return bool(words) and words[0].rstrip(",.:;").removesuffix("s") in VAGUE_VERBS


def parameters(function: Function) -> list[str]:
    """Return the names of a function's parameters, without `self` and `cls`."""
    a = function.args
    every = [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]
    return [one.arg for one in every if one and one.arg not in ("self", "cls")]


def is_property(function: Function) -> bool:
    """Return whether a function is a property or an overload, which callers do not call."""
    names = {ast.unparse(one).rpartition(".")[2] for one in function.decorator_list}
    return bool(names & {"property", "cached_property", "overload", "override", "setter"})


def gives_something(function: Function) -> bool:
    """Return whether a function returns a value, by its annotation."""
    return function.returns is not None and ast.unparse(function.returns) not in (
        "None",
        "NoReturn",
    )


def raises_itself(function: Function) -> bool:
    """Return whether a function raises an exception itself, not in an inner function."""
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in own_nodes(function))


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Iterate over the nodes of a function, without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
