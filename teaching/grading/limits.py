"""What an answer may do: limits that a process sets itself before it runs a student's code.

They keep accidents and mischief away from the teacher's machine. They are no wall against somebody who
attacks Python itself, nor against reading what the teacher can read: for that, grade in a container without
a network.
"""

import contextlib
import ctypes
import importlib
import os
import signal
import sys
import tempfile

SECONDS = 30  # from the first statement to the verdict
MEMORY = 3 * 2**30  # beyond what Python and torch have taken
FILE_SIZE = 100 * 2**20
# What an answer finds around it, of all that a teacher's environment holds.
KEPT = ("PATH", "LANG", "LC_ALL", "MNIST_DATA_DIR", "MPLBACKEND", "TQDM_DISABLE", "OMP_NUM_THREADS")
# How the audit events begin that are refused, and those that change the files which they name.
PROGRAMS = ("os.fork", "os.posix_spawn", "os.exec", "os.system", "os.spawn", "os.kill", "subprocess.", "pty.")
SYSTEM = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "ctypes.dl")
ALTERS = {"remove", "rename", "rmdir", "mkdir", "link", "symlink", "truncate", "chmod", "chown", "utime"}
ALTERS = {f"os.{name}" for name in ALTERS} | {"shutil.rmtree", "shutil.move", "sqlite3.connect"}


def limit(scratch: str, seconds: float) -> None:
    """Let this process use no network and no other process, and change files in ``scratch`` alone."""
    import resource

    os.setsid()  # a group of its own, which is killed as one
    with contextlib.suppress(AttributeError):  # on Linux, no network for compiled code either
        ctypes.CDLL(None).unshare(0x10000000 | 0x40000000)  # CLONE_NEWUSER | CLONE_NEWNET; may be refused
    environment = {name: value for name, value in os.environ.items() if name in KEPT}
    os.environ.clear()
    os.environ.update(environment, HOME=scratch, TMPDIR=scratch)
    tempfile.tempdir = None
    os.chdir(scratch)
    with open(os.devnull, "r+b", buffering=0) as nothing:
        for descriptor in range(3):
            os.dup2(nothing.fileno(), descriptor)
    limits = {"CPU": int(seconds) + 1, "FSIZE": FILE_SIZE, "NOFILE": 256, "CORE": 0, "AS": _taken() + MEMORY}
    for name, value in limits.items():
        with contextlib.suppress(ValueError, OSError):  # macOS has no limit of memory
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    signal.alarm(int(seconds) + 5)  # should the grader be killed
    _watch(os.path.realpath(scratch))


def _watch(scratch: str) -> None:
    programs, system, alters = PROGRAMS, SYSTEM, frozenset(ALTERS)  # out of an answer's reach

    def refuse(what: str):
        raise PermissionError(f"an answer that is graded may not {what}")

    def outside(path) -> bool:
        path = os.path.realpath(os.fsdecode(path))
        return path != os.devnull and not f"{path}{os.sep}".startswith(scratch + os.sep)

    def hook(event: str, arguments: tuple) -> None:
        if event.startswith(programs):
            refuse("start or end a program")
        if event.startswith(system):
            refuse("use the network or the system's own functions")
        opens = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if opens or event in alters:
            paths = [path for path in arguments[: 1 if opens else 2] if isinstance(path, str | bytes)]
            if any(map(outside, paths)):
                refuse("change files outside its own folder")

    for name in ("_posixsubprocess", "subprocess"):  # the one way to a process that is not audited
        module = importlib.import_module(name)
        for function in {"fork_exec", "_fork_exec"} & vars(module).keys():
            setattr(module, function, lambda *arguments: refuse("start or end a program"))
    sys.addaudithook(hook)


def _taken() -> int:
    """Return the address space that this process has, in bytes: with CUDA's libraries some gigabytes."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**40
