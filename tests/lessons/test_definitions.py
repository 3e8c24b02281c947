"""What a lesson writes out and the package keeps is the same code."""

import ast
import re
from importlib import import_module

import pytest

from .notebooks import NOTEBOOKS, ROOT, code_cells, number, read, syntax_tree

KEPT = re.compile(r"# Kept in mnist_helpers\.([\w.]+) for the lessons after this one\.")

# Which lesson teaches what. A definition that loses its cell fails here.
TAUGHT = {
    "01": {"show_digits"},
    "02": {"Net"},
    "03": {"History", "train_epoch", "evaluate", "fit"},
    "04": {"plot_history"},
    "05": {"show_predictions", "plot_confusion"},
    "06": {"run_state"},
    "07": {"WatchedLoader"},
    "08": {"ThreeLayerNet", "WideNet", "ConvNet"},
    "10": {"FastNet", "Recipe", "one_cycle", "freeze_first_layer", "train_recipe"},
    "11": {"Shared"},
}


class Bare(ast.NodeTransformer):
    """Takes away what a lesson may leave out: docstrings and type annotations."""

    def strip(self, node):
        self.generic_visit(node)
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(getattr(first, "value", None), ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.strip(node)

    visit_ClassDef = strip

    def visit_arg(self, node):
        node.annotation = None
        return node


def bare(node) -> str:
    return ast.unparse(Bare().visit(ast.parse(ast.unparse(node))))


def definitions(tree: ast.Module) -> dict[str, str]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: bare(node) for node in tree.body if isinstance(node, kinds)}


def kept_cells(path):
    """(module, definitions) of each cell that says it is kept in the package."""
    for cell in code_cells(read(path)):
        match = KEPT.match(cell.source)
        if match:
            yield match.group(1), definitions(syntax_tree(cell.source))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=number)
def test_definitions_in_cells_equal_the_package(path):
    for module, in_cell in kept_cells(path):
        source = (ROOT / "mnist_helpers" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        in_package = definitions(ast.parse(source))
        assert in_cell, f"{path.name}: a cell that is said to be kept in {module} defines nothing"
        for name, code in in_cell.items():
            assert code == in_package.get(name), f"{path.name}: {name} differs from mnist_helpers.{module}"


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if number(path) in TAUGHT], ids=number)
def test_each_lesson_writes_out_what_it_teaches(path):
    found = {name for _, in_cell in kept_cells(path) for name in in_cell}
    assert found >= TAUGHT[number(path)]


@pytest.mark.parametrize(("lesson", "names"), TAUGHT.items())
def test_docstrings_in_the_package_name_their_lesson(lesson, names):
    (path,) = (path for path in NOTEBOOKS if number(path) == lesson)
    module_of = {name: module for module, in_cell in kept_cells(path) for name in in_cell}
    for name in names:
        text = getattr(import_module(f"mnist_helpers.{module_of[name]}"), name).__doc__
        assert re.search(rf"\b[Ll]esson {int(lesson)}\b", text), (
            f"{name} does not say that lesson {lesson} teaches it"
        )
