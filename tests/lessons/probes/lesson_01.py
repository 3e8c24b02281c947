"""What the kernel of lesson 1 must hold when its last cell has run."""

FIGURES = 7

PROBE = """
import json

print(json.dumps({
    "shapes": [list(part.shape) for digits in (train, test) for part in digits],
    "dtypes": [str(part.dtype) for digits in (train, test) for part in digits],
    "counts": [train_counts.tolist(), test_counts.tolist()],
    "hundred": [list(hundred.shape), hundred.dtype == torch.uint8],
    "means": [list(means.shape), means.min().item(), means.max().item(), means.mean().item() / 255],
    "normalising": [mean, std],
    "scaled": [scaled.min().item(), scaled.max().item(), scaled.mean().item(), scaled.std().item()],
    "axes": [axis.get_xlabel() for axis in (*axes, whole, part)] + [axes[0].get_ylabel(), whole.get_ylabel()],
    "undo": torch.equal(solution_undo(normalise(test.images)), test.images),
    "batch": [list(images.shape), str(images.dtype), str(labels.dtype), len(loader)],
    "order": [len(order), len(set(order)), order != sorted(order)],
    "same": [(images - fast_images).abs().max().item(), torch.equal(labels, fast_labels)],
    "labels_in_order": torch.equal(fast_labels, train.labels[order[:64]]),
    "seconds": [slow, fast],
    "guesses": [list(guesses.shape), accuracy, len(wrong)],
    "pair": list(solution_pair),
    "moved": [moved.shape == test.images.shape, right],
    "first": [by_hand.argmin().item(), by_torch.argmin().item()],
}))
"""


def verify(values):
    assert values["shapes"] == [[60000, 28, 28], [60000], [10000, 28, 28], [10000]]
    assert values["dtypes"] == ["torch.uint8", "torch.int64"] * 2
    train_counts, test_counts = values["counts"]
    assert train_counts == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test_counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert values["hundred"] == [[100, 28, 28], True]
    verify_normalising(values)
    verify_loaders(values)
    verify_baseline(values)


def verify_normalising(values):
    assert [round(number, 4) for number in values["normalising"]] == [0.1307, 0.3081]
    low, high, mean, std = values["scaled"]
    assert abs(low + 0.4242) < 1e-3
    assert abs(high - 2.8215) < 1e-3
    assert abs(mean) < 0.01
    assert abs(std - 1) < 0.01
    assert values["axes"] == [
        "pixel / 255",
        "normalised pixel",
        "column",
        "column",
        "pixels (log scale)",
        "row",
    ]
    assert values["undo"]


def verify_loaders(values):
    assert values["batch"] == [[64, 1, 28, 28], "torch.float32", "torch.int64", 938]
    assert values["order"] == [60000, 60000, True]
    difference, labels_agree = values["same"]
    assert difference < 1e-5
    assert labels_agree
    assert values["labels_in_order"]
    slow, fast = values["seconds"]
    assert 0 < fast < slow


def verify_baseline(values):
    shape, low, high, mean = values["means"]
    assert shape == [10, 28, 28]
    assert low >= 0
    assert 200 < high < 255
    assert 0.12 < mean < 0.14
    shape, accuracy, mistakes = values["guesses"]
    assert shape == [10000]
    assert 0.815 < accuracy < 0.825
    assert abs(mistakes - 10000 * (1 - accuracy)) < 1
    assert values["pair"] == [5, 3]
    assert values["first"] == [7, 7]
    same_shape, right = values["moved"]
    assert same_shape
    assert right < 0.2
