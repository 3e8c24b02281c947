"""What lesson 3 leaves in its kernel and in its folder."""

FIGURES = 6

PROBE = """
import json
from mnist_helpers.checkpoints import read_checkpoint
stored = read_checkpoint(path)
again = Net()
again.load_state_dict(stored["model"])
definitions = (History, train_epoch, evaluate, fit)
print(json.dumps({
    "gradients": [by_hand, weight.grad.item(), finite - exact],
    "plain": plain,
    "with_momentum": with_momentum,
    "sgd_difference": difference,
    "hand_moved": max((a - b).abs().max().item() for a, b in zip(mine.parameters(), net.parameters())),
    "losses": [losses[0], forgetful_losses[0], last, forgetful, len(losses)],
    "early": [sum(losses[20:60]) / 40, sum(forgetful_losses[20:60]) / 40],
    "twice": [torch.equal(first_look, second_look), torch.equal(third_look, fourth_look)],
    "modes": [shares_by_mode[True], shares_by_mode[False]],
    "device": [str(next(network.parameters()).device.type), device.type],
    "converted": [str(kernels.dtype), changed],
    "written_out": [definition.__module__ for definition in definitions],
    "untrained": [untrained_loss, untrained],
    "baseline": baseline,
    "history": {name: len(values) for name, values in vars(history).items()},
    "train_seen": history.train_seen[:2] + history.train_seen[-1:],
    "test_seen": history.test_seen,
    "accuracies": history.test_accuracies,
    "test_losses": history.test_losses,
    "six": [before, after, six_labels],
    "stored": [stored["epoch"], len(stored["history"]["train_losses"]), path.as_posix()],
    "stored_accuracy": evaluate(again, loaders.test)[1],
    "parameters": sum(p.numel() for p in network.parameters()),
    "training": network.training,
    "labels": [axis.get_xlabel(), curve.get_xlabel(), curve.get_ylabel()],
}))
"""


def verify(values):
    by_hand, autograd, wobbled = values["gradients"]
    assert by_hand == autograd == -6.75
    assert abs(wobbled) < 1e-6
    verify_descent(values)
    verify_switches(values)
    verify_training(values)
    assert values["written_out"] == ["__main__"] * 4
    assert all(values["labels"])


def verify_descent(values):
    for path, expected in [("plain", [0.5, 1.175, 1.54625]), ("with_momentum", [0.5, 1.175, 1.88375])]:
        assert len(values[path]) == 7
        assert all(abs(a - b) < 1e-9 for a, b in zip(values[path], expected, strict=False))
    assert values["sgd_difference"] < 1e-12
    assert values["hand_moved"] > 1e-5
    first, forgetful_first, last, forgetful, count = values["losses"]
    assert first == forgetful_first
    assert count == 200
    assert last < 1.6
    assert 2.2 < forgetful < 2.6
    assert values["early"][1] < values["early"][0]


def verify_switches(values):
    assert values["twice"] == [False, True]
    training, evaluation = values["modes"]
    assert len(set(evaluation)) == 1
    assert max(training) < min(evaluation) - 0.05
    assert values["device"][0] == values["device"][1]
    assert values["converted"] == ["torch.float64", 0]  # changed: in evaluation mode no guess differs


def verify_training(values):
    loss, untrained = values["untrained"]
    assert 2.2 < loss < 2.5
    assert 0.01 < untrained < 0.3
    assert abs(values["baseline"] - 0.82) < 0.005
    assert values["history"] == {
        "train_seen": 282,
        "train_losses": 282,
        "test_seen": 4,
        "test_losses": 4,
        "test_accuracies": 4,
    }
    assert values["train_seen"] == [0, 640, 120_000 + 930 * 64]
    assert values["test_seen"] == [0, 60_000, 120_000, 180_000]
    accuracies = values["accuracies"]
    assert accuracies[0] == untrained
    assert 0.92 < accuracies[1] < 0.96
    assert 0.955 < accuracies[3] < 0.985
    assert values["test_losses"][3] < values["test_losses"][1] < 0.3
    before, after, labels = values["six"]
    assert labels == [7, 2, 1, 0, 4, 1]
    assert sum(a == b for a, b in zip(after, labels, strict=True)) >= 5
    assert before != after
    assert values["stored"] == [3, 282, "checkpoints/lesson_03.pt"]
    assert abs(values["stored_accuracy"] - accuracies[3]) < 0.001
    assert values["parameters"] == 21_840
    assert values["training"] is False
