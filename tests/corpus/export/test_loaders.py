"""The toolkits' loaders: what a run of them tells of rows that are lost and of packages that are not to be had."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.export.registry import FORMATS
from tests.corpus.export.loaders import nightly
from tests.corpus.export.loaders.environments import environment, run

LOADERS = Path(nightly.__file__).parent
HUGGINGFACE = [(name, kind) for name in ("huggingface", "huggingface-jsonl") for kind in FORMATS[name].shapes]

COUNTS = """
import json, pathlib, sys
counts = json.loads((pathlib.Path(sys.argv[-1]) / "export.json").read_text())["splits"]
"""


def loader(ending):
    """A command that stands for a loader: it knows the counts, and says or does what `ending` says."""
    return [sys.executable, "-c", COUNTS + ending]


@pytest.fixture
def pinned(tmp_path):
    """A folder of requirements by which nothing can be installed, whatever the network."""
    folder = tmp_path / "requirements"
    folder.mkdir()
    (folder / "trl.txt").write_text(f"{tmp_path / 'no-such-wheel-1-py3-none-any.whl'}\n")
    return folder


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="datasets is not installed; see make loaders")
@pytest.mark.parametrize(("form", "kind"), HUGGINGFACE)
def test_datasets_loads_every_row_of_the_plain_folder(tmp_path, form, kind):
    """The folder's README promises it: `load_dataset` verifies the types and the counts that are written there."""
    found = nightly.line("datasets", form, kind, [sys.executable, LOADERS / "huggingface_loader.py"], tmp_path)
    assert found.problem is None
    assert found.loaded == found.exported.written > 0


def test_a_loader_that_reads_all_rows_is_no_problem(tmp_path):
    """The counts of the splits are those of the manifest."""
    command = loader("print(json.dumps({'rows': counts, 'version': '1'}))")
    found = nightly.line("trl", "trl", "sft", command, tmp_path)
    assert found.problem is None
    assert found.loaded == found.exported.written == 55


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ("counts['train'] -= 1; print(json.dumps({'rows': counts, 'version': '1'}))", "rows were read of"),
        ("del counts['validation']; print(json.dumps({'rows': counts, 'version': '1'}))", "rows were read of"),
        ("raise ValueError('row 3: no role')", "row 3: no role"),
        ("sys.exit(1)", "non-zero exit status 1"),
        ("print('all is well')", "Expecting value"),
        ("", "list index out of range"),
    ],
)
def test_a_loader_that_refuses_rows_or_loses_one_is_a_problem(tmp_path, ending, told):
    """What it cannot say in full is no success either."""
    found = nightly.line("trl", "trl", "sft", loader(ending), tmp_path)
    assert found.problem is not None
    assert told in found.problem


def test_a_loader_that_hangs_is_a_problem_unless_the_time_for_all_was_up(tmp_path, monkeypatch):
    """The limit of one is its own fault; the limit of all may be that of a slow network before it."""
    monkeypatch.setattr(nightly, "LOADER_SECONDS", 0.2)
    hangs = loader("import time; time.sleep(60)")
    assert "timed out" in nightly.line("trl", "trl", "sft", hangs, tmp_path / "one").problem
    with pytest.raises(nightly.NotChecked, match="time for all loaders was up"):
        nightly.line("trl", "trl", "sft", hangs, tmp_path / "two", nightly.Limit(ends_at=0.0))


def test_a_package_that_cannot_be_imported_is_told_as_not_checked(tmp_path):
    """A wheel may install where its machine code does not run; that says nothing about our rows."""
    command = [sys.executable, "-ES", LOADERS / "huggingface_loader.py"]
    with pytest.raises(nightly.NotChecked, match="cannot be imported.*datasets"):
        nightly.line("datasets", "huggingface", "sft", command, tmp_path)


def test_what_cannot_be_installed_fails_nothing_where_it_need_not(tmp_path, pinned, capsys):
    """Continuous integration must not turn red because a registry is away; the nightly run must say so."""
    cache = tmp_path / "cache"
    assert nightly.main(cache, ["trl"], minutes=1, requirements=pinned) == 0
    assert "not checked: trl: could not be installed" in capsys.readouterr().err
    assert nightly.main(cache, ["trl"], requirements=pinned) == 2
    assert not (cache / "trl").exists()


def test_no_time_left_is_told_and_no_failure(tmp_path, pinned, capsys):
    """The step has a limit as a whole: what is not reached is not checked."""
    assert nightly.main(tmp_path / "cache", ["trl"], minutes=0, requirements=pinned) == 0
    assert "not checked: trl: could not be installed within 0 s" in capsys.readouterr().err


def test_an_environment_is_made_once_per_change_of_its_pins(tmp_path):
    """A marker that outlives its pins would check yesterday's toolkit."""
    requirements, cache = tmp_path / "requirements", tmp_path / "cache"
    requirements.mkdir()
    (requirements / "trl.txt").write_text("# nothing\n")
    python = environment(cache, "trl", 60, requirements)
    assert subprocess.run([python, "-c", ""], check=True).returncode == 0
    assert environment(cache, "trl", 0, requirements) == python
    (requirements / "trl.constraints.txt").write_text("# something else\n")
    with pytest.raises(subprocess.TimeoutExpired):
        environment(cache, "trl", 0, requirements)
    assert not (cache / "trl").exists()


def test_a_command_that_is_stopped_takes_along_what_it_started(tmp_path):
    """An installer's children hold its pipes: to wait for them would be to wait for ever."""
    sleeps = shutil.which("sleep")
    starts = f"import subprocess; subprocess.run([{sleeps!r}, '60'])"
    with pytest.raises(subprocess.TimeoutExpired):
        run([sys.executable, "-c", starts], 1.0)
