"""tools/set_address.py changes the address everywhere, and back again byte for byte."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .files import PROJECT, ROOT, repository_files

OLD = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
# Joined here: a file that named the new address already would be refused.
NEW = "/".join(["An-Owner", "a.new_name"])


def set_address(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the tool as a command in a copy of the repository."""
    return subprocess.run(
        [sys.executable, folder / "tools" / "set_address.py", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


@pytest.fixture(params=["git", "no git"])
def copy(tmp_path, request) -> Path:
    """A copy of the repository's own files, as a git checkout and as an unpacked ZIP."""
    for path in repository_files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if request.param == "git":
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        subprocess.run(["git", "-C", tmp_path, "add", "-A"], check=True, capture_output=True)
    return tmp_path


def test_no_trace_of_the_old_address_and_back_byte_for_byte(copy):
    before = contents(copy)
    done = set_address(copy, NEW)
    assert done.returncode == 0, done.stderr
    changed = contents(copy)
    assert [name for name, content in changed.items() if OLD.encode() in content] == []
    assert NEW.encode() in changed["pyproject.toml"]
    differing = {name for name in before if before[name] != changed[name]}
    assert {"README.md", "pyproject.toml"} <= differing
    assert {line.rsplit(":", 1)[0] for line in done.stdout.splitlines()[:-1]} == differing
    assert set_address(copy, OLD).returncode == 0
    assert contents(copy) == before


def test_dry_run_changes_nothing(copy):
    before = contents(copy)
    done = set_address(copy, "--dry-run", NEW)
    assert done.returncode == 0
    assert "README.md: " in done.stdout
    assert contents(copy) == before


def test_counts_and_neighbours_that_are_not_the_address(copy):
    """A longer owner or name, and the name alone, stay as they are; .git and a full stop may follow."""
    owner, name = OLD.split("/")
    line = f"{OLD}.git x{OLD} {OLD}-two {OLD}.io ({OLD}). {name} {owner} /{OLD}/blob"
    (copy / "note.txt").write_text(line, encoding="utf-8")
    done = set_address(copy, NEW)
    assert "note.txt: 3" in done.stdout.splitlines()
    expected = f"{NEW}.git x{OLD} {OLD}-two {OLD}.io ({NEW}). {name} {owner} /{NEW}/blob"
    assert (copy / "note.txt").read_text(encoding="utf-8") == expected


def test_all_other_bytes_stay_as_they_are(copy):
    around = (b"caf\xe9\r\n", b"\rend")
    (copy / "note.txt").write_bytes(OLD.encode().join(around))
    assert set_address(copy, NEW).returncode == 0
    assert (copy / "note.txt").read_bytes() == NEW.encode().join(around)


def test_an_address_that_stands_somewhere_already_is_refused(copy):
    (copy / "note.txt").write_text(NEW, encoding="utf-8")
    before = contents(copy)
    done = set_address(copy, NEW)
    assert done.returncode == 1
    assert done.stderr.startswith("set_address.py: note.txt names")
    assert contents(copy) == before


@pytest.mark.parametrize(
    "address", ["", "name", "a/b/c", "-a/b", "a--b/c", "a/..", "a/b c", "a/b.git", "https://github.com/a/b"]
)
def test_what_is_no_address_is_refused(address):
    done = set_address(ROOT, "--dry-run", "--", address)
    assert done.returncode == 2
    assert "is not an address of the form OWNER/NAME" in done.stderr
