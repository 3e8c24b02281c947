"""README, continuous integration and the repository's address agree with each other."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from .files import PROJECT, README, ROOT, TEST_COMMAND, repository_files

WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"
REPOSITORY = PROJECT["urls"]["Repository"]
ADDRESS = REPOSITORY.removeprefix("https://github.com/")


def workflow() -> dict:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


def test_readme_opens_with_the_two_commands():
    blocks = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks[:2] == ["python course.py\n", f"{TEST_COMMAND}\n"]
    assert README.index(blocks[1]) < README.index("\n## ")


@pytest.mark.skipif(os.name == "nt", reason="on Windows, bash may be another system's")
def test_ci_runs_the_readme_s_test_command():
    done = subprocess.run(
        ["bash", ".ci/run", "--print-command"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{TEST_COMMAND}\n"


def ci_run(folder: Path, readme: str) -> subprocess.CompletedProcess:
    """Run .ci/run, copied beside another README."""
    (folder / ".ci").mkdir()
    (folder / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    (folder / "README.md").write_text(readme, encoding="utf-8")
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHON": sys.executable}
    command = ["bash", folder / ".ci" / "run"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.name == "nt", reason="on Windows, bash may be another system's")
@pytest.mark.parametrize("readme", ["no marker\n```sh\nls\n```\n", "<!-- test command: x -->\nno block\n"])
def test_ci_says_when_the_readme_has_no_test_command(tmp_path, readme):
    done = ci_run(tmp_path, readme)
    assert done.returncode == 2
    assert "README.md has no code block" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="on Windows, bash may be another system's")
def test_ci_runs_in_a_fresh_environment_passes_the_status_on_and_tidies_up(tmp_path):
    block = "python -c 'import sys; print(sys.prefix)'\npython -m pip --version\nexit 7\n"
    others = ("```sh\nexit 1\n```\n", "```sh\nexit 2\n```\n")
    done = ci_run(tmp_path, f"{others[0]}<!-- test command: x -->\n```sh\n{block}```\n{others[1]}")
    if "ensurepip" in done.stdout + done.stderr:
        pytest.skip("this system's Python comes without venv")
    assert done.returncode == 7, done.stdout + done.stderr
    prefix = Path(done.stdout.splitlines()[-2])
    assert prefix.parent == tmp_path
    assert done.stdout.splitlines()[-1].startswith("pip ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".ci", "README.md"]


def test_workflow_runs_the_readme_s_test_command():
    commands = [step["run"].strip() for step in workflow()["jobs"]["test"]["steps"] if "run" in step]
    assert commands == [TEST_COMMAND]


def test_workflow_covers_systems_pythons_and_a_week():
    job = workflow()["jobs"]["test"]
    assert job["strategy"]["matrix"] == {
        "os": ["ubuntu-latest", "macos-latest", "windows-latest"],
        "python": ["3.11", "3.14"],
    }
    assert job["runs-on"] == "${{ matrix.os }}"
    assert job["timeout-minutes"] <= 60
    events = workflow()[True]  # YAML 1.1 reads the key "on" as a truth value.
    assert events.keys() == {"push", "pull_request", "schedule", "workflow_dispatch"}
    minute, hour, day, month, weekday = events["schedule"][0]["cron"].split()
    assert minute.isdecimal()
    assert hour.isdecimal()
    assert (day, month) == ("*", "*")
    assert weekday in set("0123456")


def test_workflow_s_oldest_python_is_the_package_s():
    oldest = workflow()["jobs"]["test"]["strategy"]["matrix"]["python"][0]
    assert PROJECT["requires-python"] == f">={oldest}"


def test_readme_s_links_into_the_repository_exist():
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    inside = [unquote(target.split("#")[0]) for target in targets if "://" not in target]
    assert len(inside) >= 7
    assert [target for target in inside if not (ROOT / target).exists()] == []


def test_readme_names_every_lesson_with_its_badge():
    lessons = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert lessons
    for lesson in lessons:
        badge = f"(https://colab.research.google.com/github/{ADDRESS}/blob/main/notebooks/{lesson})"
        rows = [
            line for line in README.splitlines() if line.startswith("|") and f"(notebooks/{lesson})" in line
        ]
        assert len(rows) == 1, lesson
        assert badge in rows[0]
    badges = set(re.findall(r"/blob/main/notebooks/([^)]+)\)", README))
    assert badges == set(lessons)


def test_the_container_opens_what_exists_by_the_course_s_command():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"] == "python course.py --version"
    assert all((ROOT / name).exists() for name in container["customizations"]["codespaces"]["openFiles"])


def test_readme_has_no_placeholder():
    assert "TODO" not in README


def test_every_github_address_of_this_repository_is_the_stated_one():
    """A repository that ends in our name, or any address with our paths in it, must be the stated one."""
    name = re.escape(ADDRESS.partition("/")[2])
    ours = re.compile(
        rf"github\.com[:/]([\w-]+/{name})\b|colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/"
    )
    found = {}
    for path in repository_files():
        for match in ours.finditer(path.read_text(encoding="utf-8", errors="replace")):
            found.setdefault(match[1] or match[2], set()).add(path.name)
    assert found.keys() == {ADDRESS}, found
    assert {"README.md", "pyproject.toml"} <= found[ADDRESS]


# Written in pieces, so that this file does not contain what it looks for. The sign before a folder's slash
# keeps out addresses on the web and the base64 of pictures.
PRIVATE = {
    "a folder of one machine": r"(?<![\w+/=.])/(?:home|root|work|tmp|Users|private/var|mnt|opt)" + r"/\w",
    "a folder of one Windows machine": r"(?<![\w+/=])[A-Z]:\\{1,2}" + r"Users\\",
    "a package registry": r"(?:py" + r"pi\.org|python" + r"hosted\.org|ana" + r"conda\.org|npm" + r"js\.)",
    "an index of one's own": r"--(?:extra-)?index" + r"-url",
}


@pytest.mark.parametrize("what", PRIVATE)
def test_no_file_names_a_machine_or_a_registry(what):
    pattern = re.compile(PRIVATE[what])
    found = {}
    for path in repository_files():
        match = pattern.search(path.read_text(encoding="utf-8", errors="replace"))
        if match:
            found[path.relative_to(ROOT).as_posix()] = match[0]
    assert found == {}


def test_no_data_or_checkpoint_is_in_the_repository():
    suffixes = {".pt", ".pth", ".ckpt", ".gz", ".npz", ".whl", ".zip"}
    unwanted = [path for path in repository_files() if path.suffix in suffixes or "ubyte" in path.name]
    assert unwanted == []


def test_lines_end_the_same_everywhere():
    texts = [path for path in repository_files() if path.suffix != ".png"]  # every PNG begins with \r\n
    assert [path.name for path in texts if b"\r\n" in path.read_bytes()] == []
