"""check on trees that no honest git would write: names that escape, files that are none, bombs; all real objects."""

import pytest

from tests.corpus.check_project import CheckProject
from tests.corpus.propose_project import git


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> CheckProject:
    project = CheckProject(tmp_path_factory.mktemp("trees"))
    project.started()
    return project


@pytest.mark.parametrize(
    ("name", "mode", "code"),
    [
        ("link", "120000", "not_a_file"),
        ("module", "160000", "not_a_file"),
        ("run.sh", "100755", "executable"),
        ("contributions", "120000", "not_a_file"),
        ("data", "160000", "not_a_file"),
        ("..", "100644", "bad_name"),
        (".", "100644", "bad_name"),
        (".git", "100644", "bad_name"),
        (".GIT", "100644", "bad_name"),
        (".git ", "100644", "bad_name"),
        ("git~1", "100644", "bad_name"),
        (".g\u200cit", "100644", "bad_name"),
        (".git::$INDEX_ALLOCATION", "100644", "bad_name"),
        ("a\\..\\b", "100644", "bad_name"),
        ("-rf", "100644", "not_allowed"),
        ("$(touch x)", "100644", "not_allowed"),
        ("a\x1b[2Jb", "100644", "bad_name"),
        ("corpus.TOML", "100644", "names_alike"),
    ],
)
def test_each_hostile_entry_is_refused(project, name, mode, code):
    """A checkout of such a tree writes outside its folder, runs a program, or hides a file behind another."""
    commit = project.object("commit", b"tree " + project.run("mktree").encode() + b"\n\n")
    content = commit.encode() if mode == "160000" else b"../../etc/passwd"
    tip = raw_entry(project, name.encode(), mode.encode(), content)
    found = project.check(tip)
    assert code in {one.code for one in found}
    assert all(one.path.isprintable() for one in found)


def raw_entry(project: CheckProject, name: bytes, mode: bytes, content: bytes) -> str:
    """A commit on the base with one entry more, whatever its name."""
    listed = project.run("ls-tree", "-z", project.base).split("\0")
    entries = []
    for line in filter(None, listed):
        facts, path = line.split("\t")
        old_mode, kind, oid = facts.split()
        entries.append((path.encode() + b"/" * (kind == "tree"), old_mode.lstrip("0").encode(), path.encode(), oid))
    oid = content.decode() if mode == b"160000" else project.object("blob", content)
    entries.append((name, mode, name, oid))
    raw = b"".join(each[1] + b" " + each[2] + b"\0" + bytes.fromhex(each[3]) for each in sorted(entries))
    return project.raw(project.base, raw)


def test_a_file_that_a_folder_names_twice_is_refused(project):
    """Two readers would see two contents: the one that is checked and the one that is used."""
    blobs = [project.object("blob", content) for content in (b"good\n", b"bad\n")]
    entry = b"100644 %s\0"
    raw = b"".join(entry % b"a.jsonl" + bytes.fromhex(blob) for blob in blobs)
    tip = project.raw(project.base, raw)
    assert "damaged_tree" in project.codes(tip)
    unsorted = b"".join(entry % name + bytes.fromhex(blobs[0]) for name in (b"b", b"a"))
    assert "damaged_tree" in project.codes(project.raw(project.base, unsorted))
    odd_mode = b"100666 a\0" + bytes.fromhex(blobs[0])
    assert "damaged_tree" in project.codes(project.raw(project.base, odd_mode))


def test_a_bomb_is_refused_before_it_is_unfolded(project):
    """Ten trees of ten entries each stand for 10^10 paths in two kilobytes."""
    oid = project.object("blob", b"x")
    raw = b"".join(b"100644 f%d\0" % n + bytes.fromhex(oid) for n in range(10))
    for _ in range(9):
        tree = project.object("tree", raw)
        raw = b"".join(b"40000 d%d\0" % n + bytes.fromhex(tree) for n in range(10))
    found = project.check(project.raw(project.base, raw))
    assert {one.code for one in found} == {"too_many_files"}
    assert "10,000,000,000" in found[0].message


def test_a_bomb_in_an_earlier_commit_is_refused_too(project):
    """A merge brings the whole history; clones that look at that commit would unfold it."""
    oid = project.object("blob", b"x")
    raw = b"100644 f\0" + bytes.fromhex(oid)
    for _ in range(40):
        raw = b"40000 d\0" + bytes.fromhex(project.object("tree", raw))
    deep = project.raw(project.base, raw)
    named = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    clean = project.run(*named, "commit-tree", f"{project.base}^{{tree}}", "-p", deep, "-m", "clean")
    assert project.codes(clean) == {"too_many_files"}


def test_too_many_and_too_large_files_are_refused_unread(project, monkeypatch):
    """Limits are looked at before contents are; sizes come from the objects' heads."""
    monkeypatch.setattr("corpus.check.FILES_MAX", 3)
    tree = project.on("main")
    for number in range(5):
        (tree / f"f{number}").write_bytes(b"x")
    assert project.codes(project.commit(tree)) == {"too_many_files"}
    monkeypatch.setattr("corpus.check.FILES_MAX", 100)
    monkeypatch.setattr("corpus.check.FILE_BYTES_MAX", 10)
    tree = project.on("main")
    (tree / "large").write_bytes(b"x" * 11)
    project.commit(tree)
    (tree / "large").unlink()
    found = project.check(project.commit(tree))
    assert {(one.code, one.path) for one in found} == {("too_large", "large")}


def test_a_branch_name_is_never_read_as_an_option(project):
    """`gristmill check --head=--upload-pack=...` must not reach git as an option."""
    from corpus.checks.place import open_place
    from schemas.errors import InputError

    for name in ("--upload-pack=touch x", "a\nb", "no-such"):
        with pytest.raises(InputError), open_place(str(project.remote), "main", name):
            pass
    with open_place(str(project.remote), None, "main") as place:
        assert place.base == place.head == git(project.remote, "rev-parse", "main")
