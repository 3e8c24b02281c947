"""python -m mnist_helpers evaluate, run as a reader runs it."""

import json
import os
import re

import pytest
import torch
from torch import nn

from mnist_helpers import (
    CheckpointError,
    Net,
    evaluate,
    load_checkpoint,
    make_loaders,
    models,
    save_checkpoint,
)
from mnist_helpers.__main__ import main
from mnist_helpers.commands.settings import NETWORKS
from mnist_helpers.commands.stored_network import fitting_network, load_network

from .stored import train_briefly


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, data_dir):
    return train_briefly(tmp_path_factory.mktemp("run") / "checkpoint.pt", data_dir)


def save(path, network):
    save_checkpoint(path, network, torch.optim.SGD(network.parameters(), lr=0.01), epoch=1, step=3)
    return path


def test_json_holds_what_evaluate_measures(command, checkpoint, data_dir, tmp_path):
    done = command("evaluate", checkpoint, "--json", "--data-dir", data_dir, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    network = Net()
    load_checkpoint(checkpoint, network)
    test = make_loaders(data_dir=data_dir).test
    loss, accuracy = evaluate(network, test)
    assert said["loss"] == pytest.approx(loss, rel=1e-4)
    assert said["accuracy"] == pytest.approx(accuracy, abs=2e-4)
    assert 0.88 < said["accuracy"] < 0.98
    assert (said["network"], said["checkpoint"], said["images"]) == ("Net", str(checkpoint), 10_000)
    confusion = torch.tensor(said["confusion"])
    assert confusion.sum(dim=1).tolist() == torch.bincount(test.dataset.labels).tolist(), (
        "rows are true digits"
    )
    assert confusion.diagonal().sum().item() == pytest.approx(10_000 * said["accuracy"])
    shares = confusion.diagonal() / confusion.sum(dim=1)
    assert said["class_accuracies"] == pytest.approx(shares.tolist())
    assert list(tmp_path.iterdir()) == []


def test_the_report_is_an_aligned_table(command, checkpoint, data_dir):
    done = command(
        "evaluate", checkpoint, "--data-dir", data_dir, "--network", "Net", "--test-batch-size", 300
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"Net after 2 epochs, from {checkpoint}"
    loss, accuracy = re.fullmatch(
        r"10,000 test images: loss (0\.\d{4}), accuracy (9\d\.\d\d|8[89]\.\d\d)%", lines[1]
    ).groups()
    assert 0.1 < float(loss) < 0.5
    classes = [re.fullmatch(r" {4}(\d)  [ ,\d]{6}  [ ,\d]{5}  [ .\d]{7}%", line) for line in lines[4:14]]
    assert [int(found[1]) for found in classes] == list(range(10))
    counts = [[int(n.replace(",", "")) for n in line.split()[1:3]] for line in lines[4:14]]
    assert sum(images for images, _ in counts) == 10_000
    assert sum(right for _, right in counts) == round(100 * float(accuracy))
    assert lines[15] == "Confusion matrix: a row for each true digit, a column for each prediction"
    table = lines[16:]
    assert table[0].startswith("true \\ predicted     0     1")
    assert {len(line) for line in table} == {len(table[0])}
    matrix = [[int(n.replace(",", "")) for n in line.split()[1:]] for line in table[1:]]
    assert [sum(row) for row in matrix] == [images for images, _ in counts]
    assert [row[digit] for digit, row in enumerate(matrix)] == [right for _, right in counts]


def test_the_arguments_choose_from_all_networks_of_the_course():
    classes = {name for name, value in vars(models).items() if isinstance(value, type)}
    assert set(NETWORKS) == {name for name in classes if issubclass(getattr(models, name), nn.Module)}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_found_by_its_weights(name, tmp_path):
    network = getattr(models, name)()
    path = save(tmp_path / "checkpoint.pt", network)
    found, checkpoint = load_network(path, device="cpu")
    assert type(found) is type(network)
    assert not found.training
    assert (checkpoint["epoch"], checkpoint["step"]) == (1, 3)
    for here, there in zip(found.parameters(), network.parameters(), strict=True):
        assert torch.equal(here, there)


def test_names_alone_do_not_make_a_network_fit():
    weights = Net().state_dict()
    assert fitting_network("a.pt", weights) == "Net"
    weights["conv1.weight"] = torch.zeros(10, 1, 3, 3)
    with pytest.raises(CheckpointError, match=r"a\.pt: its weights fit none of"):
        fitting_network("a.pt", weights)


def damaged(path):
    content = bytearray(save(path, Net()).read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def poisoned(path):
    content = torch.load(save(path, Net()), weights_only=True)
    content["model"]["fc2.bias"].fill_(float("nan"))  # save_checkpoint itself refuses such a network
    torch.save(content, path)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda path: None, (), "there is no such file; train first"),
        (lambda path: path.mkdir(), (), "this is a folder, not a checkpoint"),
        (damaged, (), "damaged"),
        (lambda path: path.write_bytes(b"weights"), (), "cut short or damaged"),
        (lambda path: torch.save({"epoch": 3}, path), (), "is not a checkpoint of save_checkpoint"),
        (lambda path: torch.save(os.system, path), (), "holds more than plain values"),
        (lambda path: save(path, nn.Linear(784, 10)), (), "its weights fit none of the course's networks"),
        (lambda path: save(path, Net()), ("--network", "ConvNet"), "does not fit this network"),
        (poisoned, (), "fc2.bias holds NaN or infinity"),
    ],
    ids=["missing", "folder", "damaged", "no zip", "foreign", "a program", "unknown", "misfit", "NaN"],
)
def test_a_checkpoint_that_cannot_be_used(tmp_path, capfd, make, arguments, message):
    path = tmp_path / "checkpoint.pt"
    make(path)
    assert main(["evaluate", str(path), *arguments]) == 1
    said = capfd.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"{path}: ")
    assert message in line


def test_the_exit_status_without_a_traceback(command, tmp_path):
    done = command("evaluate", tmp_path / "checkpoint.pt")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{tmp_path / 'checkpoint.pt'}: there is no such file")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required: CHECKPOINT"),
        (("a.pt", "--network", "ResNet18"), "argument --network: invalid choice: 'ResNet18'"),
        (("a.pt", "--test-batch-size", "0"), "argument --test-batch-size: 0 is not allowed"),
        (("a.pt", "--device", "abacus"), "argument --device: device is 'abacus'; allowed on this machine"),
        (("a.pt", "--epochs", "3"), "unrecognized arguments: --epochs"),
    ],
)
def test_wrong_arguments_end_with_one_line_and_status_2(command, arguments, message):
    done = command("evaluate", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert message in line


@pytest.mark.skipif(os.name == "nt", reason="the pipe of a shell that closes early is another thing there")
def test_a_reader_that_stops_reading_sees_no_traceback(start, checkpoint):
    """As `| head -1` does."""
    evaluating = start("evaluate", checkpoint)
    evaluating.stdout.close()
    _, said = evaluating.communicate(timeout=60)
    assert (evaluating.returncode, said) == (1, "")
