"""Importing is light, imports run one way, the core is small, and the public names are there."""

import ast
import subprocess
import sys

import pytest

import mnist_helpers

CORE = ("data", "models", "training", "plots", "checkpoints", "recipes")
CONTAINERS = ("commands", "checks", "running", "fetching", "trusting", "page")  # packages in the package
# The layers, from the top: a module imports from its own and from lower ones.
LAYERS = [
    {"__main__"},
    {"commands", "checks"},
    {"page"},
    {"running", "requirements_check", "pictures", "reading", "sheets", "starting"},
    set(CORE),
    {"fetching", "trusting"},
    {"arguments", "devices", "errors", "files"},
]
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
# trusting/matching.py builds the course's networks, to say whose weights a file holds.
UPWARDS = {("trusting.matching", "models")}


@pytest.fixture(scope="module")
def sources(root):
    """The text of each module of the package by its name, such as ``running.resuming``."""
    package = root / "mnist_helpers"
    paths = {
        ".".join(path.relative_to(package).with_suffix("").parts): path for path in package.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): path.read_text(encoding="utf-8") for name, path in paths.items()}


@pytest.fixture(scope="module")
def imports(sources):
    """The modules of the package that each imports, anywhere in it."""
    found = {}
    for name, text in sources.items():
        here = [] if name == "__init__" else name.split(".")
        package = here if name in CONTAINERS else here[:-1]
        found[name] = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - node.level + 1] + (node.module or "").split(".") * bool(
                    node.module
                )
                for alias in node.names:
                    whole = ".".join([*base, alias.name])
                    found[name].add(whole if whole in sources else ".".join(base))
    return found


def code_lines(text, function):
    """How many lines of a function hold code: without its docstring, comments and empty lines."""
    tree = ast.parse(text)
    node = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    first = node.body[1].lineno if ast.get_docstring(node) else node.body[0].lineno
    lines = text.splitlines()[first - 1 : node.end_lineno]
    code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    return len(code) + node.body[0].lineno - node.lineno  # and those of its head


@pytest.mark.parametrize(("function", "most"), [("train_epoch", 12), ("fit", 16)])
def test_the_taught_loop_is_small(function, most, sources):
    assert code_lines(sources["training"], function) <= most


def test_the_core_is_small(sources):
    assert sum(len(sources[name].splitlines()) for name in CORE) <= 800


def test_every_module_has_its_layer(sources):
    assert {name.split(".")[0] for name in sources} - {"__init__"} == set(LEVEL)


def test_imports_run_one_way(imports):
    upwards = {
        (name, other)
        for name, others in imports.items()
        for other in others
        if name != "__init__" and LEVEL[other.split(".")[0]] < LEVEL[name.split(".")[0]]
    }
    assert upwards == UPWARDS


def test_imports_make_no_circle(imports):
    left = {name: {other for other in others if other != name} for name, others in imports.items()}
    while free := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in free}
    assert not left, "each of these imports another one of them"


def test_the_core_knows_nothing_of_what_is_built_on_it(imports):
    above = {name for name, level in LEVEL.items() if level < LEVEL["data"]}
    for name in CORE:
        assert not {other.split(".")[0] for other in imports[name]} & above, name


def test_every_public_name_can_be_had():
    for name in mnist_helpers.__all__:
        assert getattr(mnist_helpers, name) is not None
    assert set(mnist_helpers.__all__) <= set(dir(mnist_helpers))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = mnist_helpers.no_such_name


def test_importing_the_package_imports_nothing_heavy():
    program = (
        "import sys, mnist_helpers; heavy = {'torch', 'torchvision', 'matplotlib', 'pooch', 'requests'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
