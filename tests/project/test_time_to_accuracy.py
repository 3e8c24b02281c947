"""The benchmark of lesson 10 runs, and its step for a GPU is the step of the recipes."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from mnist_helpers import load_mnist
from mnist_helpers.data import NormalisedDigits
from mnist_helpers.recipes import FAST, Recipe, train_recipe


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
        *(benchmarks, "--seeds", "2", "--only", "Muon", "--json", str(path), "--data-dir", str(data_dir))
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(path.read_text(encoding="utf-8"))
    (entry,) = found["entries"]
    assert entry["name"] == "Muon"
    assert entry["images_seen"] == 25_000
    assert len(entry["seconds"]) == len(entry["accuracy"]) == 2
    assert all(98.5 < value < 99.5 for value in entry["accuracy"])
    assert found["measured_on"] == "test"
    assert found["machine"]["peak_gflop_per_second"]["float32"] > 1
    assert "Muon" in ended.stdout


def test_the_peak_of_a_type_without_instructions_is_taken_on_small_matrices(benchmarks, monkeypatch):
    import time_to_accuracy

    sizes, randn = [], torch.randn
    monkeypatch.setattr(torch, "randn", lambda *size: sizes.append(size[-1]) or randn(*size))
    assert time_to_accuracy.peak(torch.float32) > time_to_accuracy.EMULATED
    monkeypatch.setattr(time_to_accuracy, "EMULATED", float("inf"))  # as if every type were slow here
    assert time_to_accuracy.peak(torch.float32) > 0
    assert sizes == [256, 2048, 256]


def test_a_name_that_no_contestant_has(benchmarks, data_dir, capsys):
    import time_to_accuracy

    assert "--validation" in time_to_accuracy.parser().format_help()
    with pytest.raises(SystemExit) as ended:
        time_to_accuracy.main(["--only", "nobody", "--data-dir", str(data_dir)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "nobody" in said
    assert "as printed" in said


def test_validation_images_are_none_of_the_training_images(benchmarks, data_dir):
    import time_to_accuracy

    train, held_out, kept = time_to_accuracy.split(data_dir, validation=True)
    assert (len(train.labels), len(held_out.labels), len(kept.unique())) == (50_000, 10_000, 50_000)
    trained_on = {image.tobytes() for image in train.images.numpy()}  # no image of MNIST occurs twice
    assert not any(image.tobytes() in trained_on for image in held_out.images.numpy())


def test_operations_are_those_counted_by_hand(benchmarks, data_dir):
    """Net's convolutions and linear layers: forward, and backward twice as much but for the first images."""
    import time_to_accuracy

    arrays, _, _ = time_to_accuracy.split(data_dir, validation=True)
    conv1, rest = 144_000, 320_000 + 16_000 + 500  # multiply-adds for an image, as in lesson 8
    by_hand = 2 * (2 * conv1 + 3 * rest)
    counted = time_to_accuracy.gflop(Recipe(images_seen=1_000), arrays) / 1_000 * 1e9
    assert counted == pytest.approx(by_hand, rel=1e-6)
    part = time_to_accuracy.gflop(replace(FAST, images_seen=1_000, muon=False), arrays)
    whole = time_to_accuracy.gflop(replace(FAST, images_seen=1_000, frozen_after=1.0, muon=False), arrays)
    conv1, images_of_conv2 = 2 * 400 * 144, 2 * 4_608 * 100  # a frozen layer saves both gradients
    resting = 1 - FAST.frozen_after
    assert whole - part == pytest.approx(resting * 1_000 * (conv1 + images_of_conv2) / 1e9, rel=1e-6)


def test_shifted_images_are_the_images_moved(benchmarks):
    from accurate import shifted

    images = torch.rand(500, 1, 28, 28)
    wide = torch.nn.functional.pad(images, (1, 1, 1, 1), value=images.min().item())
    moves = {
        (top, left): wide[:, :, top : top + 28, left : left + 28] for top in range(3) for left in range(3)
    }
    torch.manual_seed(1)
    moved = shifted(images)
    found = [
        [move for move, all_moved in moves.items() if torch.equal(all_moved[i], moved[i])] for i in range(500)
    ]
    assert all(len(fitting) == 1 for fitting in found)
    assert {fitting[0] for fitting in found} == set(moves)


def test_the_captured_step_trains_as_the_recipe_does(benchmarks, data_dir):
    """On the CPU nothing is recorded; the same code then gives the same weights, to the bit."""
    from captured_step import ON_GPU, prepare

    train, _ = (NormalisedDigits(part) for part in load_mnist(data_dir))
    recipe = replace(ON_GPU, images_seen=1_280)
    expected = train_recipe(recipe, train.images, train.labels, seed=1).state_dict()
    network = prepare(recipe, train.images, train.labels, seed=1)()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_captured_step_trains_on_a_gpu(benchmarks, data_dir):
    from captured_step import ON_GPU, prepare

    train, test = (NormalisedDigits(part) for part in load_mnist(data_dir))
    images, labels = train.images.cuda(), train.labels.cuda()
    network = prepare(ON_GPU, images, labels, seed=1)().eval()
    with torch.no_grad():
        right = (network(test.images.cuda()).argmax(dim=1).cpu() == test.labels).float().mean().item()
    assert right > 0.985


def test_the_small_network_learns(benchmarks, data_dir):
    from how_small import SmallNet, train_small

    for channels, count in ((12, 1_366), (14, 1_704)):
        assert sum(weights.numel() for weights in SmallNet(channels).parameters()) == count
    digits = NormalisedDigits(load_mnist(data_dir)[0])
    network = train_small(digits.images[:6_400], digits.labels[:6_400], seed=0, channels=14, epochs=2)
    guesses = network.eval()(digits.images[-1000:]).argmax(dim=1)
    assert 0.7 < (guesses == digits.labels[-1000:]).double().mean() < 0.99
