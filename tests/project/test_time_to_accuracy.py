"""The benchmark of lesson 10 runs, and its step for a GPU is the step of the recipes."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from mnist_helpers import load_mnist
from mnist_helpers.data import NormalisedDigits
from mnist_helpers.recipes import FAST, train_recipe


@pytest.fixture(scope="module")
def benchmarks(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "benchmarks"))
        yield root / "benchmarks"


def run(benchmarks, *arguments):
    command = [sys.executable, str(benchmarks / "time_to_accuracy.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_short_run_writes_what_it_measured(benchmarks, tmp_path, data_dir):
    path = tmp_path / "found.json"
    ended = run(
        *(benchmarks, "--seeds", "2", "--only", "to 97 %", "--json", str(path), "--data-dir", str(data_dir))
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(path.read_text(encoding="utf-8"))
    (entry,) = found["entries"]
    assert entry["name"] == "to 97 %"
    assert entry["images_seen"] == 6_000
    assert len(entry["seconds"]) == len(entry["accuracy"]) == 2
    assert all(95 < value < 99.5 for value in entry["accuracy"])
    assert found["measured_on"] == "test"
    assert found["machine"]["peak_gflop_per_second"]["float32"] > 1
    assert "to 97 %" in ended.stdout


def test_help_and_a_name_that_no_contestant_has(benchmarks, data_dir):
    assert "--validation" in run(benchmarks, "--help").stdout
    ended = run(benchmarks, "--only", "nobody", "--data-dir", str(data_dir))
    assert ended.returncode == 2
    assert "nobody" in ended.stderr
    assert "as printed" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_captured_step_trains_as_the_recipe_does(benchmarks, data_dir):
    """On the CPU nothing is recorded; the same code then gives the same weights, to the bit."""
    from captured_step import prepare

    train, _ = (NormalisedDigits(part) for part in load_mnist(data_dir))
    recipe = replace(FAST, images_seen=1_280, frozen_after=1.0)
    expected = train_recipe(recipe, train.images, train.labels, seed=1).state_dict()
    network = prepare(recipe, train.images, train.labels, seed=1)()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_captured_step_trains_on_a_gpu(benchmarks, data_dir):
    from captured_step import prepare

    train, test = (NormalisedDigits(part) for part in load_mnist(data_dir))
    images, labels = train.images.cuda(), train.labels.cuda()
    network = prepare(replace(FAST, frozen_after=1.0), images, labels, seed=1)().eval()
    with torch.no_grad():
        right = (network(test.images.cuda()).argmax(dim=1).cpu() == test.labels).float().mean().item()
    assert right > 0.985
