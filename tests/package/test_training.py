"""The loop, its record, and the checks at its door; on a thousand real images."""

import copy

import pytest
import torch
from torch.nn import functional as F
from torch.optim import SGD

from mnist_helpers import History, Net, evaluate, fit, make_loaders, pick_device, set_seed, train_epoch


@pytest.fixture(scope="module")
def loaders(data_dir):
    """A thousand images to train on and another thousand to evaluate, for 59,000 would take their time."""
    made = make_loaders(validation_size=59_000, data_dir=data_dir)
    return made._replace(validation=make_loaders(validation_size=1000, data_dir=data_dir).validation)


@pytest.fixture
def network():
    set_seed(1)
    return Net()


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
    by_hand = copy.deepcopy(network)
    history = History()
    torch.manual_seed(3)
    train_epoch(network, loaders.train, sgd(network), epoch=2, history=history, progress=False)

    optimizer = sgd(by_hand)
    losses = []
    torch.manual_seed(3)
    by_hand.train()
    loaders.train.sampler.set_epoch(2)
    for images, labels in loaders.train:
        optimizer.zero_grad()
        loss = F.nll_loss(F.log_softmax(by_hand(images), dim=1), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    for ours, theirs in zip(network.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert history.train_seen == [1000, 1640]  # batches 0 and 10 of the second epoch of 1,000 images
    assert history.train_losses == pytest.approx(losses[::10], abs=1e-6)


def test_evaluate_counts_every_image_once_and_weighs_the_last_batch_fairly(network, data_dir):
    loaders = make_loaders(test_batch_size=333, validation_size=59_000, data_dir=data_dir)
    loss, accuracy = evaluate(network, loaders.test)
    data = loaders.test.dataset
    with torch.no_grad():
        logits = network(data.images)
    assert loss == pytest.approx(F.cross_entropy(logits, data.labels).item(), abs=1e-5)
    assert accuracy == (logits.argmax(dim=1) == data.labels).sum().item() / 10_000


def test_evaluate_changes_nothing_and_switches_dropout_off(network, loaders):
    before = copy.deepcopy(network.state_dict())
    network.train()
    assert evaluate(network, loaders.validation) == evaluate(network, loaders.validation)
    assert not network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_an_untrained_network_guesses(network, loaders):
    loss, accuracy = evaluate(network, loaders.test)
    assert 2.25 < loss < 2.35  # ln 10 = 2.303
    assert 0.03 < accuracy < 0.25


def test_fit_learns_and_records(network, loaders, capsys):
    history = fit(network, loaders, sgd(network, lr=0.05), epochs=3, progress=False)
    assert history.test_seen == [0, 1000, 2000, 3000]
    assert history.train_seen == [0, 640, 1000, 1640, 2000, 2640]
    assert len(history.train_losses) == 6
    assert history.test_losses[-1] < history.test_losses[0] - 0.3
    assert history.test_accuracies[-1] > 0.5
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"epoch {n}" for n in range(4)]
    assert all("validation loss" in line and "validation accuracy" in line for line in lines)


def test_fit_says_test_when_there_is_no_split(network, data_dir, capsys):
    whole = make_loaders(data_dir=data_dir)
    short = whole._replace(train=make_loaders(validation_size=59_900, data_dir=data_dir).train)
    fit(network, short, sgd(network), epochs=1, progress=False)
    assert "test accuracy" in capsys.readouterr().out


def test_fit_goes_on_where_a_history_ends(network, loaders):
    optimizer = sgd(network)
    history = fit(network, loaders, optimizer, epochs=1, progress=False)
    longer = fit(network, loaders, optimizer, epochs=2, first_epoch=2, history=history, progress=False)
    assert longer is history
    assert longer.test_seen == [0, 1000, 2000, 3000]
    assert longer.train_seen == [0, 640, 1000, 1640, 2000, 2640]


def test_log_is_given_what_the_history_is(network, loaders):
    """Called as a tracker's log is: a dict of names and numbers, and the step by name."""
    calls = []

    def log(values, step):
        calls.append((step, values))

    history = fit(network, loaders, sgd(network), epochs=2, log=log, log_interval=8, progress=False)
    steps = [step for step, values in calls if "train/loss" in values]
    assert steps == [0, 8, 16, 24]  # 1,000 images are 16 batches
    assert [values["train/loss"] for _, values in calls if "train/loss" in values] == history.train_losses
    evaluated = [(step, values) for step, values in calls if "train/loss" not in values]
    assert [step for step, _ in evaluated] == [0, 16, 32]
    assert [values["validation/loss"] for _, values in evaluated] == history.test_losses
    assert [values["validation/accuracy"] for _, values in evaluated] == history.test_accuracies


def test_log_says_test_when_there_is_no_split(network, data_dir):
    short = make_loaders(data_dir=data_dir)._replace(
        train=make_loaders(validation_size=59_900, data_dir=data_dir).train
    )
    names = []
    fit(network, short, sgd(network), epochs=1, progress=False, log=lambda values, step: names.append(values))
    assert [sorted(values) for values in names] == [
        ["test/accuracy", "test/loss"],
        ["train/loss"],
        ["test/accuracy", "test/loss"],
    ]


def test_a_note_is_taken_before_the_step(network, loaders):
    """A checkpoint that is saved right after a step must hold the note of that step."""
    history, notes = History(), []
    optimizer = sgd(network)
    optimizer.register_step_post_hook(lambda *_: notes.append(len(history.train_losses)))
    train_epoch(network, loaders.train, optimizer, epoch=1, history=history, log_interval=1, progress=False)
    assert notes == list(range(1, 17))


@pytest.mark.parametrize("first_step", [5, 16])
def test_an_epoch_taken_up_again_leaves_out_what_was_done(network, loaders, first_step):
    """From its middle, and from its exact end, where nothing is left to train on."""
    loaders.train.sampler.set_epoch(2)
    expected = [labels for _, labels in loaders.train][first_step:]
    seen, history = [], History()
    network.register_forward_hook(lambda layer, given, out: seen.append(len(out)))
    train_epoch(
        network,
        loaders.train,
        sgd(network),
        epoch=2,
        first_step=first_step,
        history=history,
        log_interval=8,
        progress=False,
    )
    assert seen == [len(labels) for labels in expected]
    assert history.train_seen == ([1512] if first_step == 5 else [])  # batch 8 of the second epoch


def test_only_the_first_epoch_of_fit_starts_in_its_middle(network, loaders):
    batches = []
    network.register_forward_hook(lambda layer, given, out: batches.append(layer.training))
    fit(network, loaders, sgd(network), epochs=2, first_step=10, progress=False)
    assert sum(batches) == 6 + 16


def test_fit_refuses_an_option_that_train_epoch_does_not_have(network, loaders):
    with pytest.raises(TypeError, match="log_intervall"):
        fit(network, loaders, sgd(network), log_intervall=5, progress=False)


def test_fit_refuses_an_optimizer_of_another_network(network, loaders):
    with pytest.raises(ValueError, match="holds 0 of this network's 8 parameter tensors and 8 of another's"):
        fit(network, loaders, sgd(Net()))


def test_fit_refuses_an_optimizer_of_half_the_network(network, loaders):
    with pytest.raises(ValueError, match="holds 2 of this network's 8"):
        fit(network, loaders, SGD(network.fc2.parameters(), lr=0.1))


def test_a_frozen_layer_may_be_left_out(network, loaders):
    network.conv1.requires_grad_(False)
    chosen = [parameter for parameter in network.parameters() if parameter.requires_grad]
    before = network.conv1.weight.clone()
    fit(network, loaders, SGD(chosen, lr=0.01), epochs=1, progress=False)
    assert torch.equal(network.conv1.weight, before)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"epochs": 0}, "epochs is 0; allowed is 1 or more"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"first_epoch": 0}, "first_epoch is 0; allowed is 1 or more"),
    ],
)
def test_wrong_arguments_are_named_before_any_work(network, loaders, arguments, named, capsys):
    with pytest.raises(ValueError, match=named):
        fit(network, loaders, sgd(network), **arguments)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("lr", [0.0, float("nan"), float("inf")])
def test_a_learning_rate_that_cannot_train_is_refused(network, loaders, lr):
    with pytest.raises(ValueError, match=r"lr is .*; allowed is a finite number above 0"):
        fit(network, loaders, sgd(network, lr=lr))


def test_the_bar_goes_to_stdout_and_leaves_no_line(network, loaders, capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE")
    train_epoch(network, loaders.train, sgd(network), epoch=1, history=History())
    said = capsys.readouterr()
    assert said.err == ""
    assert "\n" not in said.out
