"""``page``, and the snapshots that a run keeps for it."""

import json
import random
import re

import pytest
import torch

from mnist_helpers import History, Net
from mnist_helpers.running.snapshots import Snapshots, read_snapshots

from .runs import DROPOUT, kill_at_random, one_line
from .stored import save_untrained


def data_of(path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"))[1])


def test_the_page_of_a_run_has_a_slider_from_untrained_to_trained(command, here, tmp_path, data_dir):
    run = tmp_path / "run"
    assert command("train", *DROPOUT, "--epochs", 1, "--run-dir", run).returncode == 0
    assert command("train", "--run-dir", run, "--resume", "--epochs", 2).returncode == 0
    done = here("page", run, "--data-dir", data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        rf"{re.escape(str(run))}/checkpoint.html: [\d,]+ kB; open it in a browser\n", done.stdout
    )
    seen = [each["seen"] for each in data_of(run / "checkpoint.html")["snapshots"]]
    kept = read_snapshots(run / "snapshots.pt")
    assert seen == [each["seen"] for each in kept] == sorted(set(seen))
    assert seen[0] == 0
    assert seen[-1] == 2 * torch.load(run / "checkpoint.pt")["sampler"]["size"]
    assert 10 < len(seen) <= 24
    last, end = kept[-1]["model"], torch.load(run / "checkpoint.pt")["model"]
    assert all(last[name].equal(tensor.half()) for name, tensor in end.items())


def test_a_run_that_was_killed_has_the_snapshots_of_one_that_was_not(command, programs, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = (*DROPOUT, "--epochs", 2, "--checkpoint-every", 7)
    assert command("train", *arguments, "--run-dir", whole).returncode == 0
    drawn = random.Random(3)
    kill_at_random([programs.command("train", *arguments, "--run-dir", killed)], killed, drawn)
    kill_at_random([programs.command("train", "--run-dir", killed, "--resume")], killed, drawn)
    assert command("train", "--run-dir", killed, "--resume").returncode == 0
    one, other = (read_snapshots(folder / "snapshots.pt") for folder in (whole, killed))
    assert [each["seen"] for each in one] == [each["seen"] for each in other]
    for here, there in zip(one, other, strict=True):
        assert all(here["model"][name].equal(tensor) for name, tensor in there["model"].items())


def test_snapshots_are_close_together_at_the_beginning():
    history, network = History(), Net()
    snapshots = Snapshots(network, history, batches=1000)
    for _ in range(1000):
        history.add_batch(1.0, 64)
        snapshots.after_batch()
    seen = [each["seen"] // 64 for each in snapshots.kept]
    assert seen[:5] == [0, 1, 2, 3, 4]
    assert seen[-1] == 1000
    assert 15 < len(seen) <= 24
    size = sum(tensor.numel() * 2 for each in snapshots.kept for tensor in each["model"].values())
    assert size <= 1_500_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"PK", "use an earlier checkpoint|damaged|cut short"), ({"snapshots": 3}, "does not hold snapshots")],
    ids=["damaged", "something else"],
)
def test_snapshots_that_cannot_be_used_are_named(here, tmp_path, data_dir, content, reason):
    save_untrained(tmp_path / "checkpoint.pt", Net())
    path = tmp_path / "snapshots.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    done = here("page", tmp_path, "--data-dir", data_dir)
    assert re.search(rf"snapshots.pt: .*({reason})", one_line(done, 1))
    assert not (tmp_path / "checkpoint.html").exists()


def test_out_and_a_file_that_is_in_the_way(here, tmp_path, data_dir):
    checkpoint = save_untrained(tmp_path / "net.pt", Net())
    (tmp_path / "thesis.html").write_text("mine")
    done = here("page", checkpoint, "--out", tmp_path / "thesis.html", "--data-dir", data_dir)
    assert "exists, and is not a page of this course" in one_line(done, 1)
    assert (
        here("page", checkpoint, "--out", tmp_path / "new" / "page.html", "--data-dir", data_dir).returncode
        == 0
    )
    assert data_of(tmp_path / "new" / "page.html")["snapshots"] == []
