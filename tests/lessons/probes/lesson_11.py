"""What lesson 11 leaves in its kernel and in its folder."""

FIGURES = 1

PROBE = """
import json
rows = list(csv.DictReader(open(run / "metrics.csv", encoding="utf-8", newline="")))
config = json.loads((run / "config.json").read_text(encoding="utf-8"))
print(json.dumps({
    "hello": sorted(lines),
    "ring": [[len(tensor) for tensor in after], sent, right],
    "gradients": [len(whole), difference],
    "unequal": [(answer - whole).abs().max().item() for answer in (plain_mean, weighted)],
    "by hand": largest_difference(by_hand, results["no layer"]),
    "not averaged": largest_difference(by_hand, results["not averaged"]),
    "differences": differences,
    "accuracies": accuracies,
    "running": results["batch norm"]["2.running_mean"].abs().max().item(),
    "padded": [len(sampler) for sampler in samplers],
    "shares": [counts.total() if isinstance(counts, Counter) else sum(counts), hits, accuracy_of_all],
    "processes": [part["processes"] for part in (config["started"], *config["resumed"])],
    "notes": [int(row["step"]) for row in rows if row["train_loss"]],
    "evaluations": [int(row["epoch"]) for row in rows if row["validation_loss"]],
    "stopped": [kept["epoch"], kept["step"], len(kept["random"]["others"])],
    "fell": seconds_to_end,
    "apart": apart,
    "ends": [history.test_accuracies, unbroken_history.test_accuracies],
    "exchanges": exchanges,
    "compute": list(compute.values()),
    "two": list(two_steps),
    "model": [fixed, per_image],
    "trained": [len(batches), *losses],
    "best": [best[1], best[1000]],
    "labels": [[axis.get_xlabel(), axis.get_ylabel()] for axis in axes],
    "lines": [[line.get_label() for line in axis.lines] for axis in axes],
    "threads": torch.get_num_threads() == threads,
}))
"""


def verify(values):
    assert values["hello"] == [f"process {rank} of 2: {10 + rank} before, 21 after" for rank in (0, 1)]
    assert values["ring"] == [[21_840] * 8, 2 * 7 * 21_840 // 8, True]
    count, difference = values["gradients"]
    assert count == 784 * 100 + 100 + 100 * 10 + 10
    assert difference < 1e-12
    plain_mean, weighted = values["unequal"]
    assert weighted < 1e-12 < 1e-4 < plain_mean

    assert values["by hand"] < 1e-12 < 1e-3 < values["not averaged"]
    differences, accuracies = values["differences"], values["accuracies"]
    assert list(differences) == list(accuracies) == ["no layer", "layer norm", "dropout", "batch norm"]
    assert max(differences["no layer"], differences["layer norm"]) < 1e-12
    assert min(differences["dropout"], differences["batch norm"]) > 1e-4
    assert all(0.75 < accuracy < 0.95 for pair in accuracies.values() for accuracy in pair)
    assert values["running"] > 0

    assert values["padded"] == [3334] * 3
    images, hits, accuracy = values["shares"]
    assert images == 10_000
    assert abs(hits - 10_000 * accuracy) <= 2

    assert values["processes"] == [2, 2]
    # The first epoch's, and those of the third before the fiftieth step; the notebook trained the second.
    assert values["notes"] == [0, 40, 80, 120, 314, 314 + 40]
    assert values["evaluations"] == [0, 1]
    assert values["stopped"] == [2, 40, 1]
    assert 0 < values["fell"] < 60
    assert values["apart"] < 1e-4
    ours, theirs = values["ends"]
    assert len(ours) == len(theirs) == 4
    assert all(abs(one - other) < 0.002 for one, other in zip(ours, theirs, strict=True))
    assert 0.87 < ours[-1] < 0.92

    small, _, large = values["exchanges"]
    assert 0 < small < large
    assert all(0 < took < 5 for took in (*values["compute"], *values["two"]))
    steps, before, after = values["trained"]
    assert steps == 30
    assert after < 1 < before
    fixed, per_image = values["model"]
    assert fixed >= 0
    assert per_image > 0
    net, thousand = values["best"]
    assert 1 < net < 1024
    assert thousand >= net
    assert values["labels"] == [["processes", "images a second"]] * 2
    assert values["lines"] == [["ideal", "model"]] * 2
    assert values["threads"]
