"""The command line as people and scripts use it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import COMMANDS, gristmill, run_command

ROOT = Path(__file__).parent.parent.parent


def gristmill_process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the installed command in a process of its own."""
    program = Path(sys.executable).parent / "gristmill"
    return subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(name):
    """Scripts rest on --json, people on the example."""
    text = CliRunner().invoke(gristmill, [name, "--help"]).output
    assert f"gristmill {name}" in text.split("Example:")[1]
    assert "--json" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_readme(name):
    """Documents are tested: a command that the README does not name is not found."""
    assert f"gristmill {name}" in (ROOT / "README.md").read_text()


def test_a_mistyped_command_is_answered_with_its_neighbour(capsys):
    """Exit code 2 is wrong usage."""
    assert run_command(["scren"]) == 2
    assert "did you mean 'screen'" in capsys.readouterr().err


def test_a_name_that_nobody_types_stands_in_no_usage_line(capsys):
    """`gristmill release TAG` and `gristmill judge IN` are commands beside groups of the same name."""
    for arguments in (["release"], ["release", "v1", "--bogus"], ["judge", "--bogus"]):
        assert run_command(arguments) == 2
        said = capsys.readouterr().err
        assert f"Usage: gristmill {arguments[0]} [OPTIONS] " in said and "release tag" not in said
        assert f"'gristmill {arguments[0]} --help'" in said and "judge files" not in said


def test_a_missing_input_is_one_sentence_and_no_traceback(tmp_path):
    """What was asked, what was found, what to type next."""
    done = gristmill_process("screen", "nothing.parquet", "-o", "out.parquet", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"] == "InputError"
    assert "nothing.parquet does not exist" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_wrong_settings_file_is_wrong_usage(tmp_path):
    """The unknown key is named with the nearest known one."""
    (tmp_path / "gristmill.toml").write_text("[night]\nqouta = 3\n")
    done = gristmill_process("status", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'quota'" in done.stderr


def test_an_unexpected_failure_leaves_its_traceback_in_a_file(tmp_path, monkeypatch, capsys):
    """No traceback reaches the user, and none is lost."""
    monkeypatch.setitem(COMMANDS, "status", "flows.no_such_module:status")
    assert run_command(["status", "--json"]) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    file = Path(json.loads(captured.out)["message"].rsplit(" ", 1)[1])
    assert "ModuleNotFoundError" in file.read_text()
    file.unlink()
