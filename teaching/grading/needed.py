"""Which statements an answer needs: a backward slice over the top-level statements before it.

Only these are run, so that nothing else in a notebook matters: a training, an endless loop, an error.
"""

import ast
import builtins
import re
import symtable
from functools import lru_cache
from typing import NamedTuple

from ..release import is_check

LONGEST = 100_000  # characters of a cell; deep nesting can take a parser down
BUILTINS = frozenset(dir(builtins))
MAGIC = re.compile(r"^([ \t]*)(?:[%!].*|[\w.]+\?+)$", re.MULTILINE)
TIMING = re.compile(r"\A\s*%%(time|timeit|capture|prun)\b.*")


class Statement(NamedTuple):
    """A top-level statement and what it does to the names of the notebook."""

    source: str
    binds: frozenset
    sets: frozenset  # bound whatever happens, so that earlier values no longer count
    changes: frozenset  # perhaps changed in place
    uses: frozenset  # when it runs
    later: frozenset  # when a function that it defines is called
    checks: frozenset  # (check, name) for each checks.check(name)


@lru_cache(maxsize=20_000)
def statements(source: str) -> tuple[Statement, ...]:
    """Take a cell apart. Raises SyntaxError for what is no Python."""
    if len(source) > LONGEST:
        raise SyntaxError("too long for an answer")
    try:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            tree = ast.parse(_without_magics(source))
        return tuple(_statement(node) for node in tree.body)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from None


def _without_magics(source: str) -> str:
    source = TIMING.sub("", source)
    if source.lstrip().startswith("%%"):  # another language, or text for a file
        return ""
    return MAGIC.sub(r"\1pass", source)


def _statement(node: ast.stmt) -> Statement:
    source = ast.unparse(node)
    table = symtable.symtable(source, "cell", "exec")
    symbols = table.get_symbols()
    binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    uses = {s.get_name() for s in symbols if s.is_referenced()}
    later = set().union(*map(_globals_of, table.get_children()))
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        uses.add(node.target.id)
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        binds = {"*"}
    plain = isinstance(node, ast.Assign | ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)
    plain |= isinstance(node, ast.AnnAssign) and node.value is not None
    nodes = list(ast.walk(node))
    calls = {(call.func.attr, _root(call.args[0])) for call in nodes if is_check(call)}
    changes = set() if isinstance(node, ast.FunctionDef | ast.ClassDef) else _changed(nodes)
    parts = source, binds, binds if plain else (), changes - {None}, uses, later, calls
    return Statement(parts[0], *map(frozenset, parts[1:]))


def _globals_of(table: symtable.SymbolTable) -> set[str]:
    names = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return names.union(*map(_globals_of, table.get_children()))


def _changed(nodes: list[ast.AST]) -> set[str | None]:
    """Names in ``name.x = …``, ``name[i] = …``, ``name.method(…)`` and, for no builtin, ``call(name)``."""
    changed = set()
    for node in nodes:
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            changed.add(_root(node))
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                changed.add(_root(node.func))
            if not isinstance(node.func, ast.Name) or node.func.id not in BUILTINS - {"next", "setattr"}:
                changed |= {argument.id for argument in node.args if isinstance(argument, ast.Name)}
    return changed


def _root(node: ast.AST) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def needed(before: list[Statement], name: str) -> list[str]:
    """Return, in order, the sources of those statements that the last value of ``name`` depends on."""
    modules = {bound for one in before if one.source.startswith(("import ", "from ")) for bound in one.binds}
    chosen, asked, todo = set(), set(), [(name, len(before))]
    while todo:
        wanted, end = todo.pop()
        if (wanted, end) in asked:
            continue
        asked.add((wanted, end))
        found = False
        for at in reversed(range(end)):
            one = before[at]
            if wanted in one.binds or (wanted in one.changes and wanted not in modules):
                found = True
                if at not in chosen:
                    chosen.add(at)
                    # A function looks its names up when it is called: there, or as late as the answer.
                    todo += [(use, at) for use in one.uses | one.later]
                    todo += [(use, len(before)) for use in one.later]
                if wanted in one.sets:
                    break
        if not found and wanted not in BUILTINS:
            chosen |= {at for at in range(end) if "*" in before[at].binds}
    return [before[at].source for at in sorted(chosen)]
