"""One answer in one process: the statements that it needs run, then the package's own check judges it.

The processes are forked from a server that has imported torch, so each costs a tenth of a second and not
three. They get JSON and give JSON: nothing that a student's code has made is unpickled.
"""

import contextlib
import importlib
import io
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import types

from .limits import MEMORY, limit

START = 120  # seconds; the first process waits until torch is imported
READY = b"ready"
LONGEST = 10_000  # bytes of a verdict
CONTEXT = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
CHECKS = "mnist_helpers.checks"
PRELOADED = ["torch._dynamo", "torchvision", "matplotlib.pyplot", "mnist_helpers.plots", __name__]


def prepare(lessons: list[str], data_dir: str) -> None:
    """Say what the server of processes imports, and what it finds around it."""
    os.environ |= {"MPLBACKEND": "Agg", "TQDM_DISABLE": "1", "MNIST_DATA_DIR": data_dir}
    os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"}
    CONTEXT.set_forkserver_preload([*PRELOADED, *(f"{CHECKS}.lesson_{number}" for number in lessons)])


def judge(program: list[str], answer: str, lesson: str, check: str, seconds: float) -> tuple[str, str]:
    """Run ``program`` and then ``checks.check(answer)``; return the state and the sentence.

    The state is "right", "wrong", "not attempted", or "stopped" where it did not come to a verdict.
    """
    with tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as scratch:
        receives, sends = CONTEXT.Pipe(duplex=False)
        task = json.dumps([program, answer, lesson, check])
        process = CONTEXT.Process(target=_work, args=(task, scratch, seconds, sends), daemon=True)
        process.start()
        sends.close()
        try:
            if not receives.poll(START) or receives.recv_bytes(LONGEST) != READY:
                raise RuntimeError("no process could be started")
            if not receives.poll(seconds):
                return "stopped", f"Not quite, because it was not done after {seconds:g} seconds."
            right, sentence = json.loads(receives.recv_bytes(LONGEST))
            # Half of a surrogate pair cannot be written.
            sentence = str(sentence).encode("utf-8", "replace").decode()
        except (EOFError, OSError, ValueError, TypeError, RecursionError):
            # It ended before its verdict, or sent something else.
            return "stopped", "Not quite, because it ended Python itself."
        finally:
            receives.close()
            end(process.pid)
            process.join()
    state = "right" if right is True else "not attempted" if sentence.startswith("Not yet") else "wrong"
    return state, sentence if sentence.startswith(("Right.", "Not ")) else f"Not quite, because {sentence}"


def end(pid: int) -> None:
    """Kill a process and, with its group, what it has started."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _work(task: str, scratch: str, seconds: float, sends) -> None:
    import torch

    program, answer, lesson, check = json.loads(task)
    checks = importlib.import_module(f"{CHECKS}.lesson_{lesson}")
    torch.set_num_threads(1)
    limit(scratch, seconds)
    sends.send_bytes(READY)
    try:
        right, sentence = _verdict(program, answer, checks, check)
    except BaseException as error:  # SystemExit too: what an answer raises is no more than wrong
        right, sentence = False, _led_to(error)
    with contextlib.suppress(OSError):
        sends.send_bytes(json.dumps([right, sentence[:1000]]).encode())
    os._exit(0)  # and no thread or atexit function goes on


def _verdict(program: list[str], answer: str, checks, name: str) -> tuple[bool, str]:
    """The verdict is what the check returns; its sentence is the last line that it prints."""
    watched = [module for key, module in sys.modules.items() if key.startswith((CHECKS, "builtins"))]
    kept = [(module, dict(vars(module))) for module in [*watched, sys.modules["torch"]]]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    problem = ""
    for at, source in enumerate(program, 1):
        try:
            exec(compile(source, "<answer>", "exec"), vars(main))
        except BaseException as error:  # in a kernel too, what stands below a failing cell can be run
            if at == len(program):
                return False, _led_to(error) + problem
            problem = problem or f" (Before that, a statement that it needs failed: {_led_to(error)})"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        right = getattr(checks, name)(vars(main).get(answer)) == 1
    for module, names in kept:
        for changed in (key for key, value in names.items() if vars(module).get(key) is not value):
            return False, f"it replaces {module.__name__}.{changed}, which the check relies on."
    sentence = (printed.getvalue().strip().splitlines() or [""])[-1]
    return right, sentence + ("" if right else problem)


def _led_to(error: BaseException) -> str:
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return f"it asked for more than {MEMORY // 2**30} GB of memory."
    return f"your cell led to {type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
