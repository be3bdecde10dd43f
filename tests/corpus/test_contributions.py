"""Contributions: what was merged unrated is read by the next night like any other log."""

from corpus.contributions import contributed_source
from corpus.pull import pull
from corpus.stage import read_rows
from tests.corpus.check_project import CheckProject, talk


def test_a_merged_contribution_is_pulled_with_its_own_consent_and_licence(tmp_path):
    """The file is all that there is: nobody wrote a consent into the settings for it."""
    project = CheckProject(tmp_path)
    project.started()
    place = {**project.place, "folder": tmp_path / "var" / "contributions"}
    assert contributed_source(project.corpus, **place) is None
    project.contributed(talk("What is grist?", "Corn for grinding.", language="en", model="small"))
    project.run("branch", "--force", "main", "change")
    source = contributed_source(project.corpus, **place)
    assert source is not None
    output = tmp_path / "pulled.parquet"
    key = b"k" * 16
    report = pull([source], output, root=tmp_path, subject_key=key, licences=("CC0-1.0",), hold_unconsented=True)
    assert (report.n_in, report.kept) == (1, 1)
    (found,) = read_rows(output)
    assert (found["consent"], found["licence"], found["language"]) == ("I wrote both sides", "CC0-1.0", "en")
    assert found["messages"][-1] == {"role": "assistant", "content": "Corn for grinding."}


def test_only_plain_files_of_the_form_are_brought(tmp_path):
    """A link in the corpus must not lead the night to read a file of this machine."""
    project = CheckProject(tmp_path)
    project.started()
    tree = project.on("main")
    folder = tree / "contributions" / "2026-11"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").symlink_to("/etc/passwd")
    (folder / "B.jsonl").write_bytes(talk("What is grist?", "Corn."))
    project.commit(tree)
    project.run("branch", "--force", "main", "change")
    assert contributed_source(project.corpus, **project.place, folder=tmp_path / "var" / "contributions") is None
