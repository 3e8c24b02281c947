"""The stand-in for Colab, made once a test run."""

import warnings

import pytest

from . import colab
from .notebooks import ADDRESS


@pytest.fixture(scope="session")
def colab_kernel(tmp_path_factory, data_dir):
    """(name of a kernel, JUPYTER_PATH, Python). Skips with the reason where the stand-in cannot be made."""
    reason = colab.can_be_made()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("colab")
    try:
        python = colab.make_environment(folder / "environment")
    except RuntimeError as error:
        pytest.skip(f"Colab's versions cannot be installed here: {error}")
    config = colab.make_clone(folder, ADDRESS)
    environment = {"GIT_CONFIG_GLOBAL": str(config), "MNIST_DATA_DIR": str(data_dir), "TQDM_DISABLE": "1"}
    colab.write_kernel(folder / "jupyter", python, environment)
    return "colab", folder / "jupyter", python


@pytest.fixture(scope="session")
def lesson_kernel(request):
    """The kernel of the probed lessons: with Colab's versions where they can be had, otherwise this one's."""
    try:
        return request.getfixturevalue("colab_kernel")[:2]
    except pytest.skip.Exception as reason:
        warnings.warn(f"the lessons are probed in this environment, not in Colab's: {reason}", stacklevel=1)
        return "python3", None
