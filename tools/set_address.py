"""Give the repository another address, everywhere it stands.

    python tools/set_address.py OWNER/NAME

The address in use is read from pyproject.toml. Every occurrence of it in a file of the repository (badges
and set-up cells of the notebooks, README, workflows, tests) is replaced as bytes, so that nothing else in
a file changes and running the command back restores every file as it was.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# GitHub's own rules: an owner has letters, digits and single hyphens; a name has dots and underscores too.
ADDRESS = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
# Never part of the repository. Only needed where git cannot be asked, as in an unpacked ZIP.
SKIPPED_FOLDERS = {".git", ".venv", "venv", "data", "__pycache__", ".ipynb_checkpoints", ".pytest_cache"}


class AddressError(Exception):
    """Why the address cannot be changed, in one line."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Change the repository's address everywhere it stands.")
    parser.add_argument("address", metavar="OWNER/NAME", help="the new address on GitHub")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    options = parser.parse_args(arguments)
    if not ADDRESS.fullmatch(options.address) or options.address.endswith(".git"):
        parser.error(f"{options.address!r} is not an address of the form OWNER/NAME")
    try:
        old = current_address(ROOT)
        changes = find_changes(ROOT, old, options.address)
    except AddressError as error:
        print(f"set_address.py: {error}", file=sys.stderr)
        return 1
    for path, (content, count) in changes.items():
        print(f"{path.relative_to(ROOT).as_posix()}: {count}")
        if not options.dry_run:
            path.write_bytes(content)
    verb = "would change" if options.dry_run else "changed"
    print(f"{old} -> {options.address}: {len(changes)} files {verb}")
    return 0


def current_address(root: Path) -> str:
    """Return OWNER/NAME as pyproject.toml states it.

    Raises AddressError if the statement is missing or is no address on GitHub.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    url = project.get("urls", {}).get("Repository", "")
    address = url.removeprefix("https://github.com/")
    if address == url or not ADDRESS.fullmatch(address):
        raise AddressError(f"pyproject.toml states no repository on GitHub: {url!r}")
    return address


def pattern_of(address: str) -> re.Pattern[bytes]:
    """Match the address as a whole: not inside a longer owner or name, but before ``.git`` or a full stop."""
    return re.compile(rb"(?<![\w.-])" + re.escape(address).encode() + rb"(?![\w-]|\.(?!git\b)\w)")


def find_changes(root: Path, old: str, new: str) -> dict[Path, tuple[bytes, int]]:
    """Return each file to be changed with its new content and the number of replacements.

    Raises AddressError if a file already names the new address: running the command back could then not
    tell that place from the ones it had changed.
    """
    changes = {}
    for path in repository_files(root):
        content = path.read_bytes()
        if old != new and pattern_of(new).search(content):
            raise AddressError(
                f"{path.relative_to(root).as_posix()} names {new} already; nothing was changed"
            )
        content, count = pattern_of(old).subn(new.encode(), content)
        if count:
            changes[path] = (content, count)
    return changes


def repository_files(root: Path) -> list[Path]:
    """Return the files that git tracks or would track, or without git all that are not made by a tool."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, capture_output=True, check=True).stdout
        paths = [root / os.fsdecode(name) for name in listing.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in root.rglob("*") if not SKIPPED_FOLDERS & {*path.relative_to(root).parts}]
    return sorted({path for path in paths if path.is_file() and not path.is_symlink()})


if __name__ == "__main__":
    sys.exit(main())
