"""Many processes compute what one computes: gradients, weights, evaluation. They are real, by torchrun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mnist_helpers import ThreeLayerNet, make_loaders, set_seed
from mnist_helpers.distributed import Shared, process_device, process_group, share, together
from mnist_helpers.launched import launched

from .many_program import doubled_loaders, trained

PROGRAM = Path(__file__).with_name("many_program.py")


@pytest.fixture(scope="module", params=[2, 3])
def results(request, root, data_dir, tmp_path_factory):
    """What each process of PROGRAM got, and what they printed."""
    folder = tmp_path_factory.mktemp("results")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(request.param)]
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "tests.package.many_program", str(folder)],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, [torch.load(folder / f"{rank}.pt") for rank in range(request.param)]


@pytest.fixture(scope="module")
def alone(data_dir):
    """What one process gets."""
    loaders = doubled_loaders()
    loaders.train.sampler.set_epoch(1)
    _, labels = next(iter(loaders.train))
    set_seed(1)
    return {"labels": labels, **trained(ThreeLayerNet().double(), loaders)}


def test_the_weights_are_those_of_one_process(results, alone):
    """After 26 steps on the same batches."""
    _, processes = results
    for process in processes:
        for name, expected in alone["weights"].items():
            torch.testing.assert_close(process["weights"][name], expected, rtol=0, atol=1e-12)
            assert torch.equal(process["weights"][name], processes[0]["weights"][name])


def test_the_gradient_is_the_average_of_the_processes_gradients(results):
    for process in results[1]:
        for by_hand, by_ddp in zip(process["by hand"], process["by DDP"], strict=True):
            assert by_hand.abs().max() > 1e-5
            torch.testing.assert_close(by_ddp, by_hand, rtol=0, atol=1e-15)


def test_the_shares_make_the_batch(results, alone):
    processes = results[1]
    together = torch.stack([process["labels"] for process in processes], dim=1).flatten()
    assert torch.equal(together, alone["labels"])


def test_the_evaluation_counts_every_image_once(results, alone):
    processes = results[1]
    assert sorted(index for process in processes for index in process["indices"]) == list(range(10_000))
    for process in processes:
        loss, accuracy = process["test"]
        assert loss == pytest.approx(alone["test"][0], abs=1e-6)
        assert accuracy == alone["test"][1]


def test_dropout_masks_differ_between_processes(results):
    first, *others = [process["masks"] for process in results[1]]
    set_seed(1)
    assert torch.equal(first, torch.rand(50) > 0.5), "the first process has the masks of one process"
    assert all(not torch.equal(first, other) for other in others)


def test_batch_norm_is_evaluated_with_the_statistics_of_the_first_process(results):
    """Which are those that are saved; each process has gathered its own from its shares."""
    first, *others = [process["statistics"] for process in results[1]]
    assert first.abs().max() > 0.01
    assert all(torch.equal(first, other) for other in others)


def test_a_number_is_agreed_upon(results):
    processes = results[1]
    assert [process["agreed"] for process in processes] == [(len(processes) - 1, 15)] * len(processes)


def test_the_first_process_speaks_for_all(results):
    output, processes = results
    assert output == f"process 0 of {len(processes)}\n"


def test_one_process_needs_none_of_it(data_dir, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # some clusters set it for purposes of their own
    monkeypatch.setenv("RANK", "3")
    assert launched() == (0, 1, 0, 1)
    loaders, network = make_loaders(data_dir=data_dir, validation_size=59_000), ThreeLayerNet()
    with process_group() as place:
        assert place == (0, 1)
        assert share(loaders, *place) is loaders
        assert together(network) is network


def test_an_indivisible_last_batch_is_cut_to_equal_shares(data_dir):
    """1,010 images: the last of 11 batches of 96 has 50, of which 4 processes take 12 each."""
    loaders = make_loaders(96, data_dir=data_dir, validation_size=58_990)
    for rank in range(4):
        train = share(loaders, rank, 4).train
        assert [len(labels) for _, labels in train] == [24] * 10 + [12]
        assert (len(train), len(train.dataset), train.batch_size) == (11, 1010, 96)


def test_more_processes_than_images_to_evaluate_on(data_dir):
    loaders = make_loaders(96, data_dir=data_dir, validation_size=1)
    assert [len(share(loaders, rank, 2).validation.sampler) for rank in (0, 1)] == [1, 0]


@pytest.mark.parametrize(
    ("batch_size", "world", "text"),
    [
        (64, 3, "batch_size is 64; for 3 processes it has to be divisible by 3, as 63 is"),
        (2, 4, "batch_size is 2; for 4 processes it has to be divisible by 4, as 4 is"),
        (112, 4, "leaves 2 of 1,010 training images for the last batch, fewer than the 4 processes"),
    ],
)
def test_batches_that_cannot_be_shared(data_dir, batch_size, world, text):
    with pytest.raises(ValueError, match=text):
        share(make_loaders(batch_size, data_dir=data_dir, validation_size=58_990), 0, world)


def test_a_device_that_many_processes_cannot_have(monkeypatch):
    """Neither a Mac's GPU nor one GPU for two processes is here: what PyTorch says of them is set."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    for name, value in {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    assert process_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ValueError, match="device is 'mps', which serves one process; allowed for 2 is cpu"):
        process_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=r"device is 'cuda', with fewer GPUs \(1\) than processes \(2\)"):
        process_device("auto")
    with pytest.raises(ValueError, match="device is 'cuda:0'; each process takes a GPU of its own"):
        process_device("cuda:0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    current = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert process_device("auto") == torch.device("cuda", 1)
    assert current == [1]


def test_a_share_is_part_of_what_was_asked_for():
    class Asked:
        def __getitems__(self, indices):
            return indices

    assert [Shared(Asked(), rank, 3).__getitems__([5, 3, 8, 1, 9, 2, 7]) for rank in range(3)] == [
        [5, 1],
        [3, 9],
        [8, 2],
    ]
