"""``python -m build``: the wheel, made from the sdist, serves a lesson where the course is not."""

import shutil
import subprocess
import sys

import pytest

from tests.lessons.notebooks import SETUP
from tests.support.kernels import Kernel

from .files import PROJECT, ROOT, repository_files


def test_what_is_built_serves_the_set_up_cell(tmp_path, data_dir):
    pytest.importorskip("build")
    copy = tmp_path / "course"  # so that nothing is left in this folder
    for path in repository_files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    build = [sys.executable, "-m", "build", "--outdir", tmp_path / "dist", copy]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    name = f"mnist_notebooks-{PROJECT['version']}"
    wheel = tmp_path / "dist" / f"{name}-py3-none-any.whl"
    assert sorted((tmp_path / "dist").iterdir()) == [wheel, tmp_path / "dist" / f"{name}.tar.gz"]
    installed = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", installed, wheel]
    subprocess.run(command, capture_output=True, check=True)
    (tmp_path / "elsewhere").mkdir()
    kernel = Kernel(tmp_path / "elsewhere", PYTHONPATH=str(installed), MNIST_DATA_DIR=str(data_dir))
    ready = kernel.run(SETUP)
    where = kernel.run("print(mnist_helpers.__file__)")
    page = kernel.run("mnist_helpers.write_page(mnist_helpers.Net(), 'page.html')")  # from files in the wheel
    kernel.stop()
    assert (ready.error, page.error) == ("", "")
    assert ready.printed.startswith("Ready: PyTorch")
    assert where.printed.startswith(str(installed))
