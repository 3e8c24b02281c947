"""What readers do to a lesson: faults 28 and 29 of FAULTS.md, in kernels of Jupyter's."""

import concurrent.futures
import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from jupyter_client.manager import start_new_kernel

from mnist_helpers.checkpoints import FORMAT, random_state, read_checkpoint
from mnist_helpers.data import Digits, Loaders, _in_order, _shuffled, load_mnist
from mnist_helpers.resuming import fit_and_save
from tests.conftest import ROOT
from tests.lessons.notebooks import NOTEBOOKS, code_cells, number, read
from tests.package.data_folders import is_complete, packed_files
from tests.package.runs import same, start, train_epochs

LESSONS = {
    number(path): {cell.id: cell.source for cell in code_cells(read(path))}
    for path in NOTEBOOKS
    if number(path) in ("02", "05", "06")
}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # of IPython's tracebacks


@dataclass
class Ran:
    """What came of a cell; ``error`` is the last line of what IPython shows, "" if all went well."""

    printed: str = ""
    pictures: list = field(default_factory=list)
    error: str = ""


class Kernel:
    """A kernel in a folder of its own, in which a reader runs the cells of a lesson as they please."""

    def __init__(self, folder, **environment):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
        self.manager, self.client = start_new_kernel(
            kernel_name="python3", cwd=str(folder), env=environment, stderr=subprocess.DEVNULL
        )

    def run(self, source, *, interrupt_at=None) -> Ran:
        """Run a cell; send it Ctrl-C as soon as it has printed ``interrupt_at``."""
        ran, waiting = Ran(), [interrupt_at] if interrupt_at else []

        def note(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                ran.printed += content["text"]
            elif message["msg_type"] == "error":
                ran.error = COLOUR.sub("", content["traceback"][-1]).strip().splitlines()[-1]
            elif picture := content.get("data", {}).get("image/png"):
                ran.pictures.append(picture)
            if waiting and waiting[0] in ran.printed:
                waiting.clear()
                self.manager.interrupt_kernel()

        self.client.execute_interactive(source, output_hook=note, timeout=120)
        return ran

    def restart(self):
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=60)

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def bottom_up(kernel, lesson) -> dict[str, Ran]:
    """Run every cell, the last one first; none of them has what the cells above it make."""
    return {name: kernel.run(source) for name, source in reversed(LESSONS[lesson].items())}


def part(lesson, last) -> dict[str, str]:
    """The cells from the first to ``last``."""
    names = list(LESSONS[lesson])
    return {name: LESSONS[lesson][name] for name in names[: names.index(last) + 1]}


def twice(kernel, cells) -> dict[str, list[Ran]]:
    return {name: [kernel.run(source), kernel.run(source)] for name, source in cells.items()}


@pytest.fixture(scope="module")
def lesson_2(data_dir):
    """Lesson 2 in the root of the repository: from the bottom up, each cell twice, then run all again."""
    before, kernel = set(os.listdir(ROOT)), Kernel(ROOT)
    seen = SimpleNamespace(first=bottom_up(kernel, "02"), twice=twice(kernel, LESSONS["02"]))
    seen.again = {name: kernel.run(source) for name, source in LESSONS["02"].items()}
    seen.data = kernel.run("print(data_dir)").printed.strip()
    seen.made = {name for name in set(os.listdir(ROOT)) - before if name in ("MNIST", "checkpoints", "data")}
    kernel.stop()
    return seen


def few(data_dir) -> Loaders:
    """Ten batches of MNIST."""
    digits = Digits(*(values[:640].clone() for values in load_mnist(data_dir)[0]))
    return Loaders(_shuffled(digits, 64, 1), None, _in_order(digits, 640))


@pytest.fixture(scope="module")
def old_checkpoint(data_dir, tmp_path_factory):
    """(path, network) of a file as the course wrote it when there were six lessons."""
    network, optimizer = start(seed=3)
    history = train_epochs(network, few(data_dir).train, optimizer, [1, 2, 3])
    path = tmp_path_factory.mktemp("old") / "lesson_03.pt"
    torch.save(
        {
            "format": 1,
            "epoch": 3,
            "model": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "random": random_state(),
            "history": asdict(history),
        },
        path,
    )
    return path, network


@pytest.fixture(scope="module")
def lesson_6(old_checkpoint, data_dir, tmp_path_factory):
    """Lesson 6 up to its first long training, the kernel restarted half-way; in a folder of its own."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "checkpoints").mkdir()
    shutil.copy(old_checkpoint[0], folder / "checkpoints")
    kernel = Kernel(folder)
    half = {name: kernel.run(source) for name, source in part("06", "save-weights").items()}
    kernel.restart()
    seen = SimpleNamespace(folder=folder, kernel=kernel, half=half, first=bottom_up(kernel, "06"))
    seen.left = sorted(path.name for path in folder.rglob("*.*"))
    seen.twice = twice(kernel, part("06", "save-weights"))
    seen.data = kernel.run("print(data_dir)").printed.strip()
    yield seen
    kernel.stop()


@pytest.fixture(params=["02", "06"])
def lesson(request):
    return request.getfixturevalue(f"lesson_{int(request.param)}")


# 28


def test_fault_28_cells_out_of_order(lesson):
    """A cell that needs another one names what it lacks, whichever is run first; from the top all is well."""
    errors = {name: ran.error for name, ran in lesson.first.items() if ran.error}
    assert len(errors) > len(lesson.first) / 3
    for name, error in errors.items():
        assert re.fullmatch(r"NameError: name '\w+' is not defined", error), name
    assert lesson.first["setup"].error == ""
    assert [ran.error for runs in lesson.twice.values() for ran in runs if ran.error] == []


def test_fault_28_cells_run_twice(lesson):
    """Each cell twice in a row: equal text, equal pictures."""
    for name, (one, other) in lesson.twice.items():
        assert one == other, name
        assert one.error == "", name


def test_fault_28_run_all_twice(lesson_2):
    for name, ran in lesson_2.again.items():
        assert ran == lesson_2.twice[name][0], name


def test_fault_28_a_kernel_restarted_half_way(lesson_6):
    """The middle names what is missing; from the top it works, whatever the first half has left there."""
    assert [ran.error for ran in lesson_6.half.values() if ran.error] == []
    assert lesson_6.first["state-dict"].error == "NameError: name 'trained' is not defined"
    assert lesson_6.left == ["lesson_03.pt", "weights.pt"]
    for name, ran in lesson_6.half.items():
        assert ran == lesson_6.twice[name][0], name


def test_fault_28_a_lesson_started_in_another_folder(lesson_2, lesson_6, data_dir):
    """In the root of the repository and in a folder outside it: the same data, and none brought there."""
    for lesson in (lesson_2, lesson_6):
        assert lesson.data == str(data_dir)
        assert lesson.twice["setup"][0].printed.startswith("Ready: PyTorch ")
    assert lesson_2.made == set()
    assert os.listdir(lesson_6.folder) == ["checkpoints"]


def test_fault_28_two_lessons_at_once_on_one_data_folder(data_dir, tmp_path):
    """The folder is empty but for the files of a mirror: one kernel unpacks them, the other waits."""
    root = tmp_path / "data"
    root.mkdir()
    for name, content in packed_files(data_dir / "MNIST" / "raw").items():
        (root / name).write_bytes(content)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        kernels = list(pool.map(lambda _: Kernel(tmp_path, MNIST_DATA_DIR=str(root)), range(2)))
        try:
            # What takes long is imported before, so that they come to the data at the same time.
            list(pool.map(lambda kernel: kernel.run("import torch, matplotlib.pyplot, filelock"), kernels))
            ready = list(pool.map(lambda kernel: kernel.run(LESSONS["02"]["setup"]), kernels))
            used = list(pool.map(lambda kernel: kernel.run(LESSONS["02"]["patch"]), kernels))
        finally:
            for kernel in kernels:
                kernel.stop()
    assert [ran.error for ran in ready + used] == ["", "", "", ""]
    assert used[0] == used[1]
    assert is_complete(root)
    said = sorted((ran.printed for ran in ready), key=len)
    assert [text.count(" taken from ") for text in said] == [0, 4]
    assert [text.count("Ready: ") for text in said] == [1, 1]
    assert all(line.startswith(("Ready: ", "MNIST: waiting for another")) for line in said[0].splitlines())


# 29


def bare(path, network):
    """The weights and nothing else, as many tutorials save them."""
    torch.save(network.state_dict(), path)


def future(path, network):
    content = torch.load(path, weights_only=True)
    torch.save({**content, "format": 999}, path)


def half(path, network):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


FOREIGN = {
    bare: "lesson_03.pt: is not a checkpoint of save_checkpoint",
    future: f"lesson_03.pt: has format 999, this course reads up to {FORMAT}; update it",
    half: "lesson_03.pt: cut short or damaged, ",
}
WEIGHTS = "print([hash(tuple(w.flatten().tolist())) for w in {}.state_dict().values()])"


@pytest.fixture
def lying_there(lesson_6, old_checkpoint):
    """The old checkpoint under the name that lessons 5 and 6 look for; a kernel whose set-up cell has run."""
    path = lesson_6.folder / "checkpoints" / "lesson_03.pt"
    yield Path(shutil.copy(old_checkpoint[0], path))
    (path.parent / "lesson_06_start.pt").unlink(missing_ok=True)


def first_cells(kernel, lesson, **options) -> Ran:
    """Run the lesson up to the cell in which the checkpoint is loaded, and return what came of that one."""
    *before, last = part(lesson, {"05": "network", "06": "start"}[lesson]).values()
    assert [kernel.run(source).error for source in before] == [""] * len(before)
    return kernel.run(last, **options)


@pytest.mark.parametrize(
    ("lesson", "network", "said"),
    [
        ("05", "network", "The network of lesson 3, after epoch 3\n"),
        ("06", "trained", "lesson_03.pt: 3 epoch(s) complete\n"),
    ],
    ids=["05", "06"],
)
def test_fault_29_a_checkpoint_of_format_1_is_read(
    lesson, network, said, lesson_6, lying_there, old_checkpoint
):
    before = lying_there.read_bytes()
    assert first_cells(lesson_6.kernel, lesson) == Ran(said)
    weights = [hash(tuple(value.flatten().tolist())) for value in old_checkpoint[1].state_dict().values()]
    assert lesson_6.kernel.run(WEIGHTS.format(network)).printed == f"{weights}\n"
    assert lying_there.read_bytes() == before


def test_fault_29_a_run_of_format_1_goes_on(old_checkpoint, data_dir, tmp_path):
    """To the weights of a run that was never stopped, and in a file of today."""
    path = Path(shutil.copy(old_checkpoint[0], tmp_path))
    resumed, optimizer = start(seed=7)
    fit_and_save(path, resumed, few(data_dir), optimizer, epochs=4, progress=False)
    whole, optimizer = start(seed=3)
    train_epochs(whole, few(data_dir).train, optimizer, [1, 2, 3, 4])
    assert same(dict(resumed.state_dict()), dict(whole.state_dict()))
    assert read_checkpoint(path)["format"] == FORMAT


@pytest.mark.parametrize("lesson", ["05", "06"])
@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_fault_29_a_file_that_cannot_be_used(lesson, kind, lesson_6, lying_there, old_checkpoint):
    """One line says which and why, an epoch is trained in its place, and the file stays as it was."""
    kind(lying_there, old_checkpoint[1])
    before, kernel = lying_there.read_bytes(), lesson_6.kernel
    to_the_end = (lesson, kind) == ("06", future) or os.name == "nt"  # an epoch takes long: the others stop
    ran = first_cells(kernel, lesson, interrupt_at=None if to_the_end else "So one epoch is trained here.")
    line, trained, *_ = ran.printed.splitlines()
    assert FOREIGN[kind] in line
    assert trained == "So one epoch is trained here."
    assert ran.error == ("" if to_the_end else "KeyboardInterrupt:")
    assert lying_there.read_bytes() == before
    if lesson == "06" and to_the_end:
        assert ran.printed.endswith("\nlesson_06_start.pt: 1 epoch(s) complete\n")
        assert kernel.run(LESSONS["06"]["state-dict"]).error == ""
        assert read_checkpoint(lying_there.with_name("lesson_06_start.pt"))["epoch"] == 1
    # With a file that can be used the same cell goes on at once.
    shutil.copy(old_checkpoint[0], lying_there)
    assert "3" in first_cells(kernel, lesson).printed
