"""What lesson 10 and the README say of the benchmark is what the benchmark wrote."""

import ast
import json
import statistics

import pytest

from .notebooks import NOTEBOOKS, ROOT, code_cells, number, read

FOUND = json.loads((ROOT / "benchmarks" / "time_to_accuracy.json").read_text(encoding="utf-8"))
ENTRIES = {entry["name"]: entry for entry in FOUND["entries"]}


@pytest.fixture(scope="module")
def table():
    """What the cell of lesson 10 calls BENCHMARK."""
    (path,) = (path for path in NOTEBOOKS if number(path) == "10")
    (cell,) = (cell for cell in code_cells(read(path)) if cell["id"] == "benchmark")
    (assignment,) = (node for node in ast.parse(cell.source).body if isinstance(node, ast.Assign))
    return ast.literal_eval(assignment.value)


def row(entry):
    seconds, correct = entry["seconds"], entry["accuracy"]
    times = (statistics.median(seconds), min(seconds), max(seconds))
    return (*(round(value, 2) for value in (*times, statistics.mean(correct), statistics.stdev(correct))),)


def test_the_table_of_the_ladder(table):
    """Mistakes among 10,000 in the lesson, per cent in the file."""
    assert FOUND["measured_on"] == "test"
    for name, seconds, mistakes, deviation in table:
        correct = ENTRIES[name]["accuracy"]
        assert seconds == round(statistics.median(ENTRIES[name]["seconds"]), 2), name
        assert mistakes == round(100 * (100 - statistics.mean(correct))), name
        assert deviation == round(100 * statistics.stdev(correct)), name
    assert {name for name, *_ in table} == set(ENTRIES)


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
    assert all(len(ENTRIES[name]["seconds"]) >= 20 for name in ("train_mnist_fast", "Muon", "bfloat16"))
