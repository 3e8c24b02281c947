"""``evaluate``, and what ``predict`` has in common with it: the checkpoint that is given."""

import json
import os

import pytest
import torch
from torch import nn

from mnist_helpers import Net, evaluate, load_checkpoint, make_loaders, models
from mnist_helpers.arguments import NETWORKS
from mnist_helpers.commands.stored_network import load_network
from mnist_helpers.trusting.matching import network_of

from ..support.checkpoints import rewritten
from ..support.programs import flip_bit
from .runs import one_line
from .stored import save_untrained


def test_json_and_the_report_hold_what_evaluate_measures(here, checkpoint, data_dir, tmp_path):
    done = here("evaluate", checkpoint, "--json", "--data-dir", data_dir)
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
    assert (said["epochs"], said["images_seen"]) == (2, 20_000)
    confusion = torch.tensor(said["confusion"])
    images, right = confusion.sum(dim=1), confusion.diagonal()
    assert images.tolist() == torch.bincount(test.dataset.labels).tolist(), "rows are true digits"
    assert right.sum().item() == pytest.approx(10_000 * said["accuracy"])
    assert said["class_accuracies"] == pytest.approx((right / images).tolist())

    arguments = ("--network", "Net", "--test-batch-size", 300, "--data-dir", data_dir)
    done = here("evaluate", checkpoint.parent, *arguments)  # the folder of a run
    assert (done.returncode, done.stderr) == (0, "")
    first, second, _, _, *lines = done.stdout.splitlines()
    assert first == f"Net after 2 epochs (20,000 images), from {checkpoint}"
    assert second == f"10,000 test images: loss {said['loss']:.4f}, accuracy {said['accuracy']:.2%}"
    for digit, line in enumerate(lines[:10]):
        numbers = (digit, int(images[digit]), int(right[digit]), f"{said['class_accuracies'][digit]:.2%}")
        assert line.replace(",", "").split() == [str(number) for number in numbers]
    assert lines[11] == "Confusion matrix: a row for each true digit, a column for each prediction"
    assert lines[12].startswith("true \\ predicted     0     1")
    assert {len(line) for line in lines[13:]} == {len(lines[12])}
    matrix = [[int(number) for number in line.replace(",", "").split()] for line in lines[13:]]
    assert matrix == [[digit, *row] for digit, row in enumerate(said["confusion"])]
    assert list(tmp_path.iterdir()) == []


def test_the_arguments_choose_from_all_networks_of_the_course():
    classes = {name: value for name, value in vars(models).items() if isinstance(value, type)}
    assert set(NETWORKS) == {name for name, value in classes.items() if issubclass(value, nn.Module)}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_found_by_its_weights(name, tmp_path):
    network = getattr(models, name)()
    path = save_untrained(tmp_path / "checkpoint.pt", network)
    for given in (path, tmp_path):
        found, checkpoint, used = load_network(given, device="cpu")
        assert (type(found), found.training, used) == (type(network), False, path)
        assert checkpoint["history"]["seen"] == 3
        for here, there in zip(found.parameters(), network.parameters(), strict=True):
            assert torch.equal(here, there)


def test_names_alone_do_not_make_a_network_fit():
    weights = Net().state_dict()
    assert network_of(weights) == "Net"
    weights["conv1.weight"] = torch.zeros(10, 1, 3, 3)
    assert network_of(weights) is None


def poisoned(path):
    # save_checkpoint itself refuses such a network.
    rewritten(save_untrained(path, Net()), lambda content: content["model"]["fc2.bias"].fill_(float("nan")))


@pytest.mark.parametrize("name", ["evaluate", "predict"])
@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda path: None, (), "there is no such file; train first"),
        (lambda path: path.mkdir(), (), "this is a folder, not a checkpoint"),
        (lambda path: flip_bit(save_untrained(path, Net())), (), "damaged"),
        (
            lambda path: path.write_bytes(save_untrained(path, Net()).read_bytes()[:9000]),
            (),
            "cut short or damaged",
        ),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(90)), (), "is not a checkpoint"),
        (lambda path: path.write_text("epoch,step\n1,2\n"), (), "is not a checkpoint"),
        (lambda path: torch.save({"epoch": 3}, path), (), "is not a checkpoint of save_checkpoint"),
        (lambda path: torch.save(os.system, path), (), "holds more than plain values"),
        (
            lambda path: save_untrained(path, nn.Linear(784, 10)),
            (),
            "its weights fit none of the course's networks",
        ),
        (
            lambda path: save_untrained(path, Net()),
            ("--network", "ConvNet"),
            "holds weights of Net, not of ConvNet (",
        ),
        (poisoned, (), "fc2.bias holds NaN or infinity"),
    ],
    ids=["none", "folder", "bit", "cut", "PNG", "CSV", "foreign", "program", "unknown", "misfit", "NaN"],
)
def test_a_checkpoint_that_cannot_be_used(here, tmp_path, name, make, arguments, message):
    path = tmp_path / "checkpoint.pt"
    make(path)
    done = here(name, path, *(["a.png"] if name == "predict" else []), *arguments)
    assert one_line(done, 1, message).startswith(f"{path}: ")
    assert done.stdout == ""


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
def test_wrong_arguments_end_with_one_line_and_status_2(here, arguments, message):
    done = here("evaluate", *arguments)
    one_line(done, 2, message)
    assert done.stdout == ""


@pytest.mark.skipif(os.name == "nt", reason="the pipe of a shell that closes early is another thing there")
def test_a_reader_that_stops_reading_sees_no_traceback(programs, checkpoint, tmp_path):
    """As `| head -1` does."""
    os.mkfifo(tmp_path / "pipe")
    evaluating = programs.command("evaluate", checkpoint, stdout=tmp_path / "pipe")
    os.close(os.open(tmp_path / "pipe", os.O_RDONLY))
    evaluating.wait()
    assert (evaluating.returncode, evaluating.stderr) == (1, "")
