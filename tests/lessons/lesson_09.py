"""Lesson 9: what must stand in its kernel at the end, and answers to its exercises."""

import csv
import re

import numpy as np
import torch

PROBE = """
import contextlib
import tempfile
import yaml

def media(place):
    lines = [json.loads(line) for path in place.glob("logs/*/*.log") for line in path.open(encoding="utf-8")]
    return [line for line in lines if isinstance(line["data"], list)]

def configuration(place):
    read = yaml.safe_load((place / "files/config.yaml").read_text("utf-8"))
    return {name: entry["value"] for name, entry in read.items()}

def states_of_a_repository():
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        states = [git_state()]
        git = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
        Path("train.py").write_text("lr = 0.1")
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
            subprocess.run([*git, *words], check=True, capture_output=True)
        states.append(git_state())
        Path("train.py").write_text("lr = 0.2")
        return [*states, git_state()]

with capture_output() as found:
    search(runs / "talkative")
with capture_output() as found_discreet:
    search(runs / "discreet")
values = {
    "steps": len(loaders.train),
    "images": [len(loaders.train.dataset), [len(labels) for _, labels in loaders.validation]],
    "csv": {folder.name: (folder / "metrics.csv").read_text() for folder in accuracy},
    "configs": {folder.name: json.loads((folder / "config.json").read_text()) for folder in accuracy},
    "accuracy": {folder.name: value for folder, value in accuracy.items()},
    "ranked": [folder.name for folder in ranked],
    "best": best.name,
    "apart": apart,
    "seed_2": {
        place.name: [
            last(place / "metrics.csv")["validation/accuracy"],
            json.loads((place / "config.json").read_text()),
        ]
        for place in (runs / "seed 2").iterdir()
    },
    "swanlab": {folder.name: read_numbers(place) for folder, place in places.items()},
    "swanlab_configs": {folder.name: configuration(place) for folder, place in places.items()},
    "captions": [[more["caption"] for more in media(place)[0]["more"]] for place in places.values()],
    "labels": labels[:8].tolist(),
    "pictures": [len(list(place.glob("media/image/*.png"))) for place in places.values()],
    "tensorboard": [path.stat().st_size for path in (runs / "tensorboard").rglob("events*")],
    "states": states_of_a_repository(),
    "found": found.stdout,
    "found_discreet": found_discreet.stdout,
    "looked_up": run_script("once-more"),
    "noted": sorted(json.loads(next((runs / "talkative").glob("run-*/files/*.json")).read_text("utf-8"))),
    "open_run": swanlab.has_run(),
    "top": sorted(path.name for path in runs.iterdir()),
    "beside": sorted(path.name for path in Path(".").iterdir()),
    "axes": [axis.get_ylabel() for axis in (left, right)] + [figure.get_supxlabel()],
    "markers": [line.get_marker() for line in left.get_lines()],
}
"""


def verify(values):
    assert values["steps"] == 43
    assert values["images"] == [11_000, 5 * [1_000]]

    rates = ["0.0001", "0.001", "0.01", "0.1"]
    assert list(values["csv"]) == [f"lr {rate}" for rate in rates]
    evaluated = ("validation/loss", "validation/accuracy")
    expected = {(step, "train/loss") for step in range(0, 129, 10)}
    expected |= {(step, name) for step in (0, 43, 86, 129) for name in evaluated}
    for run, text in values["csv"].items():
        header, *lines = text.splitlines()
        assert header == "step,name,value"
        rows = [(int(step), name, float(value)) for step, name, value in (line.split(",") for line in lines)]
        assert {(step, name) for step, name, _ in rows} == expected
        assert len(rows) == len(expected) == 21
        last = max(row for row in rows if row[1] == "validation/accuracy")[2]
        assert values["accuracy"][run] == last
        assert values["swanlab"][run] == sorted([step, value] for step, _, value in rows)
        config = values["configs"][run]
        assert config["lr"] == float(run.removeprefix("lr "))
        assert [config[name] for name in ("network", "optimizer")] == ["ConvNet", "Adam"]
        assert [config[name] for name in ("parameters", "batch_size", "seed")] == [1_007_590, 256, 1]
        assert [config[name] for name in ("train_images", "validation_images", "epochs")] == [
            11_000,
            5_000,
            3,
        ]
        assert values["swanlab_configs"][run] == config

    accuracy = values["accuracy"]
    assert 0.85 < accuracy["lr 0.0001"] < 0.94
    assert 0.94 < accuracy["lr 0.001"] < 0.99
    assert 0.93 < accuracy["lr 0.01"] < 0.99
    assert accuracy["lr 0.1"] < 0.5
    assert values["ranked"] == sorted(accuracy, key=accuracy.get, reverse=True)
    assert values["best"] == values["ranked"][0]
    first = {
        run: next(
            float(line.split(",")[2]) for line in text.splitlines() if line.startswith("43,validation/a")
        )
        for run, text in values["csv"].items()
    }
    assert first["lr 0.01"] - first["lr 0.001"] > 0.01, "0.01 does not start best"
    assert accuracy["lr 0.01"] - accuracy["lr 0.001"] < 0.01, "its lead does not melt"

    assert values["apart"] < 0.1, "the run from the record is another one"
    assert set(values["seed_2"]) == set(values["ranked"][:2])
    for run, (reached, config) in values["seed_2"].items():
        assert 0.93 < reached < 0.99
        assert config == values["configs"][run] | {"seed": 2}

    assert values["captions"] == 4 * [[f"label {label}" for label in values["labels"]]]
    assert values["pictures"] == [8] * 4
    assert len(values["tensorboard"]) == 4
    assert min(values["tensorboard"]) > 500
    nowhere, clean, changed = values["states"]
    assert nowhere == "no repository"
    assert re.fullmatch("[0-9a-f]{40}", clean)
    assert changed == f"{clean}+"

    found = dict(re.findall(r"^(\S+) *(.*)$", values["found"], re.MULTILINE))
    holds = {name: words for name, words in found.items() if words}
    (console,) = (name for name in holds if name.startswith("console/"))
    (whole,) = (name for name in holds if name.endswith(".swanlab"))
    assert holds == {console: "tulip", whole: "tulip", "files/swanlab-metadata.json": "rose"}
    assert len(found) > 6
    assert not re.search("tulip|rose|lily|console", values["found_discreet"])
    assert len(values["found_discreet"].splitlines()) >= 6
    assert values["looked_up"] == "names looked up: ['localhost']", "somebody else was looked up"
    assert set(values["noted"]) >= {"hardware", "runtime", "git"}

    assert values["open_run"] is False
    assert set(values["top"]) == {
        *values["csv"],
        *("repeated", "seed 2", "swanlog", "tensorboard", "script.py", "talkative", "discreet", "once-more"),
    }
    assert not {"swanlog", ".swanlab", "talkative"} & set(values["beside"])
    assert all(values["axes"])
    assert len(set(values["markers"])) == 4
    assert "None" not in values["markers"]


def _config(network, optimizer, loader):
    return {
        "network": type(network).__name__,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "optimizer": type(optimizer).__name__,
        "lr": optimizer.param_groups[0]["lr"],
        "batch_size": loader.batch_size,
        "train_images": len(loader.dataset),
    }


def _typed(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"network": "ConvNet"}


def _default_lr(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"lr": 1e-4}


def _objects(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"optimizer": optimizer}


def _tensors(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"parameters": len(list(network.parameters()))}


def _in_a_tensor(network, optimizer, loader):
    config = _config(network, optimizer, loader)
    return config | {"parameters": torch.tensor(config["parameters"])}


def _class(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"network": type(network)}


def _batches(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"train_images": len(loader)}


def _without_batch_size(network, optimizer, loader):
    config = _config(network, optimizer, loader)
    del config["batch_size"]
    return config


def _values_alone(network, optimizer, loader):
    return list(_config(network, optimizer, loader).values())


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _last_line(path):
    return {row["name"]: float(row["value"]) for row in _rows(path)}


def _sorted_as_text(path):
    return {row["name"]: float(row["value"]) for row in sorted(_rows(path), key=lambda row: row["step"])}


def _texts(path):
    return {row["name"]: row["value"] for row in sorted(_rows(path), key=lambda row: int(row["step"]))}


def _highest(path):
    rows = sorted(_rows(path), key=lambda row: float(row["value"]))
    return {row["name"]: float(row["value"]) for row in rows}


def _best(path):
    found = _highest(path)
    rows = [float(row["value"]) for row in _rows(path) if row["name"] == "train/loss"]
    return found | {"train/loss": min(rows)}


def _best_accuracy(path):
    return _highest(path) | {"train/loss": 0.5}


def _with_header(path):
    lines = [line.split(",") for line in path.read_text().splitlines()]
    return {name: value for _, name, value in lines}


def _loss_alone(path):
    return {"train/loss": 0.5}


def _first_log(*logs):
    return logs[0]


def _call_at_once(*logs):
    for log in logs:
        log({}, step=0)


def _call_at_once_and_return(*logs):
    _call_at_once(*logs)
    return logs[0]


def _two_of_them(*logs):
    def log(values, step):
        logs[0](values, step=step)
        logs[1](values, step=step)

    return log


def _without_step(*logs):
    def log(values, step):
        for one in logs:
            one(values, 0)

    return log


def _positional_name(*logs):
    def log(values, batch):
        for one in logs:
            one(values, batch)

    return log


def right_config_of(network, optimizer, loader):
    return {
        "network": network.__class__.__name__,
        "parameters": float(sum(len(tensor.flatten()) for tensor in network.parameters())),
        "optimizer": optimizer.__class__.__name__,
        "lr": np.float64(optimizer.param_groups[-1]["lr"]),
        "batch_size": loader.batch_sampler.batch_size,
        "train_images": len(loader.sampler),
        "note": "more than was asked for",
    }


def right_summary(path):
    last = {}
    for line in path.read_text().splitlines()[1:]:
        at, name, value = line.split(",")
        last[name] = max(last.get(name, (-1, 0)), (int(at), np.float64(value)))
    return {name: value for name, (_, value) in last.items()}


def right_to_all(*logs):
    return lambda values, step: [log(values, step) for log in logs]


CASES = {
    "config_of": {
        "right": [right_config_of],
        "stub": lambda network, optimizer, loader: None,
        "wrong": [
            [_typed],
            [_class],
            [_in_a_tensor],
            [_default_lr],
            [_objects],
            [_tensors],
            [_batches],
            [_without_batch_size],
            [_values_alone],
            [{"network": "Net"}],
        ],
    },
    "summary": {
        "right": [right_summary],
        "stub": lambda path: None,
        "wrong": [
            [_last_line, _sorted_as_text, _best],
            [_texts],
            [_highest],
            [_best_accuracy],
            [_with_header],
            [_loss_alone],
            [lambda path: 0.5],
        ],
    },
    "to_all": {
        "right": [right_to_all],
        "stub": lambda *logs: None,
        "wrong": [
            [_first_log, _two_of_them],
            [_call_at_once_and_return],
            [lambda *logs: list(logs)],
            [_without_step],
            [_positional_name],
        ],
    },
}
