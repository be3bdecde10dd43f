"""The example logs are what their conversations make."""

import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_logs_are_made_from_the_conversations_to_the_byte(tmp_path):
    """Whoever edits a conversation and forgets the logs, or reformats one by accident, learns it here."""
    for name in ("conversations", "making"):
        shutil.copytree(EXAMPLES / name, tmp_path / name)
    shutil.copy(EXAMPLES / "make_logs.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "make_logs.py"], check=True, capture_output=True)
    made = {file.relative_to(tmp_path): file.read_bytes() for file in (tmp_path / "logs").rglob("*") if file.is_file()}
    kept = {file.relative_to(EXAMPLES): file.read_bytes() for file in (EXAMPLES / "logs").rglob("*") if file.is_file()}
    assert made.keys() == kept.keys()
    assert [str(name) for name in made if made[name] != kept[name]] == []
    assert (tmp_path / "planted.json").read_bytes() == (EXAMPLES / "planted.json").read_bytes()
