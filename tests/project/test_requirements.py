"""requirements.txt, environment.yml and pyproject.toml name the same packages in the same ranges."""

import re
import tomllib
from itertools import chain

import pytest
import yaml
from packaging.requirements import Requirement

from .files import PROJECT, ROOT

# Only these two differ from one index to the other.
CONDA_NAMES = {"pytorch": "torch"}
EXTRAS = PROJECT["optional-dependencies"]
JUPYTER = {"jupyterlab", "ipykernel"}
# Colab in 2026-08. Nothing that it has may be too old for the course, or a lesson would reinstall it.
COLAB = {
    "python": "3.13",
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "numpy": "2.1.3",
    "matplotlib": "3.10.0",
    "ipykernel": "6.17.1",
    "tqdm": "4.67.3",
}


def ranges(lines: list[str]) -> dict[str, str]:
    """Split lines such as ``torch>=2.10`` into names and ranges."""
    matches = [re.fullmatch(r"([a-z]+)(>=[\d.]+)", line) for line in lines]
    assert all(matches), f"not of the form name>=version: {lines}"
    return {match[1]: match[2] for match in matches}


def requirements_txt() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def environment_yml() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_requirements_txt_has_the_package_s_dependencies_and_jupyter():
    found = ranges(requirements_txt()[:-1])
    package = ranges(PROJECT["dependencies"])
    assert {name: found[name] for name in package} == package
    assert found.keys() - package.keys() == JUPYTER


def test_requirements_txt_ends_in_the_package_itself():
    assert requirements_txt()[-1] == "-e ."


def test_environment_yml_equals_requirements_txt():
    environment = environment_yml()
    names = [line for line in environment["dependencies"] if isinstance(line, str) and line != "pip"]
    found = {CONDA_NAMES.get(name, name): range_ for name, range_ in ranges(names).items()}
    assert found.pop("python") == PROJECT["requires-python"]
    assert found == ranges(requirements_txt()[:-1])
    assert environment["dependencies"][-1] == {"pip": ["-e ."]}


def test_environment_yml_uses_conda_forge_alone():
    assert environment_yml()["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize(("name", "version"), COLAB.items())
def test_ranges_admit_colab(name, version):
    found = {**ranges(requirements_txt()[:-1]), "python": PROJECT["requires-python"]}
    assert release(version) >= release(found[name].removeprefix(">="))


def test_every_package_is_listed_for_the_installation():
    packages = sorted(path.parent for path in (ROOT / "mnist_helpers").rglob("__init__.py"))
    names = {".".join(path.relative_to(ROOT).parts) for path in packages}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert names == set(project["tool"]["setuptools"]["packages"])


def test_constraints_txt_pins_what_the_course_needs_within_its_ranges():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    wanted = [*requirements_txt()[:-1], *PROJECT["dependencies"], *chain(*EXTRAS.values())]
    for each in map(Requirement, wanted):
        if each.name != PROJECT["name"]:
            assert pinned[each.name] in each.specifier, each
