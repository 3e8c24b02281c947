"""What lesson 6 leaves in its kernel and in its folder."""

FIGURES = 2

PROBE = """
import json
from mnist_helpers.checkpoints import read_checkpoint as read
resumed_file = read("checkpoints/lesson_06.pt")
print(json.dumps({
    "start": [start.name, read(start)["epoch"]],
    "saved_epoch": resumed_file["epoch"],
    "saved_history": {name: len(values) for name, values in resumed_file["history"].items()},
    "test_seen": history.test_seen,
    "train_seen_grows": all(a < b for a, b in zip(history.train_seen, history.train_seen[1:])),
    "accuracies": history.test_accuracies,
    "hits": [int(finished.stdout), hits_here],
    "device": str(next(continued.parameters()).device),
    "old_moved": not as_saved(network, saved_pair["network"]),
    "continued_moved": not as_saved(continued_network, saved_pair["network"]),
    "equal": equal,
    "drift": {name: values[0] for name, values in drift.items()},
    "losses": [values[1] for values in drift.values()],
    "moved": moved,
    "small": len(small.dataset),
    "flipped": [float(was), loaded],
    "accuracies_flipped": [evaluate(half, quick_test)[1], evaluate(victim, quick_test)[1]],
    "joins": [before, after],
    "written_out": [save_checkpoint.__module__, load_checkpoint.__module__],
    "scratch": folder.exists(),
    "files": sorted(path.name for path in Path("checkpoints").iterdir()),
    "labels": [left.get_xlabel(), left.get_ylabel(), right.get_xlabel()],
}))
"""


def verify(values):
    name, start = values["start"]
    assert (name, start) in (("lesson_03.pt", 3), ("lesson_06_start.pt", 1))
    assert values["saved_epoch"] == start + 5
    epochs = list(range(start + 6))
    assert values["test_seen"] == [60_000 * epoch for epoch in epochs]
    assert values["train_seen_grows"]
    lengths = values["saved_history"]
    assert lengths["test_losses"] == lengths["test_seen"] == lengths["test_accuracies"] == start + 6
    assert lengths["train_losses"] == lengths["train_seen"] == 94 * (start + 5)
    assert 0.05 < values["accuracies"][0] < 0.2
    assert 0.90 < values["accuracies"][start] < 0.985
    assert 0.965 < values["accuracies"][-1] < 0.995
    assert values["accuracies"][-1] > values["accuracies"][start]
    assert values["hits"][0] == values["hits"][1] > 850

    assert values["old_moved"] is True
    assert values["continued_moved"] is False
    assert values["equal"] == [True] * 8
    assert values["small"] == 6_000
    assert values["drift"]["nothing"] == 0
    omitted = [values["drift"][name] for name in ("optimizer's state", "random state", "place in the data")]
    assert all(0 < difference < 2 * values["moved"] for difference in omitted)
    assert all(0.25 < loss < 0.6 for loss in values["losses"])
    was, now = values["flipped"]
    assert 0 < was < 1
    assert now == was * 2.0**128
    before, after = values["accuracies_flipped"]
    assert before > 0.7
    assert after < before - 0.1
    before, after = values["joins"]
    assert 0.05 < after < before + 0.1

    assert values["written_out"] == ["__main__", "__main__"]
    assert values["scratch"] is False
    assert set(values["files"]) >= {"lesson_06.pt", name}
    assert all(values["labels"])
