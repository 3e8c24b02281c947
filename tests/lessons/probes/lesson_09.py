"""What lesson 9 leaves in its kernel and in its folder: the tracker's files and three runs."""

import math

FIGURES = 3

PROBE = """
import json
import yaml

def media(place):
    lines = [json.loads(line) for path in place.glob("logs/*/*.log") for line in path.open(encoding="utf-8")]
    return [line for line in lines if isinstance(line["data"], list)]

def configuration(place):
    read = yaml.safe_load((place / "files/config.yaml").read_text("utf-8"))
    return {name: entry["value"] for name, entry in read.items()}

places = {configuration(place)["lr"]: place for place in swanlog.iterdir() if place.is_dir()}
preview_line = next(line for line in media(folder) if "more" in line and line["data"][0].endswith(".png"))
texts = [line["data"][0] for line in media(folder) if not line["data"][0].endswith(".png")]
print(json.dumps({
    "steps": len(loaders.train),
    "images": [len(loaders.train.dataset), len(loaders.validation.dataset), loaders.train.batch_size],
    "history": [len(history.train_losses), history.test_seen, history.test_accuracies],
    "csv": {str(lr): path.read_text().splitlines() for lr, path in paths.items()},
    "csv_configs": {
        str(lr): json.loads((path.parent / "config.json").read_text()) for lr, path in paths.items()
    },
    "runs": {str(lr): read_numbers(place) for lr, place in places.items()},
    "configs": {str(lr): configuration(place) for lr, place in places.items()},
    "captions": [more["caption"] for more in preview_line["more"]],
    "labels": labels[:16].tolist(),
    "pictures": len(list((folder / "media/image").glob("*.png"))),
    "answers": logits.argmax(dim=1).unique().tolist(),
    "step_of_preview": preview_line["index"],
    "architecture": texts,
    "noted": sorted(metadata),
    "checkpoint": json.loads(json.dumps(mnist_helpers.checkpoints.read_checkpoint(latest)["epoch"])),
    "last": {str(lr): value for lr, value in last.items()},
    "looked_up": sorted(set(looked_up)),
    "open_run": swanlab.has_run(),
    "written": written,
    "top": sorted(path.name for path in runs.iterdir()),
    "beside": sorted(path.name for path in Path(".").iterdir()),
    "labels_of_axes": [axis.get_ylabel() for axis in (left, right)] + [figure.get_supxlabel()],
}))
"""


def verify(values):
    assert values["steps"] == 43
    assert values["images"] == [11_000, 5_000, 256]
    count, seen, accuracies = values["history"]
    assert count == 12
    assert seen == [11_000 * epoch for epoch in range(5)]
    assert 0.05 < accuracies[0] < 0.2
    assert 0.86 < accuracies[-1] < 0.95

    runs = values["runs"]
    assert set(runs) == set(values["csv"]) == {"0.0001", "0.001", "0.1"}
    evaluated = ("validation/loss", "validation/accuracy")
    expected = {(43 * epoch + step, "train/loss") for epoch in range(4) for step in (0, 20, 40)}
    expected |= {(step, name) for step in (0, 86, 172) for name in evaluated}
    last = {}
    for lr, (header, *lines) in values["csv"].items():
        assert header == "step,name,value"
        rows = [(int(step), name, float(value)) for step, name, value in (line.split(",") for line in lines)]
        assert {(step, name) for step, name, _ in rows} == expected
        assert len(rows) == len(expected) == 18
        last[lr] = max(row for row in rows if row[1] == "validation/accuracy")[2]
        ours = sorted((step, value) for step, _, value in rows)
        for (step, value), (its_step, its_value) in zip(ours, runs[lr], strict=True):
            assert step == its_step
            assert math.isclose(value, its_value, abs_tol=0.1), "the two trackers differ"

    assert values["last"] == last
    assert 0.86 < values["last"]["0.0001"] < 0.95
    assert 0.94 < values["last"]["0.001"] < 0.99
    assert values["last"]["0.1"] < 0.5

    for lr, config in values["configs"].items():
        assert config == values["csv_configs"][lr]
        assert config["lr"] == float(lr)
        assert config["network"] == "ConvNet"
        assert (config["parameters"], config["batch_size"], config["seed"]) == (1_007_590, 256, 1)
    assert values["captions"] == [f"label {label}" for label in values["labels"]]
    assert values["pictures"] == 16
    assert len(values["answers"]) == 1, "with lr 0.1 the network still tells images apart"
    assert values["step_of_preview"] == 0
    assert "Conv2d(1, 10" in values["architecture"][0]
    assert set(values["noted"]) >= {"hardware", "runtime", "git"}
    assert values["checkpoint"] == 4

    assert values["looked_up"] == ["localhost"], "somebody else was looked up"
    assert values["open_run"] is False
    assert len(values["written"]) == 1
    assert values["written"][0] > 500
    assert values["top"] == [
        "checkpoint",
        "demo",
        "lr 0.0001",
        "lr 0.001",
        "lr 0.1",
        "swanlog",
        "tensorboard",
    ]
    assert "swanlog" not in values["beside"]
    assert ".swanlab" not in values["beside"]
    assert all(values["labels_of_axes"])
