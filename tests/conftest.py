"""Fixtures that several folders of tests share."""

from pathlib import Path

import pytest

from .support import programs as support_programs
from .support.browser import chromium
from .support.course import course, environment  # noqa: F401  fixtures
from .support.data_folders import make_folder, packed_files

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The verified data folder, fetched when it is not there yet."""
    from mnist_helpers import fetch_mnist

    return fetch_mnist()


@pytest.fixture(scope="session")
def raw(data_dir) -> Path:
    """The folder that holds the four verified files."""
    return data_dir / "MNIST" / "raw"


@pytest.fixture(scope="session")
def packed(raw) -> dict[str, bytes]:
    """The four ``.gz`` files as a mirror has them."""
    return packed_files(raw)


@pytest.fixture
def folder_without(raw, tmp_path):
    """Return a function that makes a data folder in which the named files are missing."""
    return lambda *missing: make_folder(tmp_path / "data", raw, *missing)


@pytest.fixture(scope="session")
def env(data_dir) -> dict:
    """What the commands find around them, the data too."""
    return support_programs.environment(MNIST_DATA_DIR=str(data_dir))


@pytest.fixture
def programs(env, tmp_path, tmp_path_factory):
    """Starts processes in ``tmp_path``; what still runs at the end of the test is killed."""
    programs = support_programs.Programs(tmp_path_factory.mktemp("output"), cwd=tmp_path, env=env)
    yield programs
    programs.close()


@pytest.fixture(scope="session")
def browser():
    """One for all tests of a worker: Playwright refuses a second one beside the first."""
    with chromium() as browser:
        yield browser
