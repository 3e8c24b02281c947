"""What lesson 10 and the README say of the benchmark is what the benchmark wrote."""

import ast
import json
import statistics

import pytest

from .notebooks import NOTEBOOKS, ROOT, code_cells, number, read

FOUND = json.loads((ROOT / "benchmarks" / "time_to_accuracy.json").read_text(encoding="utf-8"))
ENTRIES = {entry["name"]: entry for entry in FOUND["entries"]}


@pytest.fixture(scope="module")
def said():
    """Each name that lesson 10 gives a literal value."""
    (path,) = (path for path in NOTEBOOKS if number(path) == "10")
    names = {}
    for cell in code_cells(read(path)):
        if cell["id"] not in ("benchmark", "unhelpful", "growth"):
            continue
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names[node.targets[0].id] = ast.literal_eval(node.value)
    return names


def row(entry):
    seconds, correct = entry["seconds"], entry["accuracy"]
    times = (statistics.median(seconds), min(seconds), max(seconds))
    return (*(round(value, 2) for value in (*times, statistics.mean(correct), statistics.stdev(correct))),)


def test_the_table_of_the_ladder(said):
    assert FOUND["measured_on"] == "test"
    for name, *numbers in said["BENCHMARK"]:
        assert tuple(numbers) == row(ENTRIES[name]), name
    beside_the_ladder = {"train_mnist_fast", "to 97 %", "to 99.6 %"}
    assert {name for name, *_ in said["BENCHMARK"]} == set(ENTRIES) - beside_the_ladder
    assert said["BENCHMARK_PEAK"] == round(FOUND["machine"]["peak_gflop_per_second"]["float32"])


def test_what_did_not_help(said):
    found = FOUND["does_not_help"]
    assert said["COMPILED"] == {name: round(value, 1) for name, value in found["compile"].items()}
    assert said["WORKERS"] == {int(name): round(value, 1) for name, value in found["workers"].items()}


def test_how_the_cost_grows(said):
    found = FOUND["growth"]
    rounded = {kind: {int(at): round(value, 2) for at, value in row.items()} for kind, row in found.items()}
    assert said["GROWTH"] == {
        "images seen": rounded["images"],
        **{kind: rounded[kind] for kind in ("batch size", "threads")},
    }


def test_the_readme_s_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = [name for name in ENTRIES if f"\n| {name} |" in text]
    assert len(named) >= 5
    for name in named:
        middle, _, _, mean, deviation = row(ENTRIES[name])
        runs = len(ENTRIES[name]["seconds"])
        assert f"\n| {name} | {runs} | {middle:.2f} | {mean:.2f} ± {deviation:.2f} |" in text, name


def test_the_json_holds_every_run():
    for name, entry in ENTRIES.items():
        assert len(entry["seconds"]) == len(entry["accuracy"]) >= 3, name
    assert all(
        len(ENTRIES[name]["seconds"]) >= 20 for name in ("train_mnist_fast", "frozen layer", "bfloat16")
    )
