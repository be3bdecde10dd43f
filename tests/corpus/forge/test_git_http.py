"""Git with a token over HTTP: pushes and fetches, and the token is nowhere afterwards."""

import base64
import logging
import os
import subprocess
from pathlib import Path

import pytest

from corpus.credentials import credential_config
from corpus.propose import init_corpus, propose
from corpus.remote import Remote, remote_of
from corpus.validate import build_samples
from schemas.errors import CorpusError, SettingsError
from schemas.settings import CorpusSettings, parse_settings
from tests.corpus.forge.git_server import GitServer, git_serving
from tests.corpus.judged_rows import row, write_selected

NIGHT = "2026-11-04"
TOKEN = "".join(("tok", "en%of+the/", "tests", "0123456789"))
VARIABLE = "GIT_TEST_TOKEN"
"""A name that begins as git's own variables do: those are hidden from git, this one must reach it."""


@pytest.fixture
def server(tmp_path):
    bare = tmp_path / "forge" / "ann" / "corpus.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    subprocess.run(["git", "-C", str(bare), "config", "http.receivepack", "true"], check=True)
    with git_serving(GitServer(tmp_path / "forge", TOKEN)) as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A person's home, with a helper that keeps every password it hears of."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / ".gitconfig").write_text("[credential]\n\thelper = store\n[core]\n\tlogAllRefUpdates = always\n")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.delenv(name, raising=False)
    return folder


def corpus_at(server: GitServer, **more: str) -> CorpusSettings:
    return CorpusSettings(remote=f"{server.url}/ann/corpus.git", **more)


def proposed(root: Path, corpus: CorpusSettings) -> str:
    samples = root / "samples.parquet"
    selected = write_selected(root / "in.parquet", [row(number=n) for n in range(4)])
    build_samples(selected, samples, night=NIGHT, publish_subjects=False)
    place = {"root": root, "clone": root / "var" / "clone.git"}
    return propose(samples, corpus=corpus, night=NIGHT, record={"steps": []}, **place).state


def places_of(token: str, folder: Path) -> list[Path]:
    """The files below a folder that hold the token, plain or as HTTP writes it."""
    encoded = base64.b64encode(f"x-access-token:{token}".encode())
    forms = (token.encode(), encoded, encoded.rstrip(b"=")[:-1], token.replace("/", "%2F").encode())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    return [path for path in files if any(form in path.read_bytes() for form in forms)]


WATCH = """#!/bin/sh
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' > "$GIT_DIR/../../processes"
exit 0
"""


def test_a_night_is_pushed_and_the_token_is_nowhere(server, home, tmp_path, monkeypatch, caplog):
    """Not in an address, file, log record, reflog, credential store, or in the list of processes during the push."""
    hook = server.folder / "ann" / "corpus.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(WATCH)
    hook.chmod(0o755)
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(VARIABLE, TOKEN)
    corpus = corpus_at(server, token_env=VARIABLE)
    assert proposed(tmp_path, corpus) == "proposed"
    assert proposed(tmp_path, corpus) == "unchanged"
    assert any(authorization for _, authorization in server.seen), "the token was used"
    processes = (server.folder / "processes").read_text(errors="replace")
    assert "corpus.git" in processes or not Path("/proc/self").exists()
    assert places_of(TOKEN, tmp_path) == []
    assert not (home / ".git-credentials").exists()
    assert TOKEN not in "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)


def test_gits_own_ways_work_as_well(server, home, tmp_path, monkeypatch):
    """Without the setting, git asks whoever the user says: here a program that prints the token."""
    asked = home / "askpass"
    asked.write_text("#!/bin/sh\nprintf '%s' \"$OWN_TOKEN\"\n")
    asked.chmod(0o755)
    (home / ".gitconfig").write_text("")
    monkeypatch.setenv("GIT_ASKPASS", str(asked))
    monkeypatch.setenv("OWN_TOKEN", TOKEN)
    assert proposed(tmp_path, corpus_at(server)) == "proposed"
    assert places_of(TOKEN, tmp_path) == []


def test_a_header_from_the_environment_works_as_well(server, home, tmp_path, monkeypatch):
    """What CI systems set up: http.extraHeader in GIT_CONFIG_* variables, kept beside ours."""
    code = base64.b64encode(f"x:{TOKEN}".encode()).decode()
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"http.{server.url}/.extraHeader")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"Authorization: Basic {code}")
    assert proposed(tmp_path, corpus_at(server)) == "proposed"
    assert places_of(TOKEN, tmp_path) == []


def test_a_revoked_token_is_told_without_it(server, home, tmp_path, monkeypatch):
    """The message says which setting names it, and git does not ask a person at night."""
    wrong = TOKEN[::-1]
    monkeypatch.setenv(VARIABLE, wrong)
    with pytest.raises(CorpusError, match=r"corpus\.token_env") as error:
        proposed(tmp_path, corpus_at(server, token_env=VARIABLE))
    assert wrong not in str(error.value)
    assert places_of(wrong, tmp_path) == []


def test_a_missing_token_names_its_variable(server, home, tmp_path, monkeypatch):
    """Before git is asked anything."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SettingsError, match=VARIABLE):
        init_corpus(corpus_at(server, token_env=VARIABLE), root=tmp_path, clone=tmp_path / "var" / "clone.git")
    assert server.seen == []


@pytest.mark.parametrize("before_asking", [True, False])
def test_git_gives_the_token_to_no_other_host(server, home, tmp_path, monkeypatch, before_asking):
    """A forge that was taken over may redirect; the other host hears nothing of the token."""
    monkeypatch.setenv(VARIABLE, TOKEN)
    with git_serving(GitServer(tmp_path / "forge", TOKEN)) as other:
        server.redirect = other.url.replace("127.0.0.1", "localhost")
        server.redirects_before_asking = before_asking
        with pytest.raises(CorpusError):
            init_corpus(corpus_at(server, token_env=VARIABLE), root=tmp_path, clone=tmp_path / "var" / "clone.git")
        assert [authorization for _, authorization in other.seen if authorization] == []


def test_the_configuration_names_the_variable_and_not_the_token(monkeypatch):
    """Configuration in variables is inherited by every program that git starts."""
    monkeypatch.setenv(VARIABLE, TOKEN)
    remote = Remote("https://git.example.org:8443/ann/corpus.git", None, VARIABLE)
    config = credential_config(remote)
    assert TOKEN not in str(config)
    assert {key for key, _ in config} == {"credential.https://git.example.org:8443.helper"}
    assert config[0][1] == "", "the user's helpers are forgotten before ours is named"


def test_no_token_travels_unencrypted():
    """Only to this machine itself."""
    with pytest.raises(SettingsError, match="https"):
        credential_config(Remote("http://git.example.org/ann/corpus.git", None, VARIABLE))
    for address in ("ssh://git@git.example.org/ann/corpus.git", "git@git.example.org:ann/corpus.git"):
        assert credential_config(remote_of(address, Path(os.sep), VARIABLE)) == []


def test_a_password_in_the_address_is_refused_unseen():
    """Settings are printed at every run and kept in repositories."""
    with pytest.raises(SettingsError, match=r"corpus\.token_env") as error:
        parse_settings({"corpus": {"remote": f"https://ann:{TOKEN}@git.example.org/ann/corpus.git"}})
    assert TOKEN not in str(error.value)
    for fine in ("https://ann@git.example.org/corpus.git", "https://git.example.org:8443/a@b.git", "git@host:a/b.git"):
        assert parse_settings({"corpus": {"remote": fine}}).corpus.remote == fine
