"""From a reviewed night to a round that was started: real git, real HTTP on loopback, real processes."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from datetime import UTC, datetime

import pytest

from corpus.round_manifest import NAMESPACE
from corpus.signing import signed_by
from flows import rounds, trigger
from flows.cli import run_command
from schemas.errors import InputError, SettingsError
from schemas.round import RoundManifest
from tests.corpus.propose_project import git
from tests.corpus.reviewed_night import NIGHT
from tests.flows.round_project import (
    WRITES,
    Receiver,
    RoundProject,
    command_settings,
    everything,
    later,
    receiving,
    webhook_settings,
)


def test_a_finished_night_is_merged_released_and_its_round_is_posted(tmp_path):
    """The whole point: nobody types anything between the last review and the next round."""
    with receiving(Receiver()) as receiver:
        made = RoundProject(tmp_path / "p", webhook_settings(receiver.url))
        made.finish(made.night.ids[0])
        merged, started = everything(made)
        assert [one.night for one in merged] == [NIGHT] and made.night.kept() == made.night.ids[1:]
        assert [(one.release, one.state) for one in started] == [(NIGHT, "started")]
        assert everything(made) == ([], []), "the second time there is nothing to do"
    body = receiver.bodies[NIGHT]
    manifest = RoundManifest.from_content(body)
    commit = git(made.night.project.remote, "rev-parse", f"{NIGHT}^{{commit}}")
    release = subprocess.check_output(["git", "show", f"{NIGHT}:releases/{NIGHT}.json"], cwd=made.night.project.remote)
    assert (manifest.tag, manifest.commit) == (NIGHT, commit)
    assert manifest.release_sha256 == hashlib.sha256(release).hexdigest()
    assert manifest.counts["train"] == 5 and manifest.experts == {"general": {"train": 5}}
    folder = made.root / "var" / "exports" / NIGHT
    assert (folder / "manifest.json").read_bytes() == body
    (export,) = manifest.exports
    assert sum(export["rows"].values()) == 5 and {"export.json", "README.md"} < {one["path"] for one in export["files"]}
    for file in export["files"]:
        content = (folder / export["folder"] / file["path"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["sha256"], file["bytes"])
    assert receiver.problems == [] and "gristmill-manifest-signature" not in receiver.headers[0]


def test_too_few_samples_cut_nothing_and_more_cut_one(tmp_path):
    """A release a night would split the corpus into crumbs."""
    made = RoundProject(tmp_path / "p", command_settings(WRITES, str(tmp_path / "ran")))
    made.finish(*made.night.ids[:4])
    merged, started = everything(made)
    assert len(merged) == 1 and started == [] and not (tmp_path / "ran").exists()
    found, _ = trigger.due_release(made.project)
    assert (found.n_new, found.since, found.tag) == (2, None, NIGHT)
    text = (made.root / "gristmill.toml").read_text().replace("min_new_samples = 3", "min_new_samples = 2")
    (made.root / "gristmill.toml").write_text(text)
    _, started = everything(made)
    assert [(one.release, one.state) for one in started] == [(NIGHT, "done")]
    found, _ = trigger.due_release(made.project)
    assert (found.n_new, found.since, found.tag) == (0, NIGHT, f"{NIGHT}.2"), "a name that is taken is not taken again"


def test_two_samples_withdrawn_before_a_retry_are_not_in_the_export_that_starts(tmp_path):
    """A round that waited for days must not learn what left meanwhile."""
    with receiving(Receiver(answers=[(500, {}, b"")])) as receiver:
        made = RoundProject(tmp_path / "p", webhook_settings(receiver.url))
        made.finish()
        _, (one,) = everything(made)
        config = ["--config", str(made.root / "gristmill.toml")]
        assert run_command([*config, "retract", made.night.ids[2], "--reason", "asked"]) in (0, 3)
        one = trigger.go_on(made.project, NIGHT, later(one))
        assert one.state == "started"
    (export,) = RoundManifest.from_content(receiver.bodies[NIGHT]).exports
    assert sum(export["rows"].values()) == 5 and export["left_out"] == {"withdrawn": 1}


def test_a_signed_manifest_is_checked_with_ssh_keygen_and_an_unsigned_one_says_so(tmp_path, capsys):
    """Whoever trains must be able to tell our order from anybody's."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"ann@example.org {key.with_suffix('.pub').read_text()}")
    with receiving(Receiver()) as receiver:
        made = RoundProject(tmp_path / "p", webhook_settings(receiver.url) + f'signing_key = "{key}"\n')
        made.finish()
        config = ["--config", str(made.root / "gristmill.toml")]
        assert run_command([*config, "trigger"]) == 0
        assert "NOT signed" not in capsys.readouterr().err
        made.settings(webhook_settings(receiver.url))
        assert run_command([*config, "trigger", NIGHT, "--again"]) == 0
        assert "NOT signed" in capsys.readouterr().err
    signature = base64.b64decode(receiver.headers[0]["gristmill-manifest-signature"])
    assert signed_by(receiver.bodies[NIGHT], signature, signers, NAMESPACE) == "ann@example.org"
    assert signed_by(receiver.bodies[NIGHT] + b" ", signature, signers, NAMESPACE) is None
    assert [headers["webhook-id"] for headers in receiver.headers] == [NIGHT, f"{NIGHT}.2"]


def test_status_shows_a_round_that_cannot_start_with_what_to_type(tmp_path, capsys):
    """The next morning's question: did it start, and if not, what now."""
    made = RoundProject(tmp_path / "p", "next_round = 'command'\ncommand = ['no-such-trainer']\n")
    config = ["--config", str(made.root / "gristmill.toml")]
    made.finish()
    assert run_command([*config, "trigger", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["nights"][0]["night"] == NIGHT and told["rounds"][0]["state"] == "waiting"
    assert run_command([*config, "status", "--json"]) == 3
    captured = capsys.readouterr()
    assert f"round {NIGHT}: waiting (1 failed): no-such-trainer cannot be run" in captured.err
    assert (
        f"`gristmill trigger {NIGHT}` tries now" in captured.err and "next release: 0 of 3 new samples" in captured.err
    )
    assert json.loads(captured.out)["next_release"]["since"] == NIGHT
    assert run_command([*config, "trigger", NIGHT]) == 3
    assert run_command([*config, "trigger", NIGHT, "--drop"]) == 0
    assert run_command([*config, "status"]) == 0
    assert run_command([*config, "trigger", "nothing"]) == 1
    assert "has no release nothing" in capsys.readouterr().err


def test_a_release_that_a_person_cut_gets_its_round_by_hand(tmp_path):
    """Without a minimum nothing happens by itself, and the same road is open by name."""
    made = RoundProject(tmp_path / "p", command_settings(WRITES, str(tmp_path / "ran")))
    config = ["--config", str(made.root / "gristmill.toml")]
    assert run_command([*config, "settle", NIGHT]) == 0
    assert run_command([*config, "release", "v1"]) == 0
    assert everything(made) == ([], []), "what is in a release is not new"
    assert run_command([*config, "trigger", "v1"]) == 0
    assert run_command([*config, "trigger", "v1"]) == 1, "once is enough"
    assert (tmp_path / "ran").read_text().split() == ["v1"]


def test_a_merged_night_that_cannot_be_settled_keeps_releases_waiting(tmp_path):
    """A revoked token: its planted samples are still among the others, so nothing is cut; what is wrong is told."""
    forge = '[forge]\nkind = "gitea"\nurl = "http://127.0.0.1:9"\nproject = "ann/corpus"\n'
    made = RoundProject(tmp_path / "p", command_settings("pass", more=forge))
    made.night.merge()
    merged, started = everything(made)
    assert merged[0].needs_person and "GRISTMILL_FORGE_TOKEN" in merged[0].message and started == []
    found, unsettled = trigger.due_release(made.project)
    assert (found.n_new, unsettled) == (0, [NIGHT])
    made.settings(command_settings("pass"))
    merged, started = everything(made)
    assert merged[0].settled and [one.state for one in started] == ["done"]


def test_several_exports_are_in_one_manifest_and_an_empty_one_is_told(tmp_path):
    """No preference pair came together: the round gets the rest, and knows why."""
    more = 'exports = ["trl/preference", "llamafactory/sft", "huggingface/sft"]\n'
    made = RoundProject(
        tmp_path / "p",
        command_settings("print(open(__import__('sys').argv[1]).read())", "{export}/dataset_info.json", more=more),
    )  # noqa: E501
    made.finish()
    _, (one,) = everything(made)
    assert one.state == "done", one.message
    manifest = RoundManifest.from_content((made.root / "var" / "exports" / NIGHT / "manifest.json").read_bytes())
    assert [(one["folder"], bool(one["files"])) for one in manifest.exports] == [
        ("trl/preference", False), ("llamafactory/sft", True), ("huggingface/sft", True),
    ]  # fmt: skip


def test_without_a_way_to_start_a_round_the_release_is_all(tmp_path):
    """Releases alone are useful, too; nothing waits then."""
    made = RoundProject(tmp_path / "p")
    made.finish()
    _, (one,) = everything(made)
    assert (one.state, one.way) == ("done", "none") and one.commit
    with pytest.raises(SettingsError, match="release.next_round"):
        trigger.want_round(made.project, NIGHT, datetime.now(UTC))


def test_a_damaged_ledger_is_told_with_its_file(tmp_path):
    """Half a file of the disk that was full."""
    made = RoundProject(tmp_path / "p")
    (made.root / "var" / "rounds").mkdir(parents=True)
    (made.root / "var" / "rounds" / "v1.json").write_text('{"release": "v1"')
    with pytest.raises(InputError, match=r"v1.json is damaged .* `gristmill trigger v1`"):
        rounds.all_rounds(made.project)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("next_round = 'command'", "needs release.command"),
        ("next_round = 'webhook'", "needs release.webhook_url"),
        ("next_round = 'deployment'", "needs release.deployment"),
        ("command = ['train', '{exprot}']", "did you mean 'export'"),
        ("tag = 'weekly'", "has its own name"),
        ("tag = '{date}'", "there are {night}, {number}"),
        ("tag = 'v {number}'", "the name of a release is at most"),
        ("webhook_url = 'https://me:pw@example.org'", "has a user or password"),
        ("webhook_url = 'ftp://example.org'", "write an address such as"),
        ("webhook_secret_env = 'whsec_abc'", "never write the token itself"),
        ("deployment = 'nightly'", "should match pattern"),
        ("exports = []", "at least 1 item"),
        ("webhok_url = 'x'", "did you mean 'webhook_url'"),
    ],
)
def test_settings_of_a_round_that_cannot_work_are_refused_with_the_key(tmp_path, settings, said):
    """Found when the file is read, not in the night when the release is cut."""
    with pytest.raises(SettingsError) as refused:
        RoundProject(tmp_path / "p", settings).project  # noqa: B018
    assert said in str(refused.value)


def test_an_export_that_there_is_not_is_refused_by_name(tmp_path):
    """A round by hand fails at once; by itself it waits in the ledger and merging goes on."""
    made = RoundProject(tmp_path / "p", command_settings("pass", more='exports = ["trl/sfd"]\n'))
    made.finish()
    merged, (one,) = everything(made)
    assert merged[0].settled and "did you mean 'sft'" in one.message
    with pytest.raises(SettingsError, match="did you mean 'sft'"):
        trigger.check_round(made.project)
