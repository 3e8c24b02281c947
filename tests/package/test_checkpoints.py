"""A resume equals never having stopped, and a file that cannot be used changes nothing."""

import os
import random
from dataclasses import asdict

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, lr_scheduler
from torch.utils.data import DataLoader

from mnist_helpers import CheckpointError, History, load_checkpoint, save_checkpoint, train_epoch
from mnist_helpers.checkpoints import read_checkpoint
from mnist_helpers.running.resuming import WatchedLoader, fit_and_save
from tests.support.checkpoints import (
    BATCHES,
    OPTIMIZERS,
    Small,
    everything,
    having,
    loaders_of,
    refused,
    run,
    same,
    start,
)


@pytest.fixture
def path(tmp_path):
    """The file of a run of one epoch."""
    run(tmp_path / "run.pt", epochs=1)
    return tmp_path / "run.pt"


# By hand, as lesson 6 does it


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_by_hand_in_the_middle_of_an_epoch(name, tmp_path):
    """From batch 7 of epoch 2 on, everything is as if nothing had happened."""
    path, loaders, history = tmp_path / "new" / "folder" / "run.pt", loaders_of(), History()
    network, optimizer = start(name)

    def save_once():
        if len(history.train_losses) == BATCHES + 7:
            save_checkpoint(path, network, optimizer, loaders, history)

    for _ in range(3):
        train_epoch(network, WatchedLoader(loaders.train, save_once), optimizer, history)
    assert os.listdir(path.parent) == ["run.pt"], "a temporary file was left"

    (resumed, its_optimizer), its_loaders = start(name, seed=99), loaders_of()
    going_on = History(**load_checkpoint(path, resumed, its_optimizer, its_loaders)["history"])
    assert going_on.seen == 250 + 7 * 16
    assert its_loaders.train.sampler.state_dict() == {"seed": 1, "size": 250, "epoch": 2, "taken": 7 * 16}
    for _ in range(2):
        train_epoch(resumed, its_loaders.train, its_optimizer, going_on)
    assert going_on == history
    assert same(everything(resumed, its_optimizer, its_loaders), everything(network, optimizer, loaders))


def test_what_is_saved_is_plain(tmp_path):
    (network, optimizer), loaders, history = start(), loaders_of(), History()
    train_epoch(network, loaders.train, optimizer, history)
    save_checkpoint(tmp_path / "run.pt", network, optimizer, loaders, history)
    content = read_checkpoint(tmp_path / "run.pt")
    assert list(content) == ["format", "model", "optimizer", "sampler", "random", "history"]
    assert content["format"] == 4
    assert content["history"] == asdict(history)
    assert content["sampler"] == {"seed": 1, "size": 250, "epoch": 2, "taken": 0}
    other = start(seed=99)
    load_checkpoint(tmp_path / "run.pt", *other, loaders)
    assert same(everything(*other, loaders), everything(network, optimizer, loaders))


def test_without_an_optimizer_the_weights_alone_are_loaded(path):
    network, optimizer = start(seed=7)
    before = everything(network, optimizer)
    content = load_checkpoint(path, network)
    after = everything(network, optimizer)
    assert same(after.pop("model"), dict(content["model"]))
    assert not same(before.pop("model"), dict(content["model"]))
    assert same(after, before)


def test_where_nothing_can_be_saved(path):
    before = path.read_bytes()
    (path.parent / "folder.pt" / "full").mkdir(parents=True)
    for target in (path / "below_a_file.pt", path.parent / "folder.pt"):
        with pytest.raises(CheckpointError, match=r"not saved .*what stood there is unchanged"):
            save_checkpoint(target, *start(), loaders_of(), History())
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == ["folder.pt", "run.pt"], "a temporary file was left"


# With fit_and_save: stopped at any batch, it ends equal to a run that was never stopped


def assert_a_resume_equals_never_stopped(name, folder, **parts):
    """Stop at a batch that the name draws, go on from another seed, and compare all that is saved."""
    run(folder / "whole.pt", **parts)
    run(folder / "run.pt", **parts, stop_at=random.Random(name).randint(1, 2 * BATCHES - 1))
    run(folder / "run.pt", **parts, seed=99)
    whole, resumed = (read_checkpoint(folder / file) for file in ("whole.pt", "run.pt"))
    for part in whole:
        assert same(resumed[part], whole[part]), part


def flat():
    """A network whose only weights are a matrix."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False))


NAMED = {name: getattr(torch.optim, name) for name in dir(torch.optim)}
EVERY = {
    name: kind
    for name, kind in NAMED.items()
    if isinstance(kind, type)
    and issubclass(kind, torch.optim.Optimizer)
    and kind is not torch.optim.Optimizer
}
OWN_LOOP = ("LBFGS", "SparseAdam")
VARIANTS = {
    "SGD, Nesterov": lambda tensors: SGD(tensors, lr=0.01, momentum=0.9, nesterov=True),
    "Adam, the rate a tensor": lambda tensors: Adam(tensors, lr=torch.tensor(0.001), amsgrad=True),
    "RMSprop, centered": lambda tensors: torch.optim.RMSprop(tensors, lr=0.001, centered=True, momentum=0.5),
    "two groups": lambda tensors: Adam([{"params": [next(tensors)], "lr": 0.01}, {"params": [*tensors]}]),
}


@pytest.mark.parametrize("name", [*(name for name in EVERY if name not in OWN_LOOP), *VARIANTS])
def test_with_every_optimizer_of_torch(name, tmp_path):
    """Those with an option that adds a buffer too; a new one in torch.optim is met here."""
    optimizer, network = (EVERY | VARIANTS)[name], Small
    try:
        optimizer(Small().parameters())
    except ValueError:  # as Muon, which takes matrices alone
        network = flat
    assert_a_resume_equals_never_stopped(name, tmp_path, optimizer=optimizer, network=network)


@pytest.mark.parametrize("name", OWN_LOOP)
def test_an_optimizer_with_a_loop_of_its_own_is_refused_at_once(name, tmp_path, capsys):
    with pytest.raises(ValueError, match=f"^{name} needs a training loop of its own; allowed is"):
        run(tmp_path / "run.pt", optimizer=EVERY[name])
    assert capsys.readouterr().out == "", "it was evaluated"
    assert os.listdir(tmp_path) == []


SCHEDULES = {
    "OneCycleLR": lambda optimizer: lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=2 * BATCHES),
    "MultiStepLR": lambda optimizer: lr_scheduler.MultiStepLR(optimizer, milestones=[10, 20]),
    "CosineAnnealingLR": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=2 * BATCHES),
    "a warm-up from 0": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 10, 1)),
    "two in a row": lambda optimizer: lr_scheduler.SequentialLR(
        optimizer,
        [lr_scheduler.LinearLR(optimizer, 0.1, total_iters=9), lr_scheduler.ExponentialLR(optimizer, 0.9)],
        milestones=[9],
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_with_a_schedule(name, tmp_path):
    assert_a_resume_equals_never_stopped(name, tmp_path, schedule=SCHEDULES[name])


OTHER_SCHEDULES = [
    (None, "saved with a learning rate schedule and is resumed without one"),
    ("MultiStepLR", "its learning rate schedule is of another kind"),
    ("longer", "had total_steps 32, the one given has 64; build what the run was started with"),
]
LONGER = {"longer": lambda optimizer: lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=64)}


@pytest.mark.parametrize(("given", "said"), OTHER_SCHEDULES)
def test_another_schedule_is_refused(given, said, path):
    os.remove(path)
    run(path, epochs=1, schedule=SCHEDULES["OneCycleLR"])
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match=said):
        run(path, schedule=(SCHEDULES | LONGER).get(given))
    assert path.read_bytes() == content
    having(scheduler=[])(path)
    with pytest.raises(CheckpointError, match="schedule"):
        run(path, schedule=(SCHEDULES | LONGER).get(given))


def test_a_rate_that_the_run_itself_changes(tmp_path):
    """Halved after 9 and after 18 steps, however often the run was stopped."""

    def halving(tensors):
        def halve(optimizer, *_):
            steps = {int(state["step"]) for state in optimizer.state.values()}
            optimizer.param_groups[0]["lr"] /= 2 if steps <= {9, 18} else 1

        optimizer = Adam(tensors, lr=0.008)
        optimizer.register_step_post_hook(halve)
        return optimizer

    assert_a_resume_equals_never_stopped("halving", tmp_path, optimizer=halving)
    assert read_checkpoint(tmp_path / "run.pt")["optimizer"]["param_groups"][0]["lr"] == 0.002


def test_the_saved_rate_goes_on_and_lr_asks_for_another(path, capsys):
    def rate(**options):
        _, optimizer, _ = run(path, optimizer=lambda tensors: SGD(tensors, 0.5, momentum=0.5), **options)
        return optimizer.param_groups[0]["lr"]

    assert rate(epochs=2) == 0.01
    assert "learning rate" not in capsys.readouterr().out
    assert rate(epochs=3, lr=0.003) == 0.003
    assert "note: learning rate 0.01 until here, 0.003 from here on\n" in capsys.readouterr().out
    assert rate(epochs=4) == 0.003, "it is saved"
    with pytest.raises(ValueError, match="lr is set by the scheduler; leave one of the two out"):
        rate(epochs=5, lr=0.003, schedule=SCHEDULES["MultiStepLR"])
    for wrong in (0, -1.0, float("nan")):
        content = path.read_bytes()
        with pytest.raises(ValueError, match=r"the optimizer's lr is .*; allowed is a finite number above 0"):
            rate(epochs=5, lr=wrong)
        with pytest.raises(ValueError, match="epochs is 0; allowed is 1 or more"):
            rate(epochs=0)
        assert path.read_bytes() == content


@pytest.mark.parametrize("options", [{"shuffle": True}, {"workers": True}])
def test_loaders_whose_order_cannot_be_resumed(options, tmp_path, capsys):
    """Worker processes take batches in advance, which would be skipped."""
    train = loaders_of().train
    if "workers" in options:
        options = {"sampler": train.sampler, "num_workers": 2, "collate_fn": train.collate_fn}
    loaders = loaders_of()._replace(train=DataLoader(train.dataset, 16, **options))
    with pytest.raises(
        ValueError, match="the order of these loaders cannot be resumed; use those of make_lo"
    ):
        run(tmp_path / "run.pt", loaders=loaders)
    assert capsys.readouterr().out == ""
    assert os.listdir(tmp_path) == []


def test_a_history_that_is_given_is_told_from_the_beginning(path):
    class Told(History):
        told = 0

        def add_batch(self, loss, count):
            super().add_batch(loss, count)
            self.told += 1

    (network, optimizer), history = start(seed=7), Told()
    assert fit_and_save(path, network, loaders_of(), optimizer, epochs=2, history=history) is history
    assert history.told == BATCHES
    assert len(history.train_losses) == 2 * BATCHES
    assert history.test_seen == [0, 250, 500]
    with pytest.raises(ValueError, match=r"history already holds a run, and .*new\.pt does not exist"):
        fit_and_save(path.with_name("new.pt"), network, loaders_of(), optimizer, epochs=2, history=history)
    assert not path.with_name("new.pt").exists()


def test_a_network_that_cannot_be_copied_resumes(path):
    """It keeps what it computed, and a hook of it belongs to an object with an open file."""

    class Recorder:
        def __init__(self, network):
            self.file = open(os.devnull)  # noqa: SIM115
            network.register_forward_hook(self.note)

        def note(self, layer, given, out):
            layer.kept = out

    network, optimizer = start(seed=7)
    recorder = Recorder(network)
    network(torch.zeros(2, 1, 28, 28))
    with recorder.file:
        history = fit_and_save(path, network, loaders_of(), optimizer, epochs=2)
    assert history.test_seen == [0, 250, 500]


# Files that do not fit

ODD = "is not a checkpoint of save_checkpoint"
NO_FIT = "its optimizer or random state does not fit"
SHORT, NAN = torch.zeros(10, dtype=torch.uint8), torch.full((10,), float("nan"))
FIRST = ("optimizer", "state", 5)
CHANGES = {
    "no format": (having(format=...), ODD),
    "a format in words": (having(format="4"), "has format 4, this course reads up to 4; update it"),
    "no random state": (having(random=...), f"{ODD} (random is not a dict)"),
    "no weights": (having(model=None), f"{ODD} (model is not a dict)"),
    "no optimizer": (having(optimizer=None), f"{ODD} (optimizer is not a dict)"),
    "no place": (having(sampler=...), f"{ODD} (sampler is not a dict)"),
    "no history": (having(history=...), f"{ODD} (history is not a dict)"),
    "losses that are no list": (having("history", train_losses=3), f"{ODD} (history, train_losses)"),
    "a count that is a list": (having("history", seen=[3]), f"{ODD} (history, seen)"),
    "a place that is none": (having("sampler", taken=-1), f"{ODD} (sampler, taken)"),
    "an epoch that is none": (having("sampler", epoch=0), f"{ODD} (sampler, epoch)"),
    "an epoch in words": (having("sampler", epoch="1"), f"{ODD} (sampler, epoch)"),
    "a place beyond the end": (having("sampler", taken=251), "a resume would repeat or skip images"),
    "a weight missing": (having("model", **{"6.bias": ...}), "6.bias is missing"),
    "a weight too many": (having("model", more=torch.zeros(2)), "more is not in this network"),
    "a name that no tensor has": (having("model", note="mine"), "note is not in this network"),
    "another shape": (having("model", **{"6.bias": torch.zeros(9)}), "(9,), not torch.float32 (10,)"),
    "another type": (
        having("model", **{"6.bias": torch.zeros(10).double()}),
        "6.bias is torch.float64 (10,)",
    ),
    "not a tensor": (
        having("model", **{"6.bias": [0.0] * 10}),
        "6.bias is not a tensor of numbers in memory",
    ),
    "a sparse tensor": (
        having("model", **{"6.bias": torch.zeros(10).to_sparse()}),
        "holds more than plain values (torch._utils _rebuild_sparse_tensor)",
    ),
    "a weight that is NaN": (having("model", **{"6.bias": NAN}), "6.bias holds NaN or infinity"),
    "a buffer that is NaN": (having(*FIRST, momentum_buffer=NAN), "momentum_buffer 5 holds NaN or infinity"),
    "a buffer of another shape": (having(*FIRST, momentum_buffer=torch.zeros(9)), "5 is (9,), not (10,)"),
    "a list for a buffer": (having(*FIRST, momentum_buffer=[NAN]), "momentum_buffer 5 is list, not (10,)"),
    "a buffer too many": (having(*FIRST, more=NAN), "tensor 5 has ['momentum_buffer', 'more'], not ['mom"),
    "a rate that is a tensor": (
        having("optimizer", "param_groups", 0, lr=torch.zeros(3)),
        "its option lr is of another kind",
    ),
    "a rate that is NaN": (having("optimizer", "param_groups", 0, lr=float("nan")), "its option lr"),
    "a broken optimizer": (having("optimizer", state=...), NO_FIT),
    "fewer tensors": (having("optimizer", "param_groups", 0, params=[0, 1]), "it has 2 tensors, not 6"),
    "no groups": (having("optimizer", param_groups=[]), "it has another number of parameter groups"),
    "a broken random state": (having("random", cpu=SHORT), NO_FIT),
    "a broken one of another process": (having("random", others=[{"cpu": SHORT, "cuda": []}]), NO_FIT),
    "random states that are no list": (having("random", others=NAN), "processes are not a list"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_does_not_fit(change, path):
    how, said = CHANGES[change]
    how(path)
    refused(path, said)


def test_a_list_bare_weights_and_a_history_of_others(path):
    for content in ([1, 2, 3], Small().state_dict()):
        torch.save(content, path)
        refused(path, ODD)
    run(path.with_name("other.pt"), epochs=1)
    having("history", mine=[1])(path.with_name("other.pt"))
    with pytest.raises(CheckpointError, match="its history is not one of this course"):
        run(path.with_name("other.pt"))


@pytest.mark.parametrize(("saved", "here"), [("SGD", "Adam"), ("Adam", "SGD")])
def test_another_kind_of_optimizer(saved, here, tmp_path):
    save_checkpoint(tmp_path / "run.pt", *start(saved), loaders_of(), History())
    parts = *start(here, seed=7), loaders_of()
    refused(tmp_path / "run.pt", "it was saved by another kind of optimizer", parts=parts)
