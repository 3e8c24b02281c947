"""Fixtures for the commands: each process has a folder and an environment of its own."""

from types import SimpleNamespace

import pytest

from ..support.programs import Programs
from .stored import train_briefly


@pytest.fixture(scope="session")
def command(env, tmp_path_factory):
    """Run the command line to its end, in a forked process."""
    programs = Programs(tmp_path_factory.mktemp("output"), tmp_path_factory.mktemp("elsewhere"), env)

    def run(*arguments, seconds=60, **options):
        return programs.command(*arguments, **options).wait(seconds)

    yield run
    programs.close()


@pytest.fixture
def here(capfd, tmp_path, monkeypatch):
    """Run the command line in this process, where nothing is left to train; return what it said."""
    from mnist_helpers.__main__ import main

    def run(*arguments):
        monkeypatch.chdir(tmp_path)
        try:
            status = main(list(map(str, arguments)))
        except SystemExit as end:
            status = end.code
        said = capfd.readouterr()
        return SimpleNamespace(returncode=status, stdout=said.out, stderr=said.err)

    return run


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, data_dir):
    """A network that reads about 95 % of the digits, in a folder as a run leaves it."""
    return train_briefly(tmp_path_factory.mktemp("run") / "checkpoint.pt", data_dir)
