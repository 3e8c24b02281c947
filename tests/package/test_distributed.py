"""Several processes compute what one computes: gradients, weights, evaluation."""

from pathlib import Path

import pytest
import torch

from mnist_helpers import ThreeLayerNet, set_seed
from mnist_helpers.running.processes import Shared, process_device, process_group, share, wrap_ddp
from mnist_helpers.running.torchrun import torchrun_env
from tests.support.checkpoints import loaders_of
from tests.support.programs import Programs, environment

from .many_program import compute, doubled_loaders, trained


def compute_into(folder) -> None:
    """What each process does; torchrun itself is used by tests/commands/test_train_processes.py."""
    with process_group() as (rank, world):
        print(f"process {rank} of {world}")
        torch.save(compute(rank, world), Path(folder) / f"{rank}.pt")


@pytest.fixture(scope="module", params=[2, 3])
def results(request, data_dir, tmp_path_factory):
    """What each of the processes got, and what they printed."""
    folder = tmp_path_factory.mktemp("results")
    programs = Programs(folder, folder, environment(MNIST_DATA_DIR=str(data_dir)))
    try:
        processes = programs.ranks(request.param, folder, function=compute_into, few=False)
        for process in processes:
            assert process.wait(200).returncode == 0, process.stderr
    finally:
        programs.close()
    return [one.stdout for one in processes], [torch.load(folder / f"{n}.pt") for n in range(request.param)]


@pytest.fixture(scope="module")
def alone(data_dir):
    """What one process gets."""
    loaders = doubled_loaders()
    loaders.train.sampler.set_epoch(1)
    _, labels = next(iter(loaders.train))
    set_seed(1)
    return {"labels": labels, **trained(ThreeLayerNet().double(), loaders)}


def test_weights_shares_and_evaluation_are_those_of_one_process(results, alone):
    """After 26 steps on the same batches; each process evaluates all images."""
    _, processes = results
    for process in processes:
        for name, expected in alone["weights"].items():
            torch.testing.assert_close(process["weights"][name], expected, rtol=0, atol=1e-12)
            assert torch.equal(process["weights"][name], processes[0]["weights"][name])
        assert process["test"] == (pytest.approx(alone["test"][0], abs=1e-6), alone["test"][1])
    labels = torch.stack([process["labels"] for process in processes], dim=1).flatten()
    assert torch.equal(labels, alone["labels"]), "the shares make the batch"


def test_the_gradient_is_the_average_of_the_processes_gradients(results):
    for process in results[1]:
        for by_hand, by_ddp in zip(process["by hand"], process["by DDP"], strict=True):
            assert by_hand.abs().max() > 1e-5
            torch.testing.assert_close(by_ddp, by_hand, rtol=0, atol=1e-15)


def test_dropout_masks_differ_between_processes(results):
    masks = [process["masks"] for process in results[1]]
    set_seed(1)
    assert torch.equal(masks[0], torch.rand(50) > 0.5), "the first process has the masks of one process"
    assert len({tuple(mask.tolist()) for mask in masks}) == len(masks)


def test_batch_norm_is_evaluated_with_the_statistics_of_the_first_process(results):
    """Which are those that are saved; each process has gathered its own from its shares."""
    first, *others = [process["statistics"] for process in results[1]]
    assert first.abs().max() > 0.01
    assert all(torch.equal(first, other) for other in others)


def test_the_first_process_speaks_for_all_and_numbers_are_agreed_upon(results):
    printed, processes = results
    world = len(processes)
    assert printed == [f"process 0 of {world}\n"] + [""] * (world - 1)
    assert [process["agreed"] for process in processes] == [(world - 1, 15)] * world
    assert [process["from the first"] for process in processes] == ["said by 0"] * world


def test_one_process_needs_none_of_it(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # some clusters set it for purposes of their own
    monkeypatch.setenv("RANK", "3")
    assert torchrun_env() == (0, 1, 0, 1)
    loaders, network = loaders_of(), ThreeLayerNet()
    with process_group() as place:
        assert place == (0, 1)
        assert share(loaders, *place) is loaders
        assert wrap_ddp(network) is network


def test_an_indivisible_last_batch_is_cut_to_equal_shares():
    """1,010 images: the last of 11 batches of 96 has 50, of which 4 processes take 12 each."""
    whole = loaders_of(1010, batch_size=96)
    for rank in range(4):
        loaders = share(whole, rank, 4)
        assert [len(labels) for _, labels in loaders.train] == [24] * 10 + [12]
        assert (len(loaders.train), len(loaders.train.dataset), loaders.train.batch_size) == (11, 1010, 96)
        assert loaders.test is whole.test, "every process evaluates all images"
        whole.train.sampler.set_epoch(1)


def test_a_share_is_part_of_what_was_asked_for():
    class Asked:
        def __getitems__(self, indices):
            return indices

    shares = [Shared(Asked(), rank, 3).__getitems__([5, 3, 8, 1, 9, 2, 7]) for rank in range(3)]
    assert shares == [[5, 1], [3, 9], [8, 2]]


@pytest.mark.parametrize(
    ("batch_size", "world", "text"),
    [
        (64, 3, "batch_size is 64; for 3 processes it has to be divisible by 3, as 63 is"),
        (2, 4, "batch_size is 2; for 4 processes it has to be divisible by 4, as 4 is"),
        (112, 4, "leaves 2 of 1,010 training images for the last batch, fewer than the 4 processes"),
    ],
)
def test_batches_that_cannot_be_shared(batch_size, world, text):
    with pytest.raises(ValueError, match=text):
        share(loaders_of(1010, batch_size=batch_size), 0, world)


def test_a_device_that_several_processes_cannot_have(monkeypatch):
    """Neither a Mac's GPU nor one GPU for two processes is here: what PyTorch says of them is set."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    for name, value in {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    assert process_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ValueError, match="device is 'mps', which serves one process; allowed for 2 is cpu"):
        process_device("mps")
    monkeypatch.setattr("mnist_helpers.training.gpu_computes", lambda: True)
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
