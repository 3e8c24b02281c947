"""What lesson 7 leaves in its kernel and in its folder."""

FIGURES = 2

PROBE = """
import json
from mnist_helpers import MNIST_MEAN, MNIST_STD
from mnist_helpers.images import read_digit
reader = Net().eval()
load_checkpoint(first / "checkpoint.pt", reader)
digit = (read_digit(drawn).float() / 255 - MNIST_MEAN) / MNIST_STD
files = {path.name: path.stat().st_size for path in first.glob("[a-z]*")}
print(json.dumps({
    "settings": config["settings"],
    "files": files,
    "columns": list(rows[0]),
    "noted": [[int(row["epoch"]), int(row["step"]), int(row["images_seen"])] for row in noted],
    "measured": [[int(row["epoch"]), int(row["step"]), int(row["images_seen"])] for row in measured],
    "accuracies": [float(row["test_accuracy"]) for row in measured],
    "losses": [float(noted[0]["train_loss"]), float(noted[-1]["train_loss"])],
    "log": len(log),
    "here": here,
    "unbroken": [row["epoch"] for row in metrics_of(unbroken) if row["test_loss"]],
    "unbroken_accuracy": float(metrics_of(unbroken)[-1]["test_accuracy"]),
    "interrupted": [os.name, process.returncode],
    "stops": sum(line.startswith("Stopped after") for line in lines_of(stopped / "stdout.log")),
    "resumed": [line for line in lines_of(stopped / "stdout.log") if line.startswith("resumed")],
    "resumes": len(json.loads((stopped / "config.json").read_text(encoding="utf-8"))["resumed"]),
    "equal": equal,
    "differing": differing,
    "done": len(done),
    "elsewhere": sorted(path.name for path in run.glob("[a-z]*")),
    "beside": sorted(path.name for path in Path(".").glob("*/lesson_07/*")),
    "elsewhere_data": json.loads((run / "config.json").read_text())["settings"]["data_dir"] == str(data_dir),
    "split": [row["validation_loss"] != "" for row in metrics_of(run) if not row["train_loss"]],
    "digit": reader(digit[None, None]).argmax().item(),
    "seen": list(grey.shape),
    "json": [reading["file"] == drawn, reading["digit"], reading["confidence"]],
    "most": max(reading["probabilities"]),
    "labels": [axes[0].get_title(), axes[1].get_title()],
}))
"""


def verify(values):
    settings = values["settings"]
    given = {"batch_size": 64, "test_batch_size": 1000, "epochs": 1, "lr": 0.01, "momentum": 0.5}
    assert given.items() <= settings.items()
    assert settings["seed"] == 1
    names = {"checkpoint.pt", "config.json", "loss_curve.png", "metrics.csv", "stdout.log"}
    assert set(values["files"]) == names
    assert all(size > 500 for size in values["files"].values())
    assert values["columns"][:4] == ["epoch", "step", "images_seen", "train_loss"]
    assert values["noted"] == [[1, step, 64 * step] for step in range(0, 938, 10)]
    assert values["measured"] == [[0, 0, 0], [1, 938, 60_000]]
    untrained, trained = values["accuracies"]
    assert 0.03 < untrained < 0.25
    assert 0.90 < trained < 0.965
    assert abs(values["here"] - trained) < 0.002
    before, after = values["losses"]
    assert 2.0 < before < 3.0
    assert after < 1.5
    assert 12 <= values["log"] <= 20

    assert values["unbroken"] == ["0", "1", "2"]
    assert 0.92 < values["unbroken_accuracy"] < 0.965
    system, status = values["interrupted"]
    assert status == 130 or system != "posix"
    assert values["stops"] == (system == "posix")
    assert len(values["resumed"]) == values["resumes"] == 1
    assert len(values["equal"]) == 6
    assert all(values["equal"].values())
    assert values["differing"] == ["seconds"]
    assert values["done"] == 5

    assert set(values["elsewhere"]) == names
    assert values["elsewhere_data"]
    assert values["split"] == [True, True, False]
    assert {"first", "unbroken", "stopped", "elsewhere", "count.py"} <= set(values["beside"])
    assert values["digit"] == 7
    assert values["seen"] == [28, 28]
    assert values["json"] == [True, 7, values["most"]]
    assert 0.5 < values["most"] <= 1
    assert values["labels"] == ["drawn", "as the network saw it: a 7"]
