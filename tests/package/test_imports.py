"""Importing is light, imports run one way, and the public names are there."""

import ast
import subprocess
import sys

import pytest

import mnist_helpers

# Who may import whom inside the package (design: imports run one way, no circle).
ALLOWED = {
    "arguments": {"errors"},
    "errors": set(),
    "fetch": {"errors", "sources.mirrors", "sources.raw_files", "sources.source", "sources.wheel"},
    "sources/raw_files": set(),
    "sources/source": {"raw_files"},
    "sources/mirrors": {"raw_files", "source"},
    "sources/wheel": {"raw_files", "source"},
    "data": {"arguments", "fetch"},
    "models": set(),
    "plots": set(),
    "recipes": {"models"},
    "training": {"arguments"},
    "checkpoints": {"arguments", "checkpoint_checks", "errors"},
    "checkpoint_checks": {"errors"},
    "launched": set(),
    "distributed": {"data", "errors", "launched", "training"},
    "resuming": {"arguments", "checkpoints", "distributed", "errors", "training"},
    "images": {"errors"},
}


def test_every_public_name_can_be_had():
    for name in mnist_helpers.__all__:
        assert getattr(mnist_helpers, name) is not None
    assert set(mnist_helpers.__all__) <= set(dir(mnist_helpers))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = mnist_helpers.no_such_name


@pytest.mark.parametrize("module", ALLOWED)
def test_imports_run_one_way(module, root):
    tree = ast.parse((root / "mnist_helpers" / f"{module}.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level}
    assert imported <= ALLOWED[module]


def test_importing_the_package_imports_nothing_heavy():
    program = (
        "import sys, mnist_helpers; heavy = {'torch', 'torchvision', 'matplotlib', 'pooch', 'requests'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
