"""The commands of the course, the same in bash, zsh and PowerShell.

    python course.py                  install what is needed, get MNIST, open the lessons in JupyterLab
    python course.py test             install what is needed, get MNIST, run all tests
    python course.py site [FOLDER]    the same for the web site, which is written to FOLDER

All use the virtual or conda environment they are started in, and otherwise make `.venv` beside this
file. After the first run none needs a network. Only the standard library is used, because nothing
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
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
NEWEST_TRIED = (3, 14)
FIRST_LESSON = "01_data_exploration.ipynb"
STAMP = "mnist-notebooks.stamp"
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
    try:
        if not (ROOT / "requirements.txt").exists():
            raise CourseError(f"the rest of the course is not in {ROOT}; unpack the whole ZIP first")
        python, prefix = find_environment()
        install(python, prefix, options.command)
        status = run(python, "-m", "mnist_helpers", "fetch")
        if status != 0:
            return status
        if options.command == "test":
            return run(python, "-m", "pytest", *others)
        if options.command == "site":
            return build_site(python, *others)
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
    parser.add_argument(
        "command",
        nargs="?",
        choices=["test", "site"],
        help="run all tests, or build the web site, instead of opening the lessons",
    )
    # Only the first word can be the command; all others belong to pytest or JupyterLab.
    if arguments and arguments[0] in ("test", "site", "-h", "--help"):
        options, others = parser.parse_args(arguments[:1]), list(arguments[1:])
        if options.command == "site" and (len(others) > 1 or "".join(others).startswith("-")):
            parser.error("site takes one folder")
        return options, others
    if arguments and not arguments[0].startswith("-"):
        known = "leave it out to open the lessons, or write test or site"
        parser.error(f"unknown command {arguments[0]!r}: {known}")
    return parser.parse_args([]), list(arguments)


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


def install(python, prefix, extra):
    """Install the requirements, and those of a command, unless the stamp says that they are in place."""
    stamp = prefix / STAMP
    wanted = fingerprint()
    installed = stamp.read_text(encoding="utf-8").split() if stamp.exists() else []
    if installed[:1] != [wanted]:
        installed = [wanted]  # followed by the commands whose extra is there
    elif not extra or extra in installed:
        return
    more = f"with what the command {extra} needs" if extra else "this takes a few minutes the first time"
    print(f"Installing the course's requirements ({more})", flush=True)
    command = [python, "-m", "pip", "install", "-r", "requirements.txt"]
    if extra:
        command += ["-e", f".[{extra}]"]
    check_pip(python)
    stamp.unlink(missing_ok=True)
    if run(*command) != 0:
        raise CourseError(f"pip could not install everything (see above){install_hint()}")
    stamp.write_text(" ".join([*installed, extra or ""]).rstrip() + "\n", encoding="utf-8")


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


def run(*command, quiet=False, ends_on_interrupt=False):
    """Run a command in the course's folder and return its exit status.

    Ctrl-C reaches the command as well, which is given time to tidy up. After that KeyboardInterrupt is
    raised, except for a command that Ctrl-C is the normal way to end.
    """
    output = subprocess.DEVNULL if quiet else None
    interrupted = False
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=output, stderr=output) as process:
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
