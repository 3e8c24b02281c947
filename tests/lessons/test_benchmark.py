"""What lesson 10 and the README say of the benchmark is what the benchmark wrote."""

import ast
import json
import statistics

from .notebooks import NOTEBOOKS, ROOT, code_cells, number, read

FOUND = json.loads((ROOT / "benchmarks" / "time_to_accuracy.json").read_text(encoding="utf-8"))
ENTRIES = {entry["name"]: entry for entry in FOUND["entries"]}
SMALL = json.loads((ROOT / "benchmarks" / "how_small.json").read_text(encoding="utf-8"))


def assigned(cell_id):
    """The list that a cell of lesson 10 assigns."""
    (path,) = (path for path in NOTEBOOKS if number(path) == "10")
    (cell,) = (cell for cell in code_cells(read(path)) if cell["id"] == cell_id)
    first = next(node for node in ast.parse(cell.source).body if isinstance(node, ast.Assign))
    return ast.literal_eval(first.value)


def row(entry):
    seconds, correct = entry["seconds"], entry["accuracy"]
    times = (statistics.median(seconds), min(seconds), max(seconds))
    return (*(round(value, 2) for value in (*times, statistics.mean(correct), statistics.stdev(correct))),)


def test_the_table_of_the_ladder():
    """Mistakes among 10,000 in the lesson, per cent in the file."""
    assert FOUND["measured_on"] == "test"
    table = assigned("benchmark")
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


def test_the_board_of_small_networks():
    assert not SMALL["validation"]
    board = assigned("small")
    assert [row[:2] for row in board] == [(entry["name"], entry["parameters"]) for entry in SMALL["entries"]]
    for (name, _, mistakes, deviation), entry in zip(board, SMALL["entries"], strict=True):
        assert len(entry["accuracy"]) >= (10 if "SmallNet" in name else 3)
        assert mistakes == round(100 * (100 - statistics.mean(entry["accuracy"]))), name
        assert deviation == round(100 * statistics.stdev(entry["accuracy"])), name
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for entry in SMALL["entries"][:2]:
        mean, deviation = statistics.mean(entry["accuracy"]), statistics.stdev(entry["accuracy"])
        assert f"{entry['parameters']:,} parameters to {mean:.2f} ± {deviation:.2f} %" in text
