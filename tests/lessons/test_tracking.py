"""What lesson 9 says about SwanLab, tried without a terminal and without a network."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

# As in the lesson: a run in local mode, with every attempt to reach another machine noted.
LOCAL_RUN = """
import json, pathlib, sys
called = []
def note(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        called.append(arguments[1][0])
    elif event == "socket.getaddrinfo":
        called.append(arguments[0])
sys.addaudithook(note)
import swanlab, torch
from mnist_helpers import ConvNet, History, evaluate, make_loaders, set_seed, train_epoch
run = swanlab.init(mode="local", project="test", name="run", log_dir="swanlog", config={"lr": 0.5})
set_seed(1)
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
class Tracked(History):
    def add_batch(self, loss, count):
        swanlab.log({"train/loss": loss}, step=len(self.train_losses))
        super().add_batch(loss, count)

history = Tracked()
loader = make_loaders(256, validation_size=59_000).train
optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
train_epoch(network, loader, optimizer, history)
swanlab.log({"preview": [swanlab.Image(torch.eye(28)[None], caption="a line")]}, step=0)
folder = pathlib.Path(run.dir)
swanlab.finish()
print(json.dumps({"called": called, "folder": str(folder), "losses": history.train_losses}))
"""


def run_python(program, folder, data_dir, *, prefix=()):
    """Run a program in ``folder`` with no terminal, no settings of the user and no proxy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWANLAB")}
    environment |= {"MNIST_DATA_DIR": str(data_dir), "SWANLAB_ROOT": str(folder / "root")}
    return subprocess.run(
        [*prefix, sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )


def without_network():
    """A command in front of another that takes its network away; empty where that cannot be done."""
    prefix = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        return []
    return prefix


@pytest.mark.parametrize("cut_off", [False, True], ids=["with a network", "without a network"])
def test_local_mode_calls_nobody_and_keeps_every_value(cut_off, tmp_path, data_dir):
    prefix = without_network() if cut_off else []
    if cut_off and not prefix:
        pytest.skip("a program cannot be run without a network here")
    finished = run_python(LOCAL_RUN, tmp_path, data_dir, prefix=prefix)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    said = json.loads(finished.stdout.splitlines()[-1])
    assert said["called"] == []

    folder = tmp_path / said["folder"]
    kept = [path.read_text("utf-8").splitlines() for path in folder.glob("logs/*/*.log")]
    lines = max(([json.loads(line) for line in file] for file in kept), key=len)
    assert [(line["index"], line["data"]) for line in lines] == list(enumerate(said["losses"]))
    assert len(lines) == 4
    assert len(list(folder.glob("media/image/*.png"))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"swanlog"}, "files outside the folder of the log"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # 0: any port that is free
        return probe.getsockname()[1]


@contextlib.contextmanager
def dashboard(folder):
    """Run the lesson's command ``swanlab watch`` and yield its port; end it afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "swanlab", "watch", folder, "--host", "127.0.0.1", "--port", str(port)]
    with (folder.parent / "watch.log").open("w+b") as said:
        server = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            yield port, server, said
        finally:
            server.terminate()
            server.wait(timeout=300)


def get(port, path, server, said, *, patience=60) -> str:
    """Ask the server for a page; while it is still starting, try again."""
    deadline = time.monotonic() + patience
    while True:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            try:
                connection.request("GET", path)
                return connection.getresponse().read().decode()
            except ConnectionRefusedError:
                if server.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    pytest.fail(f"the dashboard does not answer: {said.read().decode(errors='replace')}")
        time.sleep(0.2)


def test_the_dashboard_shows_the_run(tmp_path, data_dir):
    finished = run_python(LOCAL_RUN, tmp_path, data_dir)
    assert finished.returncode == 0, finished.stderr
    losses = json.loads(finished.stdout.splitlines()[-1])["losses"]
    with dashboard(tmp_path / "swanlog") as served:
        port, *server = served
        assert get(port, "/", *server).lower().startswith("<!doctype html>")
        (run,) = json.loads(get(port, "/api/v1/project", *server))["data"]["experiments"]
        chart = json.loads(get(port, f"/api/v1/experiment/{run['id']}/tag/train/loss", *server))["data"]
    assert run["name"] == "run"
    assert [line["data"] for line in chart["list"]] == losses


def test_the_default_mode_fails_without_a_terminal(tmp_path, data_dir):
    finished = run_python("import swanlab; swanlab.init(project='test')", tmp_path, data_dir)
    assert finished.returncode != 0
    assert "no TTY" in finished.stderr
