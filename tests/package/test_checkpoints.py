"""A resume equals never having stopped, and a file that cannot be used changes nothing."""

import os
from dataclasses import asdict

import pytest
import torch

from mnist_helpers import CheckpointError, History, load_checkpoint, make_loaders, save_checkpoint
from mnist_helpers.checkpoints import read_checkpoint
from mnist_helpers.training import train_epoch

from .runs import OPTIMIZERS, everything, refused, rewritten, same, start, train_epochs


@pytest.fixture(scope="module")
def train(data_dir):
    """A loader of 1,000 training images."""
    return make_loaders(validation_size=59_000, data_dir=data_dir).train


@pytest.fixture
def checkpoint(tmp_path, train):
    """(path, network, optimizer) of a run of one epoch that was saved."""
    network, optimizer = start()
    history = train_epochs(network, train, optimizer, [1])
    path = tmp_path / "run.pt"
    save_checkpoint(path, network, optimizer, epoch=1, history=history)
    return path, network, optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_round_trip(name, train, tmp_path):
    network, optimizer = start(name)
    history = train_epochs(network, train, optimizer, [1])
    save_checkpoint(tmp_path / "new" / "folder" / "run.pt", network, optimizer, epoch=1, history=history)
    saved = everything(network, optimizer)

    other, other_optimizer = start(name, seed=99)
    returned = load_checkpoint(tmp_path / "new" / "folder" / "run.pt", other, other_optimizer)
    assert same(everything(other, other_optimizer), saved)
    assert returned["epoch"] == 1
    assert History(**returned["history"]) == history
    assert os.listdir(tmp_path / "new" / "folder") == ["run.pt"], "a temporary file was left"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_and_two_epochs_equal_four(name, train, tmp_path):
    whole, optimizer = start(name)
    train_epochs(whole, train, optimizer, [1, 2, 3, 4])
    expected = everything(whole, optimizer)

    half, optimizer = start(name)
    train_epochs(half, train, optimizer, [1, 2])
    save_checkpoint(tmp_path / "half.pt", half, optimizer, epoch=2)
    resumed, optimizer = start(name, seed=99)
    load_checkpoint(tmp_path / "half.pt", resumed, optimizer)
    train_epochs(resumed, train, optimizer, [3, 4])
    assert same(everything(resumed, optimizer), expected)


def test_evaluating_or_loading_data_between_does_not_move_the_random_state(train):
    state = torch.get_rng_state()
    for _ in train:
        break
    assert torch.equal(torch.get_rng_state(), state)


def test_without_an_optimizer_the_weights_alone_are_loaded(checkpoint):
    path, network, _ = checkpoint
    other, _ = start(seed=7)
    state = torch.get_rng_state()
    load_checkpoint(path, other)
    assert same(other.state_dict(), network.state_dict())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_saved_learning_rate_comes_back(checkpoint):
    path, _, _ = checkpoint
    network, _ = start()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.5)
    load_checkpoint(path, network, optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.01


CHANGES = {
    "newer format": (lambda c: c.update(format=4), "has format 4, this course reads up to 3; update it"),
    "newer format, other keys": (lambda c: (c.update(format=4), c.pop("history")), "has format 4"),
    "no format": (lambda c: c.pop("format"), "is not a checkpoint of save_checkpoint"),
    "no random state": (lambda c: c.pop("random"), "without ['random']"),
    "a weight missing": (lambda c: c["model"].pop("fc1.bias"), "fc1.bias is missing"),
    "a weight too many": (lambda c: c["model"].update(fc3=torch.zeros(2)), "fc3 is not in this network"),
    "another shape": (
        lambda c: c["model"].update({"fc1.bias": torch.zeros(51)}),
        "fc1.bias is torch.float32 (51,), not torch.float32 (50,)",
    ),
    "another type": (
        lambda c: c["model"].update({"fc1.bias": torch.zeros(50).double()}),
        "torch.float64 (50,)",
    ),
    "not a tensor": (lambda c: c["model"].update({"fc1.bias": [0.0] * 50}), "fc1.bias is no tensor"),
    "a name that no tensor has": (lambda c: c["model"].update(note="mine"), "note is not in this network"),
    "a sparse tensor": (
        lambda c: c["model"].update({"fc1.bias": torch.zeros(50).to_sparse()}),
        "holds more than plain values (torch._utils _rebuild_sparse_tensor)",
    ),
    "no weights": (lambda c: c.update(model=None), "its model is none"),
    "an epoch that is none": (lambda c: c.update(epoch=-1), "its epoch is none"),
    "a step that is none": (lambda c: c.update(step="2"), "its step is none"),
    "a history that is none": (
        lambda c: c.update(history={"train_losses": 3}),
        "its train_losses is no list",
    ),
    "a schedule that is none": (lambda c: c.update(scheduler=[]), "its scheduler is none"),
    "a schedule where none is given": (lambda c: c.update(scheduler={}), "was saved with a learning rate"),
    "a list in the state of the optimizer": (
        lambda c: c["optimizer"]["state"][5].update(momentum_buffer=[torch.zeros(50)]),
        "momentum_buffer 5 is list, not (50,)",
    ),
    "a learning rate that is a tensor": (
        lambda c: c["optimizer"]["param_groups"][0].update(lr=torch.zeros(3)),
        "an option of it is of another kind",
    ),
    "NaN": (lambda c: c["model"]["conv1.bias"].fill_(float("nan")), "conv1.bias holds NaN"),
    "a momentum buffer of another shape": (
        lambda c: c["optimizer"]["state"][5].update(momentum_buffer=torch.zeros(49)),
        "momentum_buffer 5 is (49,), not (50,)",
    ),
    "no optimizer": (lambda c: c.update(optimizer=None), "its optimizer is none"),
    "a broken optimizer": (
        lambda c: c["optimizer"].pop("state"),
        "its optimizer or random state does not fit",
    ),
    "fewer tensors": (lambda c: c["optimizer"]["param_groups"][0].update(params=[0, 1]), "2 tensors, not 8"),
    "a broken random state": (
        lambda c: c["random"].update(cpu=torch.zeros(10, dtype=torch.uint8)),
        "its optimizer or random state does not fit",
    ),
    "a broken random state of another process": (
        lambda c: c["random"].update(others=[{"cpu": torch.zeros(10, dtype=torch.uint8), "cuda": []}]),
        "its optimizer or random state does not fit",
    ),
    "random states of other processes that are no list": (
        lambda c: c["random"].update(others=torch.zeros(3)),
        "its optimizer or random state does not fit",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_does_not_fit(checkpoint, change):
    path, *_ = checkpoint
    how, fragment = CHANGES[change]
    rewritten(path, how)
    refused(path, None, fragment=fragment)


def test_a_list_and_bare_weights(tmp_path):
    network, _ = start()
    torch.save([1, 2, 3], tmp_path / "list.pt")
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    for name in ("list.pt", "weights.pt"):
        refused(tmp_path / name, None, fragment="is not a checkpoint of save_checkpoint")


@pytest.mark.parametrize(("saved", "here"), [("SGD", "Adam"), ("Adam", "SGD")])
def test_another_kind_of_optimizer(saved, here, tmp_path):
    network, optimizer = start(saved)
    save_checkpoint(tmp_path / "run.pt", network, optimizer, epoch=0)
    refused(tmp_path / "run.pt", *start(here, seed=7), fragment="another kind of optimizer")


def test_what_is_saved_is_plain(checkpoint):
    path, network, optimizer = checkpoint
    content = read_checkpoint(path)
    assert list(content) == [
        *("format", "epoch", "step", "model", "optimizer", "scheduler", "random", "history", "data")
    ]
    assert content["format"] == 3
    assert content["step"] == 0
    assert type(content["history"]) is dict
    assert content["history"].keys() == asdict(History()).keys()
    assert all(type(loss) is float for loss in content["history"]["train_losses"])
    assert same(dict(content["model"]), dict(network.state_dict()))
    assert same(content["optimizer"], optimizer.state_dict())


@pytest.mark.parametrize(
    ("number", "lacked"), [(1, ["step", "scheduler", "data"]), (2, ["scheduler", "data"])]
)
def test_a_file_of_an_earlier_format_still_loads(checkpoint, number, lacked):
    """The first had no step, because it was saved at the end of an epoch."""
    path, network, _ = checkpoint
    rewritten(path, lambda c: (c.update(format=number), [c.pop(name) for name in lacked]))
    other, optimizer = start()
    assert load_checkpoint(path, other, optimizer)["step"] == 0
    assert same(dict(other.state_dict()), dict(network.state_dict()))


SCHEDULES = {
    "OneCycleLR": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=32),
    "MultiStepLR": lambda o: torch.optim.lr_scheduler.MultiStepLR(o, milestones=[10, 20]),
    "CosineAnnealingLR": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=32),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_comes_back(name, tmp_path):
    network, optimizer = start()
    scheduler = SCHEDULES[name](optimizer)
    for _ in range(13):
        optimizer.step()
        scheduler.step()
    save_checkpoint(tmp_path / "run.pt", network, optimizer, epoch=0, step=13, scheduler=scheduler)

    other, other_optimizer = start()
    other_scheduler = SCHEDULES[name](other_optimizer)
    load_checkpoint(tmp_path / "run.pt", other, other_optimizer, scheduler=other_scheduler)
    assert other_scheduler.state_dict() == scheduler.state_dict()
    assert other_optimizer.param_groups == [
        {**group, "params": list(other.parameters())} for group in optimizer.param_groups
    ]


@pytest.mark.parametrize(
    ("given", "fragment"),
    [
        (None, "saved with a learning rate schedule and is resumed without one"),
        ("MultiStepLR", "of another kind"),
        ("longer", "had total_steps 32, the one given has 64"),
    ],
)
def test_another_schedule(given, fragment, tmp_path):
    network, optimizer = start()
    save_checkpoint(
        tmp_path / "run.pt", network, optimizer, epoch=0, scheduler=SCHEDULES["OneCycleLR"](optimizer)
    )
    longer = {"longer": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=64)}
    network, optimizer = start(seed=7)
    scheduler = None if given is None else (SCHEDULES | longer)[given](optimizer)
    refused(tmp_path / "run.pt", network, optimizer, fragment, scheduler=scheduler)


def test_stopped_in_mid_epoch_and_resumed_equals_uninterrupted(tmp_path, data_dir):
    """Dropout, momentum, the order of the images and the history go on from batch 7 of epoch 2."""
    loaders = make_loaders(validation_size=59_000, data_dir=data_dir)

    class Stop(Exception):
        pass

    def train(network, optimizer, *, stop_at=None, **options):
        done = []

        def after_step(optimizer, args, kwargs):
            done.append(1)
            if len(done) == stop_at:
                save_checkpoint(tmp_path / "mid.pt", network, optimizer, epoch=1, step=7, history=history)
                raise Stop

        hook = optimizer.register_step_post_hook(after_step)
        history = options.pop("history", None) or History()
        for epoch in range(options.get("first_epoch", 1), 4):
            train_epoch(
                network,
                loaders.train,
                optimizer,
                epoch=epoch,
                first_step=options.pop("first_step", 0),
                history=history,
                log_interval=3,
                progress=False,
            )
        hook.remove()
        return history

    whole, whole_optimizer = start()
    expected = train(whole, whole_optimizer)

    stopped, stopped_optimizer = start()
    with pytest.raises(Stop):
        train(stopped, stopped_optimizer, stop_at=16 + 7)
    torch.manual_seed(99)
    resumed, optimizer = start()
    content = load_checkpoint(tmp_path / "mid.pt", resumed, optimizer)
    assert (content["epoch"], content["step"]) == (1, 7)
    history = train(resumed, optimizer, first_epoch=2, first_step=7, history=History(**content["history"]))
    assert same(dict(resumed.state_dict()), dict(whole.state_dict()))
    assert history == expected


@pytest.mark.parametrize("step", [-1, 1.5, True, "1"])
def test_a_step_that_is_none_is_refused(tmp_path, step):
    network, optimizer = start()
    with pytest.raises(ValueError, match=r"^step is "):
        save_checkpoint(tmp_path / "run.pt", network, optimizer, epoch=0, step=step)


@pytest.mark.parametrize("epoch", [-1, 1.5, True, "1"])
def test_an_epoch_that_is_none_is_refused(tmp_path, epoch):
    network, optimizer = start()
    with pytest.raises(ValueError, match=r"^epoch is "):
        save_checkpoint(tmp_path / "run.pt", network, optimizer, epoch=epoch)
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_saved(checkpoint):
    path, network, optimizer = checkpoint
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"not saved .*what stood there is unchanged"):
        save_checkpoint(path / "below_a_file.pt", network, optimizer, epoch=2)
    assert path.read_bytes() == before
    (path.parent / "folder.pt" / "full").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"not saved"):
        save_checkpoint(path.parent / "folder.pt", network, optimizer, epoch=2)
    assert {entry.name for entry in path.parent.iterdir()} == {"run.pt", "folder.pt"}, (
        "a temporary file was left"
    )
