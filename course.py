"""The commands of the course, the same in bash, zsh and PowerShell.

    python course.py                  install what is needed, get MNIST, open the lessons in JupyterLab
    python course.py test             install what is needed, get MNIST, run all tests
    python course.py site [FOLDER]    the same for the web site, which is written to FOLDER

and for teachers, each with a --help:

    python course.py stick FOLDER     all that machines without a network need
    python course.py handout FOLDER   the lessons without solutions and outputs
    python course.py grade FOLDER     grade what students sent

All use the virtual or conda environment they are started in, and otherwise make `.venv` beside this
file. After the first run none needs a network, but stick. Only the standard library is used, because nothing
else is installed yet; the syntax stays within Python 3.6's, so that an old Python can say what it lacks.
"""

import argparse
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
NEWEST_TRIED = (3, 14)
FIRST_LESSON = "01_data_exploration.ipynb"
STAMP = "mnist-notebooks.stamp"
WHEELS = ROOT / "wheels"  # beside the course on a stick; pip takes these and asks no network
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"  # PyTorch for Linux without 4.5 GB of CUDA
TEACHERS = {"stick": "teaching.stick", "handout": "teaching.handout", "grade": "teaching.grading"}
INTERRUPTED = 130  # what a shell reports after Ctrl-C


class CourseError(Exception):
    """What went wrong and what to do about it, in one line for the reader."""


def main(arguments=None):
    """Run one of the commands and return the exit status."""
    if sys.version_info < OLDEST:
        print(old_python_message(), file=sys.stderr)
        return 2
    options, others = read_arguments(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    os.environ["PIP_USER"] = "0"  # "user = true" in pip's configuration cannot work in an environment
    if WHEELS.is_dir():
        os.environ.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=WHEELS.as_uri())
    try:
        if not (ROOT / "requirements.txt").exists():
            raise CourseError(f"the rest of the course is not in {ROOT}; unpack the whole ZIP first")
        python, prefix = find_environment()
        install(python, prefix, options)
        status = run(python, "-m", "mnist_helpers", "fetch")
        if status != 0:
            return status
        if options.command == "test":
            return run(python, "-m", "pytest", *others)
        if options.command == "site":
            return build_site(python, *others)
        if options.command in TEACHERS:
            os.environ["PYTHONPATH"] = str(ROOT)  # for it runs where the teacher is
            return run(python, "-m", TEACHERS[options.command], *others, folder=None)
        return open_lessons(python, others)
    except (CourseError, OSError) as error:
        print(f"course.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ncourse.py: stopped. Start it again whenever you like.", file=sys.stderr)
        return INTERRUPTED


def old_python_message():
    """Say which Python is needed, in one line."""
    have = ".".join(str(part) for part in sys.version_info[:3])
    need = ".".join(str(part) for part in OLDEST)
    return f"course.py: this is Python {have}; the course needs Python {need} or newer."


def read_arguments(arguments):
    """Split the command line into our own options and what is passed on to JupyterLab or pytest."""
    parser = argparse.ArgumentParser(
        prog="course.py",
        description="Install what the course needs, get MNIST, and open the lessons in JupyterLab.",
        epilog="All other arguments are passed on: to JupyterLab (python course.py --no-browser), "
        "or to pytest (python course.py test -k lesson). Of site it is the folder (default: _site).",
        allow_abbrev=False,
    )
    commands = ["test", "site", *TEACHERS]
    parser.add_argument(
        "command",
        nargs="?",
        choices=commands,
        help="run all tests, build the web site, or, for teachers, prepare a stick or hand-outs, or grade, "
        "instead of opening the lessons",
    )
    build = parser.add_mutually_exclusive_group()
    build.add_argument("--cpu", action="store_true", help="insist on PyTorch without CUDA (Linux)")
    build.add_argument("--gpu", action="store_true", help="insist on PyTorch with CUDA (Linux)")
    # Only the first word can be the command; all others belong to pytest, JupyterLab or the command.
    ours = [each for each in arguments if each in ("--cpu", "--gpu")]
    others = [each for each in arguments if each not in ours]
    if others and others[0] in (*commands, "-h", "--help"):
        options, others = parser.parse_args(ours + others[:1]), others[1:]
        if options.command == "site" and (len(others) > 1 or "".join(others).startswith("-")):
            parser.error("site takes one folder")
        return options, others
    if others and not others[0].startswith("-"):
        known = f"leave it out to open the lessons, or write one of {', '.join(commands)}"
        parser.error(f"unknown command {others[0]!r}: {known}")
    return parser.parse_args(ours), others


def find_environment():
    """Return the Python to use and its environment's folder; make `.venv` if there is none."""
    in_virtual = sys.prefix != sys.base_prefix
    # Conda's base environment is like a system Python: full of other things, and not ours to fill.
    in_conda = Path(sys.prefix, "conda-meta").is_dir() and not Path(sys.prefix, "condabin").is_dir()
    if in_virtual or in_conda:
        return sys.executable, Path(sys.prefix)
    prefix = ROOT / ".venv"
    python = prefix / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        make_environment(prefix)
    check_python(python)
    return str(python), prefix


def make_environment(prefix):
    """Make a virtual environment at `prefix`, or say what is missing."""
    # Debian and Ubuntu take both modules out of Python's own standard library.
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        version = ".".join(str(part) for part in sys.version_info[:2])
        raise CourseError(
            f"this Python cannot make virtual environments; to fix that, run: "
            f"sudo apt install python{version}-venv"
        )
    print(f"Making a virtual environment in {prefix.name}", flush=True)
    if run(sys.executable, "-m", "venv", str(prefix)) != 0:
        raise CourseError(f"could not make the virtual environment {prefix} (see above)")


def check_python(python):
    """Make sure that the Python in `.venv` still runs and is new enough."""
    question = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    try:
        works = run(python, "-c", question, quiet=True) == 0
    except OSError:
        works = False
    if not works:
        raise CourseError(
            "the environment in .venv does not work (its Python is too old or was removed, or the folder "
            "was copied from another machine); delete the folder .venv and start again"
        )


def check_pip(python):
    """Make sure that the environment has pip; one interrupted while being made has none."""
    if run(python, "-m", "pip", "--version", quiet=True) == 0:
        return
    if run(python, "-m", "ensurepip") != 0:
        raise CourseError(f"there is no pip for {python}; make a new environment and start again")


def install(python, prefix, options):
    """Install the requirements, and those of a command, unless the stamp says that they are in place."""
    stamp = prefix / STAMP
    wanted = fingerprint()
    extra = None if options.command in TEACHERS else options.command
    installed = stamp.read_text(encoding="utf-8").split() if stamp.exists() else []
    if installed[:1] != [wanted]:
        installed = [wanted]  # followed by the commands whose extra is there
    elif (not extra or extra in installed) and not (options.cpu or options.gpu):
        return
    more = f"with what the command {extra} needs" if extra else "this takes a few minutes the first time"
    print(f"Installing the course's requirements ({more})", flush=True)
    command = [python, "-m", "pip", "install", "-r", "requirements.txt"]
    if extra:
        command += ["-e", f".[{extra}]"]
    check_pip(python)
    stamp.unlink(missing_ok=True)
    choose_build(python, options)
    if run(*command) != 0:
        raise CourseError(f"pip could not install everything (see above){install_hint()}")
    stamp.write_text(" ".join([*installed, extra or ""]).rstrip() + "\n", encoding="utf-8")


def choose_build(python, options):
    """On Linux, install PyTorch without CUDA where there is no NVIDIA card, or the build that was asked for.

    Both packages come from one place and in one go: builds of different places do not work together.
    """
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line.startswith("torch")]
    if sys.platform != "linux" or not packages:
        return
    question = "from importlib.metadata import version; print(version('torch'))"
    asked = subprocess.run([python, "-c", question], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    have = asked.stdout.decode().strip()  # such as 2.14.1+cpu; nothing if there is no torch
    insisted = options.cpu or options.gpu
    without_cuda = options.cpu or not (options.gpu or has_nvidia_card() or WHEELS.is_dir())
    if have.endswith("+cpu") == without_cuda or (have and not insisted):
        return
    command = [python, "-m", "pip", "install", "--force-reinstall", *packages]
    problem = None
    if without_cuda:
        command += ["-i", CPU_WHEELS]
        try:
            urllib.request.urlopen(CPU_WHEELS + "/torch/", timeout=20).close()
        except OSError as error:
            problem = f"{CPU_WHEELS} cannot be reached: {getattr(error, 'reason', error)}"
    if not problem and run(*command) != 0:
        problem = "see above"
    if problem and insisted:
        raise CourseError(f"this build of PyTorch cannot be had ({problem}); nothing was changed")
    if problem:
        print(
            f"Without the CPU build of PyTorch ({problem}): the ordinary one has 4.5 GB of CUDA", flush=True
        )


def has_nvidia_card():
    """Return whether the driver of an NVIDIA card is there: Linux's, or that of Windows under WSL."""
    return any(map(os.path.exists, ("/dev/nvidiactl", "/usr/lib/wsl/lib/nvidia-smi")))


def install_hint():
    """Return what is worth trying after a failed installation, as the end of a sentence."""
    if sys.version_info[:2] > NEWEST_TRIED:
        newest = ".".join(str(part) for part in NEWEST_TRIED)
        return f"; PyTorch may not be out for this Python yet: try Python {newest}"
    return "; the table in README.md under Troubleshooting has the common causes"


def fingerprint():
    """Hash what an installation depends on: the requirements and this folder's location."""
    parts = [(ROOT / name).read_bytes() for name in ("requirements.txt", "pyproject.toml")]
    parts.append(str(ROOT).encode("utf-8"))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def open_lessons(python, others):
    """Start JupyterLab with lesson 1 open and run it until Ctrl-C; options in ``others`` replace ours."""
    print("Opening lesson 1 in JupyterLab; press Ctrl-C twice in this window to end it", flush=True)
    ours = {
        # In the address that JupyterLab prints too, for those who have no browser on this machine.
        "default_url": "--LabApp.default_url=/lab/tree/" + FIRST_LESSON,
        # Its overrides.json spares the first screen a question about news; --LabApp.news_url does not.
        "app_settings_dir": "--LabApp.app_settings_dir=" + str(ROOT / "tools" / "jupyterlab"),
    }
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        ours.update({"allow_root": "--allow-root", "ip": "--ServerApp.ip=127.0.0.1"})
    for other in others:  # JupyterLab refuses an option that is given twice
        ours.pop(other.split("=")[0].split(".")[-1].lstrip("-"), None)
    for name in [name for name in os.environ if name.upper().endswith("_PROXY")]:
        if os.environ[name].lower().startswith("socks"):  # JupyterLab would end for want of a package for it
            print(f"{name} is a SOCKS proxy: JupyterLab is started without it", flush=True)
            del os.environ[name]
    # So that python is this environment's in JupyterLab's terminals, too.
    os.environ["PATH"] = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)])
    if "ip" in ours:
        print("You are root: JupyterLab serves only this machine (127.0.0.1) and needs its token", flush=True)
    return run(python, "-m", "jupyterlab", "notebooks", *ours.values(), *others, ends_on_interrupt=True)


def build_site(python, folder="_site"):
    """Build the web site from the lessons as they are stored, in half a minute, and say where it is."""
    folder = Path(folder).absolute()
    print(f"Building the site in {folder}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:  # for what Sphinx keeps beside its pages
        pages = Path(scratch, "site")
        where = ["-d", Path(scratch, "read"), "-c", "site", ".", pages]
        status = run(python, "-m", "sphinx", "-q", "-W", *where)
        if status == 0:
            shutil.copytree(pages, folder, dirs_exist_ok=True)
            print(f"Done: open {folder / 'index.html'} in a browser; it needs no network")
    return status


def run(*command, quiet=False, ends_on_interrupt=False, folder=ROOT):
    """Run a command in the course's folder, or another, and return its exit status.

    Ctrl-C reaches the command as well, which is given time to tidy up. After that KeyboardInterrupt is
    raised, except for a command that Ctrl-C is the normal way to end.
    """
    output = subprocess.DEVNULL if quiet else None
    interrupted = False
    with subprocess.Popen(
        [str(part) for part in command], cwd=folder, stdout=output, stderr=output
    ) as process:
        while True:
            try:
                status = process.wait()
                break
            except KeyboardInterrupt:
                interrupted = True
            except SystemExit:  # From SIGTERM, which, unlike Ctrl-C, has reached only this process.
                process.terminate()
                raise
    if interrupted and not ends_on_interrupt:
        raise KeyboardInterrupt
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
