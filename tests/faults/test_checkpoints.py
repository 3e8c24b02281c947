"""What may happen to a run and to its checkpoint: faults 14 to 27, and 29, of FAULTS.md."""

import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import time
import zipfile

import pytest
import torch
from torch import nn
from torch.optim import SGD

from mnist_helpers import CheckpointError, ConvNet, History, Net, load_checkpoint, save_checkpoint
from mnist_helpers import checkpoints as module
from mnist_helpers.checkpoints import read_checkpoint
from mnist_helpers.errors import TrainingError
from tests.support import checkpoints as made
from tests.support.checkpoints import BATCH, BATCHES, cut, having, loaders_of, refused, run, same, start
from tests.support.kernels import Kernel
from tests.support.programs import Programs, environment, flip_bit, unshare

SEED = 4  # of the random moments and bits; a failure prints what was drawn


@pytest.fixture
def programs(tmp_path_factory):
    programs = Programs(tmp_path_factory.mktemp("output"), tmp_path_factory.mktemp("cwd"), environment())
    yield programs
    programs.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(path, network) of a run of one epoch; not to be changed."""
    path = tmp_path_factory.mktemp("trained") / "run.pt"
    return path, run(path, epochs=1)[0]


@pytest.fixture
def path(trained, tmp_path):
    """The file of that run, which may be damaged."""
    return shutil.copy(trained[0], tmp_path / "run.pt")


@pytest.fixture
def stopped(path):
    """The file of a run that was stopped in batch 7 of its second epoch."""
    run(path, stop_at=7)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run of three epochs has saved that was never stopped."""
    path = tmp_path_factory.mktemp("whole") / "run.pt"
    run(path, epochs=3)
    return read_checkpoint(path)


def place(path) -> tuple[int, int]:
    """The complete epochs of a checkpoint, and the batches since."""
    sampler = read_checkpoint(path)["sampler"]
    return sampler["epoch"] - 1, -(-sampler["taken"] // BATCH)


@pytest.mark.parametrize("kind", made.KINDS)
def test_fault_14_killed_five_times_in_an_epoch_equals_never_stopped(kind, programs, tmp_path):
    """Each process is killed a random number of batches and milliseconds after it began."""
    path = tmp_path / "run.pt"

    def begin(path, **options):
        return programs.fork(made.train, kind, path, few=False, **options)

    def batches(started):
        return [line for line in started.stdout.splitlines() if not line.startswith("epoch")]

    expected = batches(begin(tmp_path / "whole.pt").wait())
    assert len(set(expected)) == 65, "64 different batches, and that the run is complete"
    drawn, moments, at = random.Random(f"{SEED} {kind}"), [], 0
    for _ in range(5):
        count, seconds = drawn.randint(1, 10), round(drawn.uniform(0, 0.03), 4)
        moments.append((count, seconds))
        killed = begin(path, pause=0.01)
        killed.wait_for(lambda killed=killed, count=count: len(batches(killed)) >= count)
        time.sleep(seconds)
        lines = batches(killed.kill())
        # It had the batches of the whole run, from the one on that its checkpoint named.
        assert lines == expected[at : at + len(lines)], moments
        assert "complete" not in lines, moments
        epoch, step = place(path)
        kept, at = at, BATCHES * epoch + step
        assert kept <= at <= kept + len(lines), moments
        assert kept + len(lines) - at <= 4, "more was lost than the batches since the last saving"
    assert batches(begin(path).wait()) == expected[at:], moments
    print(f"seed {SEED}, killed after (batches, seconds): {moments}")
    ours, theirs = read_checkpoint(path), read_checkpoint(tmp_path / "whole.pt")
    assert place(path) == (4, 0)
    assert len(ours["history"]["train_losses"]) == 64
    assert (ours["scheduler"] is None) == (kind == "SGD with momentum")
    assert same(ours, theirs), moments


def test_fault_15_killed_while_saving(programs, tmp_path):
    path, drawn, moments, in_the_middle = tmp_path / "run.pt", random.Random(SEED), [], 0
    for _ in range(16):
        moments.append(round(drawn.uniform(0.002, 0.05), 4))
        killed = programs.fork(made.save_for_ever, path, few=False)
        killed.wait_for(lambda killed=killed: killed.stdout)
        time.sleep(moments[-1])
        killed.kill()
        in_the_middle += path.with_name(f"run.pt.{killed.pid}.part").exists()
        saved = read_checkpoint(path)
        assert saved["model"]["bias"].tolist() == [saved["history"]["seen"]] * 200
    print(f"seed {SEED}, {len(moments)} moments, {in_the_middle} of them in the middle of a file")
    assert in_the_middle >= 4, "too few were killed in the middle of a file; this test shows little"


def test_fault_15_an_old_leftover_is_swept_if_it_can_be(tmp_path):
    """A young one may be in use; a folder stands in for another user's file, which nobody else may remove."""
    for name, age in (("old", 7200), ("young", 60), ("folder", 7200)):
        left = tmp_path / f"run.pt.{name}.part"
        left.mkdir() if name == "folder" else left.touch()
        os.utime(left, (time.time() - age,) * 2)
    save_checkpoint(tmp_path / "run.pt", *start(), loaders_of(), History())
    assert sorted(os.listdir(tmp_path)) == ["run.pt", "run.pt.folder.part", "run.pt.young.part"]


def test_fault_15_a_file_is_on_the_disk_before_it_has_its_name(path, monkeypatch):
    """A power cut is not made here: what is held is the order of the system's calls."""
    calls, before = [], path.read_bytes()

    def noted(name, size):
        original = getattr(os, name)

        def call(which, *rest):
            calls.append((name, size(which).st_size, path.read_bytes() == before))
            original(which, *rest)

        monkeypatch.setattr(module.os, name, call)

    noted("fsync", os.fstat)
    noted("replace", os.stat)
    save_checkpoint(path, *start(), loaders_of(), History(seen=7))
    size = path.stat().st_size
    assert calls == [("fsync", size, True), ("replace", size, True)]


@pytest.mark.parametrize("kind", ["disk", "file"])
def test_fault_16_no_room(kind, programs, tmp_path):
    """A small disk with 0, 4,096 and 8,192 bytes left, and files that may not grow beyond that."""
    path = tmp_path / "run.pt"
    if kind == "file":
        pytest.importorskip("resource", reason="this system has no limit on the size of files")
        done = programs.fork(made.save_without_room, path, kind, few=False)
    else:
        alone, mount = unshare("--mount"), [*made.SMALL_DISK, str(tmp_path)]
        if alone is None or subprocess.run([*alone, *mount], capture_output=True).returncode:
            pytest.skip("this system does not let a process mount a small disk of its own")
        program = "import sys, pathlib, tests.support.checkpoints as made\n"
        program += "made.save_without_room(pathlib.Path(sys.argv[1]), 'disk')"
        done = programs.spawn([*alone, sys.executable, "-c", program, path])
    assert done.wait().returncode == 0, done.stderr
    reason = {"disk": "No space left on device", "file": "File too large"}[kind]
    end = "; what stood there is unchanged; make room or choose another path, and save again"
    for said in json.loads(done.stdout):
        assert re.fullmatch(rf"{re.escape(str(path))}: not saved \(.*{reason}.*\){end}", said)


NONE = "is not a checkpoint; give the file that save_checkpoint wrote"
DAMAGED = "cut short or damaged, {:,} bytes are there; use an earlier checkpoint, or train again"
FILES = {
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "this is a folder, not a checkpoint"),
    "empty": (cut(0), NONE),
    "one byte": (cut(1), NONE),
    "the beginning": (cut(100), DAMAGED),
    "half": (cut(12_000), DAMAGED),
    "all but the list of parts": (cut(-1000), DAMAGED),
    "all but a byte": (cut(-1), DAMAGED),
    "a table": (lambda path: path.write_text("label,pixel0\n7,0\n" * 1000), NONE),
    "a picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000)), NONE),
    "an archive": (made.zipped("notes.txt", b""), "is not a checkpoint, but another kind of zip archive"),
    "an archive with a pickle": (made.zipped("a/data.pkl", pickle.dumps(1)), "cannot be read by PyTorch"),
    "a newer format": (having(format=5, more=[]), "has format 5, this course reads up to 4; update it"),
    "a newer format with other keys": (having(format=5, history=...), "has format 5, this course"),
}


@pytest.mark.parametrize("kind", FILES)
def test_fault_17_what_is_no_checkpoint(kind, path):
    change, said = FILES[kind]
    change(path)
    refused(path, said.format(path.stat().st_size))


def test_fault_17_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pt: there is no such file; train first, or look at"):
        load_checkpoint(tmp_path / "none.pt", *start(), loaders_of())


def another_network(path):
    save_checkpoint(path, *start(network=Net), loaders_of(), History())


NOT_OFFERED = {
    "another damaged one": cut(12_000),
    "a folder": FILES["a folder"][0],
    "a pickle that runs a program": lambda path: torch.save(made.Harmful(open, f"{path}.harm", "w"), path),
    "one of another network": another_network,
}


@pytest.mark.parametrize("other", [*NOT_OFFERED, None])
def test_fault_17_beside_a_damaged_checkpoint_one_that_loads_is_offered(other, path):
    """The youngest that this network would load; and if there is none, none."""
    names = ["old.pt", "good.pt"] if other is None else ["other.pt"]
    for age, name in enumerate(names):
        copied = shutil.copy(path, path.with_name(name))
        os.utime(copied, (time.time() + age,) * 2)
    if other:
        NOT_OFFERED[other](copied)
    cut(9000)(path)
    refused(path, "9,000 bytes are there; use " + ("an earlier" if other else "good.pt beside it, or train"))
    assert not path.with_name("other.pt.harm").exists()


def test_fault_18_a_flipped_bit_is_noticed_or_harmless(path):
    """400 bits anywhere, and 200 in the list of parts, where zipfile and torch read differently."""
    raw, saved, drawn = path.read_bytes(), read_checkpoint(path), random.Random(SEED)
    bits = [drawn.randrange(8 * len(raw)) for _ in range(400)]
    bits += [drawn.randrange(8 * zipfile.ZipFile(path).start_dir, 8 * len(raw)) for _ in range(200)]
    harmless = 0
    for bit in bits:
        path.write_bytes(raw)
        flip_bit(path, at=bit // 8, bit=bit % 8)
        try:
            loaded = read_checkpoint(path)
        except CheckpointError:
            continue
        assert same(loaded, saved), f"bit {bit}: what was loaded has changed"
        harmless += 1
    print(f"seed {SEED}, {len(bits)} bits, {len(bits) - harmless} noticed, {harmless} harmless")
    assert harmless < len(bits) / 2


def test_fault_18_bits_that_torch_does_not_notice(path, trained):
    """One of a weight, and the one by which it takes a part for a folder and reads arbitrary memory."""
    raw, weight = path.read_bytes(), trained[1].state_dict()["6.weight"]
    flip_bit(path, at=raw.index(weight.numpy().tobytes()) + 3, bit=6)
    loaded = torch.load(path, weights_only=True)["model"]["6.weight"]
    assert not torch.equal(loaded, weight), "torch noticed it too; the check is not needed"
    refused(path, ": damaged (a checksum in it is wrong); use an earlier")
    path.write_bytes(raw)
    name = raw.index(b"archive/data/0", zipfile.ZipFile(path).start_dir)  # after the 46 bytes of its entry
    flip_bit(path, at=name - 46 + 38, bit=4)
    refused(path, ": damaged (a part of it is marked as a folder); use an earlier")


@pytest.mark.parametrize("variable", ["0", "1"])
@pytest.mark.parametrize("where", ["history", "model", "optimizer", "random", "sampler"])
def test_fault_19_a_file_cannot_run_a_program(where, variable, path, tmp_path, monkeypatch):
    """Each of the two guards is enough: the names in the pickle, and weights_only."""
    harm = tmp_path / "harm"
    having(**{where: made.Harmful(open, str(harm), "w")})(path)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", variable)
    for first_guard in (module.check_file, lambda path: None):
        monkeypatch.setattr(module, "check_file", first_guard)
        refused(path, "holds more than plain values")
    assert not harm.exists()
    torch.load(path, weights_only=False)[where].close()
    assert harm.exists(), "the file was not harmful, and this test shows nothing"


def test_fault_19_a_file_that_torch_takes_for_its_old_format(path, tmp_path):
    """A harmful pickle with a whole archive behind it: zipfile reads the end, torch the beginning."""
    harmful, old = made.Harmful(open, str(tmp_path / "harm"), "w"), tmp_path / "old"
    torch.save(harmful, old, _use_new_zipfile_serialization=False)
    path.write_bytes(old.read_bytes() + path.read_bytes())
    refused(path, ": damaged (it does not begin as a checkpoint does)")
    assert not (tmp_path / "harm").exists()


def other_net():
    """Layers of which some share their names with those of Small."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 20), *[nn.ReLU()] * 4, nn.Linear(20, 10))


ARCHITECTURES = [
    (made.Small, other_net, "does not fit this network (0.bias is not in this network; 0.weight is not in"),
    (made.Small, other_net, "1.bias is torch.float32 (4,), not torch.float32 (20,)"),
    (made.Small, other_net, "; and 2 more); the network is unchanged"),
    (other_net, made.Small, "does not fit this network (0.bias is missing; 0.weight is missing"),
    (Net, ConvNet, "holds weights of Net, not of ConvNet (conv2.weight is torch.float32 (20, 10, 5, 5), not"),
    (ConvNet, made.Small, "holds weights of ConvNet, not of Small ("),
]


@pytest.mark.parametrize(("saved", "here", "said"), ARCHITECTURES)
def test_fault_20_another_architecture(saved, here, said, tmp_path):
    save_checkpoint(tmp_path / "run.pt", *start(network=saved), loaders_of(), History())
    refused(tmp_path / "run.pt", said, parts=(*start(seed=7, network=here), loaders_of()))


def test_fault_21_a_file_from_a_gpu_on_a_machine_without_one(path, trained, monkeypatch):
    """No GPU is needed: the file says cuda:0 where torch.save on one would have."""
    size = len(torch.get_rng_state())  # of the one tensor that lies on the CPU there too
    with monkeypatch.context() as patch:
        where = lambda storage: "cpu" if storage.nbytes() == size else "cuda:0"  # noqa: E731
        patch.setattr(torch.serialization, "location_tag", where)
        having("random", cuda=[torch.zeros(16, dtype=torch.uint8)])(path)  # as long as that of a GPU
    assert b"cuda:0" in path.read_bytes()
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="deserialize object on a CUDA device"):
            torch.load(path, weights_only=True)
    network, optimizer = start(seed=7)
    load_checkpoint(path, network, optimizer, loaders_of())
    assert same(dict(network.state_dict()), dict(trained[1].state_dict()))
    assert all(state["momentum_buffer"].device.type == "cpu" for state in optimizer.state.values())
    run(path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
def test_fault_21_a_file_from_a_gpu_loads_on_the_cpu(tmp_path):
    network, *_ = run(tmp_path / "gpu.pt", epochs=1, network=lambda: made.Small().cuda())
    other = start(seed=7)
    load_checkpoint(tmp_path / "gpu.pt", *other, loaders_of())
    weights = {name: value.cpu() for name, value in network.state_dict().items()}
    assert same(dict(other[0].state_dict()), weights)
    run(tmp_path / "gpu.pt")


OTHER_ORDERS = [
    ({"seed": 2}, "250 in the order of seed 2"),
    ({"count": 1200}, "1,200 in the order of seed 1"),
]


@pytest.mark.parametrize("file", ["path", "stopped"])  # at the end of an epoch, and in its middle
@pytest.mark.parametrize(("other", "here"), OTHER_ORDERS)
def test_fault_22_another_order_is_refused(file, other, here, request):
    said = f"was saved on 250 images in the order of seed 1, and these loaders have {here}; a resume would "
    said += "repeat or skip images. Use the make_loaders(...) of that run"
    refused(request.getfixturevalue(file), said, parts=(*start(seed=7), loaders_of(**other)))


def test_fault_22_another_batch_size_is_said_and_no_image_is_repeated_or_skipped(stopped, capsys):
    loaders, seen = loaders_of(batch_size=32), []
    collate = loaders.train.collate_fn
    loaders.train.collate_fn = lambda batch: seen.append(len(batch[1])) or collate(batch)
    *_, history = run(stopped, loaders=loaders)
    assert seen == [32] * 4 + [10], "112 of the 250 images had been seen"
    assert history.test_seen == [0, 250, 500]
    note = "note: batch size 16 then, 32 now; the run goes on, but not bit for bit as it would have\n"
    assert note in capsys.readouterr().out


def test_fault_22_another_number_of_threads_is_said(stopped, monkeypatch, capsys):
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    run(stopped)
    assert f"note: threads {threads} then, {threads + 1} now; the run goes on, but" in capsys.readouterr().out


@pytest.mark.parametrize("batch", [1, 15, 16])
def test_fault_23_stopped_at_the_edge_of_an_epoch(batch, path, whole):
    """In its first batch, its last but one, and its last, after which it is evaluated."""
    run(path, epochs=3, stop_at=batch)
    assert place(path) == divmod(BATCHES + batch, BATCHES)
    run(path, epochs=3, seed=7)
    assert same(read_checkpoint(path), whole)


def test_fault_23_at_the_end_of_the_run(path, trained, whole, capsys):
    """Nothing is trained or evaluated; asked for more epochs it goes on, for fewer it is refused."""
    capsys.readouterr()
    complete, *_ = run(path, epochs=1, seed=7)
    assert same(dict(complete.state_dict()), dict(trained[1].state_dict()))
    assert capsys.readouterr().out == ""
    run(path, epochs=3, seed=7)
    assert same(read_checkpoint(path), whole)
    with pytest.raises(CheckpointError, match="holds 3 epochs and 0 batches, more than the 2 epochs asked"):
        run(path, epochs=2)
    assert same(read_checkpoint(path), whole)


def test_fault_24_an_optimizer_over_another_network(path, trained):
    """The fault of the tutorial that lesson 6 shows; no file is made for a run that cannot be."""
    parts = made.Small(), SGD(trained[1].parameters(), lr=0.01, momentum=0.5), loaders_of()
    for target in (path, path.with_name("new.pt")):
        refused(target, "0 of this network's 6", "over this network: SGD(", parts=parts, error=ValueError)
    assert os.listdir(path.parent) == ["run.pt"]


def test_fault_25_a_learning_rate_that_is_far_too_high(tmp_path, capsys):
    """The same file goes on with a smaller one."""
    path, network = tmp_path / "run.pt", other_net
    run(path, epochs=1, network=network)
    before = read_checkpoint(path)
    said = (
        r"^epoch 2, batch \d+: the training loss is not finite, and training stopped\. Usually the learning"
    )
    with pytest.raises(TrainingError, match=said + r" rate is too high; \S*run\.pt is as it was [^\n]*lr=$"):
        run(path, network=network, lr=1e30)
    assert same(read_checkpoint(path)["model"], before["model"])
    capsys.readouterr()
    network, *_ = run(path, network=network, lr=0.001)
    assert "note: learning rate 1e+30 until here, 0.001 from here on\n" in capsys.readouterr().out
    assert all(value.isfinite().all() for value in network.state_dict().values())


class Spoilt(made.Small):
    """Its logits, or its weights, become NaN in batch 6 of a training."""

    def __init__(self, what):
        super().__init__()
        self.what, self.batch = what, 0
        self[6].weight.register_hook(lambda gradient: gradient * self.factor("weights"))

    def factor(self, what):
        return float("nan") if self.training and (self.what, self.batch) == (what, 6) else 1

    def forward(self, images):
        self.batch += self.training
        return super().forward(images) * self.factor("logits")


LOST = [
    ("logits", {}, TrainingError, "epoch 2, batch 6: the training loss is not finite"),
    ("logits", {"save_every": 1}, TrainingError, "epoch 2, batch 6: the training loss is not finite"),
    ("weights", {}, TrainingError, "epoch 2, batch 7: the training loss is not finite"),
    ("weights", {"save_every": 1}, CheckpointError, "not saved, because 6.weight holds NaN or infinity"),
]


@pytest.mark.parametrize(("what", "options", "error", "said"), LOST)
def test_fault_25_a_loss_or_a_weight_that_becomes_nan(what, options, error, said, path, whole):
    """Noticed after the batch, or at a saving; the last good file goes on as if it had not been."""
    with pytest.raises(error) as caught:
        run(path, epochs=3, network=lambda: Spoilt(what), **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert place(path) == (1, 5 if options else 0)
    assert list(path.parent.iterdir()) == [path]
    run(path, epochs=3, **options)
    assert same(read_checkpoint(path), whole)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("where", ["6.bias", "the optimizer's momentum_buffer"])
def test_fault_25_what_is_not_finite_is_not_saved(where, value, path):
    before, loaders, (network, optimizer) = path.read_bytes(), loaders_of(), start(seed=7)
    load_checkpoint(path, network, optimizer, loaders)
    spoilt = network[6].bias if where == "6.bias" else optimizer.state[network[6].bias]["momentum_buffer"]
    spoilt.data[3] = float(value)
    with pytest.raises(CheckpointError) as caught:
        save_checkpoint(path, network, optimizer, loaders, History())
    end = "; what stood there is unchanged. Go back to it with a smaller learning rate"
    assert str(caught.value) == f"{path}: not saved, because {where} holds NaN or infinity{end}"
    assert path.read_bytes() == before


SET_UP = """
import time
from mnist_helpers import fit_and_save, load_checkpoint
from tests.support.checkpoints import loaders_of, start
network, optimizer = start("Adam")
network.register_forward_pre_hook(lambda *_: time.sleep(pause))
"""
TRAIN = "fit_and_save('run.pt', network, loaders_of(), optimizer, epochs=3)\nprint('done')"


@pytest.mark.skipif(os.name == "nt", reason="Jupyter interrupts a kernel on Windows by other means")
def test_fault_26_ctrl_c_in_a_cell(tmp_path):
    kernel = Kernel(tmp_path)
    try:
        assert kernel.run("pause = 0.02" + SET_UP).error == ""
        ran = kernel.run(TRAIN, interrupt_at="epoch 1")
        assert "done" not in ran.printed
        said = r"Interrupted: stopped \(epochs complete: \d, batches since: \d+\); run\.pt holds all that is "
        assert re.fullmatch(said + "needed to go on: run the same again", ran.error)
        assert (1, 0) <= place(tmp_path / "run.pt") < (3, 0)
        # The kernel answers, and an error in it is one line.
        assert kernel.run("print(6 * 7)").printed == "42\n"
        said = "CheckpointError: none.pt: there is no such file; train first, or look at the path"
        assert kernel.run("load_checkpoint('none.pt', network)").error == said
        # The cell once more, to its end; then a run that nobody interrupts.
        assert kernel.run(TRAIN).printed.endswith("done\n")
        assert kernel.run("pause = 0" + SET_UP + TRAIN.replace("run.pt", "whole.pt")).error == ""
        assert same(*(read_checkpoint(tmp_path / name) for name in ("run.pt", "whole.pt")))
    finally:
        kernel.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_fault_27_tensors_that_claim_more_than_the_file_holds(trained, programs, tmp_path):
    """In a process whose memory is measured: refused in less than a second, with less than 30 MB."""
    pytest.importorskip("resource", reason="this system does not say how much memory a process used")
    paths = [shutil.copy(trained[0], tmp_path / f"{number}.pt") for number in range(len(made.CLAIMING))]
    for path, change in zip(paths, made.CLAIMING.values(), strict=True):
        change(path)
        assert path.stat().st_size < 1_500_000
    done = programs.fork(made.measure_loads, trained[0], *paths, few=False).wait()
    assert done.returncode == 0, done.stderr
    first, *lines = map(json.loads, done.stdout.splitlines())
    assert first[2] == "loaded"
    unit = 1 if sys.platform == "darwin" else 1024
    for name, path, (seconds, grown, said) in zip(made.CLAIMING, paths, lines, strict=True):
        assert said.startswith(f"{path}: "), name
        assert seconds < 1, name
        assert grown * unit < 30e6, name


FIRST_EDITION = {  # what its formats held, and lacked (...), beside weights, optimizer and random state
    1: {"epoch": 1, "scheduler": ..., "data": ...},
    2: {"epoch": 1, "step": 0, "history": None, "scheduler": ..., "data": ...},
    3: {"epoch": 1, "step": 0, "data": {"seed": 1, "images": 250}, "scheduler": {"last_epoch": 1}},
}


@pytest.mark.parametrize("number", FIRST_EDITION)
def test_fault_29_a_checkpoint_of_the_first_edition(number, path, trained):
    """Its weights load; a resume is refused in a line that says so."""
    having(format=number, sampler=..., **FIRST_EDITION[number])(path)
    refused(path, "was saved by an earlier version of the course; its weights can be used, but not resumed")
    network, _ = start(seed=7)
    assert load_checkpoint(path, network)["format"] == number
    assert same(dict(network.state_dict()), dict(trained[1].state_dict()))
