"""The loop, its record, and the checks at its door."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from mnist_helpers import History, Net, evaluate, fit, make_loaders, pick_device, set_seed, train_epoch
from tests.support.checkpoints import BATCHES, Small, loaders_of

SEEN = [*range(0, 250, 16)]  # before each batch of an epoch


@pytest.fixture
def loaders():
    return loaders_of()


@pytest.fixture
def network():
    set_seed(1)
    return Small()


def sgd(network, lr=0.01):
    return SGD(network.parameters(), lr=lr, momentum=0.5)


def test_pick_device_finds_one_that_works():
    device = pick_device()
    assert torch.ones(2, device=device).sum().item() == 2
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "meta", None])
def test_pick_device_names_an_unknown_device_and_what_is_allowed(name):
    with pytest.raises(ValueError, match=r"device is .*; allowed on this machine is auto, .*cpu"):
        pick_device(name)


def test_set_seed_repeats_weights_and_dropout():
    def draw():
        set_seed(5)
        return torch.cat([Net().fc1.weight.flatten(), F.dropout(torch.ones(100))])

    assert torch.equal(draw(), draw())
    with pytest.raises(ValueError, match="seed is -3"):
        set_seed(-3)


def test_train_epoch_is_the_loop_written_out(network, loaders):
    """The same epoch by hand: equal bit for bit, dropout included."""
    by_hand, history, losses = copy.deepcopy(network), History(), []
    network.eval()  # as an evaluation leaves it
    torch.manual_seed(3)
    train_epoch(network, loaders.train, sgd(network), history)

    optimizer = sgd(by_hand)
    torch.manual_seed(3)
    by_hand.train()
    loaders.train.sampler.set_epoch(1)
    for images, labels in loaders.train:
        optimizer.zero_grad()
        loss = F.nll_loss(F.log_softmax(by_hand(images), dim=1), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for name, ours in network.state_dict().items():
        assert torch.equal(ours, by_hand.state_dict()[name]), name
    assert network.training
    assert history == History(250, SEEN, pytest.approx(losses, abs=1e-6))


def test_evaluate_counts_every_image_once_and_weighs_the_last_batch_fairly(network, loaders):
    data = loaders.test.dataset
    loss, accuracy = evaluate(
        network, DataLoader(TensorDataset(data.images, data.labels), 33)
    )  # the last has 1
    with torch.no_grad():
        logits = network(data.images)
    assert loss == pytest.approx(F.cross_entropy(logits, data.labels).item(), abs=1e-5)
    assert accuracy == (logits.argmax(dim=1) == data.labels).sum().item() / 100


def test_evaluate_changes_nothing_and_switches_dropout_off(network, loaders):
    before = copy.deepcopy(network.state_dict())
    network.train()
    assert evaluate(network, loaders.test) == evaluate(network, loaders.test)
    assert not network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_an_untrained_network_guesses_and_learns(data_dir):
    """From a thousand of MNIST's images, read on a thousand others."""
    set_seed(1)
    network, loaders = Net(), make_loaders(validation_size=59_000, data_dir=data_dir)
    loaders = loaders._replace(validation=None, test=[next(iter(loaders.test))])
    history = fit(network, loaders, sgd(network, lr=0.05), epochs=3)
    assert 2.25 < history.test_losses[0] < 2.35  # ln 10 = 2.303
    assert 0.03 < history.test_accuracies[0] < 0.25
    assert history.test_losses[-1] < history.test_losses[0] - 0.3
    assert history.test_accuracies[-1] > 0.5
    assert history.test_seen == [0, 1000, 2000, 3000]
    assert history.seen == 3000
    assert len(history.train_losses) == 48


@pytest.mark.parametrize("name", ["test", "validation"])
def test_fit_says_what_it_evaluates_on(name, network, loaders, capsys):
    """The validation set where there is one; the test set is left alone then."""
    if name == "validation":
        loaders = loaders._replace(validation=loaders.test, test=None)
    history = fit(network, loaders, sgd(network), epochs=2)
    expected = zip(history.test_losses, history.test_accuracies, strict=True)
    said = [f"epoch {n}: {name} loss {a:.4f}, {name} accuracy {b:.2%}" for n, (a, b) in enumerate(expected)]
    assert capsys.readouterr().out.splitlines() == said


def test_fit_goes_on_where_a_history_ends(network, loaders):
    """With any object that is told: a tracker's log needs no more (lesson 9)."""
    optimizer, told = sgd(network), []

    class Told(History):
        def add_batch(self, loss, count):
            super().add_batch(loss, count)
            told.append(count)

        def add_evaluation(self, loss, accuracy):
            super().add_evaluation(loss, accuracy)
            told.append("evaluated")

    history = fit(network, loaders, optimizer, epochs=1, history=Told())
    assert fit(network, loaders, optimizer, epochs=2, history=history) is history
    assert told == ["evaluated", *([16] * 15 + [10, "evaluated"]) * 3]
    assert history.test_seen == [0, 250, 500, 750]
    assert history.train_seen == [250 * epoch + seen for epoch in range(3) for seen in SEEN]
    assert loaders.train.sampler.state_dict()["epoch"] == 4


def test_fit_takes_an_ordinary_loader(network, loaders):
    """Any loader of images and labels will do, as long as nothing is to be resumed."""
    data = loaders.train.dataset
    ordinary = DataLoader(TensorDataset(data.images, data.labels), batch_size=50, shuffle=True)
    history = fit(network, SimpleNamespace(train=ordinary, validation=None, test=loaders.test), sgd(network))
    assert history.train_seen == [*range(0, 750, 50)]
    assert history.test_seen == [0, 250, 500, 750]


def test_a_pass_that_an_error_broke_off_is_followed_by_a_whole_one(network, loaders):
    def fail(layer, given):
        if layer.training and len(history.train_losses) == 5:
            raise RuntimeError("in batch 5")

    history = History()
    hook = network.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="in batch 5"):
        train_epoch(network, loaders.train, sgd(network), history)
    hook.remove()
    train_epoch(network, loaders.train, sgd(network), history)
    assert len(history.train_losses) == 5 + BATCHES


@pytest.mark.parametrize(
    ("optimizer", "named"),
    [
        (lambda network: sgd(Small()), "holds 0 of this network's 6 parameter tensors and 6 of another's"),
        (lambda network: SGD(network[6].parameters(), lr=0.1), "holds 2 of this network's 6"),
        (lambda network: sgd(network, lr=0.0), "lr is 0.0; allowed is a finite number above 0"),
        (lambda network: sgd(network, lr=float("nan")), "lr is nan; allowed is a finite number above 0"),
        (lambda network: sgd(network, lr=float("inf")), "lr is inf; allowed is a finite number above 0"),
    ],
)
def test_an_optimizer_that_cannot_train_is_named_before_any_work(optimizer, named, network, loaders, capsys):
    with pytest.raises(ValueError, match=named):
        fit(network, loaders, optimizer(network))
    assert capsys.readouterr().out == ""


def test_a_frozen_layer_may_be_left_out(network, loaders):
    network[0].requires_grad_(False)
    chosen = [parameter for parameter in network.parameters() if parameter.requires_grad]
    before = network[0].weight.clone()
    fit(network, loaders, SGD(chosen, lr=0.01), epochs=1)
    assert torch.equal(network[0].weight, before)


def test_the_bar_goes_to_stdout_and_leaves_no_line(network, loaders, capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE")
    train_epoch(network, loaders.train, sgd(network), History())
    said = capsys.readouterr()
    assert said.err == ""
    assert "\n" not in said.out
