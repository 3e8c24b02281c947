"""The last part of test_probes.py: the same tests for the lessons in THIRD, on a worker of their own."""

import pytest

from .notebooks import NOTEBOOKS, number
from .test_probes import (  # noqa: F401, the tests are collected here as well
    THIRD,
    execute,
    test_nothing_on_stderr,
    test_pictures_are_not_blank,
    test_values,
    test_verdicts,
)


@pytest.fixture(scope="module", params=[path for path in NOTEBOOKS if number(path) in THIRD], ids=number)
def lesson(request, lesson_kernel, tmp_path_factory, data_dir):
    return execute(request.param, lesson_kernel, tmp_path_factory.mktemp("lesson"), data_dir)
