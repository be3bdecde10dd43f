"""A request that nobody signed moves nothing; a genuine one is read as what happened to a night's branch."""

import base64
import hashlib
import hmac
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.forge.webhook import BODY_BYTES, Event, WebhookRefused, read_event
from schemas.errors import SettingsError
from tests.corpus.forge.published import package

SECRET = "a secret of the tests"
BRANCH = "night/2026-11-04"
NOW = 1_800_000_000.0
STANDARD = "whsec_" + base64.b64encode(b"sixteen bytes or more").decode()


def github_signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard_headers(body: bytes, at: int = int(NOW)) -> dict[str, str]:
    signed = b"msg_1." + str(at).encode() + b"." + body
    code = base64.b64encode(hmac.new(b"sixteen bytes or more", signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,AAAA v1,{code}"}


def signed(kind: str, event: str, told: object, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
    body = json.dumps(told).encode()
    code = github_signature(body, secret)
    headers = {
        "github": {"X-GitHub-Event": event, "X-Hub-Signature-256": code},
        "gitea": {"X-Gitea-Event": event, "X-Gitea-Signature": code.removeprefix("sha256=")},
        "gitlab": {"X-Gitlab-Event": event, "X-Gitlab-Token": secret},
    }[kind]
    return headers, body


def event(kind: str, name: str, told: object) -> Event | None:
    headers, body = signed(kind, name, told)
    return read_event(kind, "ann/corpus", headers, body, SECRET, NOW)


def github_pull(action: str, *, merged: bool = False, branch: str = BRANCH, fork: bool = False) -> dict[str, object]:
    home = {"full_name": "eve/corpus" if fork else "Ann/Corpus"}
    pull = {"number": 3, "merged": merged, "head": {"ref": branch, "repo": home}}
    return {"action": action, "pull_request": pull, "repository": {"full_name": "ann/corpus"}}


def gitlab_request(action: str, branch: str = BRANCH, source: int = 7) -> dict[str, object]:
    facts = {"iid": 3, "action": action, "source_branch": branch, "source_project_id": source, "target_project_id": 7}
    place = {"path_with_namespace": "ann/corpus"}
    return {"object_kind": "merge_request", "project": place, "object_attributes": facts}


MERGED, COMMENT = Event("merged", BRANCH, 3), Event("comment", BRANCH, 3)


@pytest.mark.parametrize("kind", ["github", "gitea"])
def test_github_and_its_imitators_are_understood(kind):
    """Merged, said and pushed are what settling waits for."""
    here = {"repository": {"full_name": "ann/corpus"}}
    assert event(kind, "pull_request", github_pull("closed", merged=True)) == MERGED
    assert event(kind, "pull_request", github_pull("closed")) is None
    assert event(kind, "pull_request", github_pull("opened")) is None
    assert event(kind, "pull_request_review", github_pull("submitted")) == COMMENT
    assert event(kind, "pull_request_review_comment", github_pull("created")) == COMMENT
    said = {"action": "created", "issue": {"number": 3, "pull_request": {"url": "x"}}, **here}
    assert event(kind, "issue_comment", said) == Event("comment", None, 3)
    assert event(kind, "issue_comment", {**said, "issue": {"number": 3}}) is None
    assert event(kind, "push", {"ref": f"refs/heads/{BRANCH}", **here}) == Event("push", BRANCH, None)
    assert event(kind, "push", {"ref": f"refs/heads/{BRANCH}", "deleted": True, **here}) is None
    assert event(kind, "push", {"ref": "refs/heads/main", **here}) is None
    assert event(kind, "ping", here) is None


def test_gitlab_is_understood():
    """Its fields have names of their own."""
    place = {"project": {"path_with_namespace": "ann/corpus"}}
    assert event("gitlab", "Merge Request Hook", gitlab_request("merge")) == MERGED
    assert event("gitlab", "Merge Request Hook", gitlab_request("update")) is None
    note = {"object_kind": "note", "object_attributes": {"noteable_type": "MergeRequest"}, **place}
    request = gitlab_request("merge")["object_attributes"]
    assert event("gitlab", "Note Hook", {**note, "merge_request": request}) == COMMENT
    assert event("gitlab", "Note Hook", {**note, "object_attributes": {"noteable_type": "Issue"}}) is None
    push = {"object_kind": "push", "ref": f"refs/heads/{BRANCH}", "after": "a" * 40, **place}
    assert event("gitlab", "Push Hook", push) == Event("push", BRANCH, None)
    assert event("gitlab", "Push Hook", {**push, "after": "0" * 40}) is None


def test_other_projects_forks_and_branches_are_nothing_of_ours():
    """One hook may serve many projects, and a fork may call its branch as it likes."""
    for kind in ("github", "gitea"):
        assert event(kind, "pull_request", github_pull("closed", merged=True, fork=True)) is None
        other = {**github_pull("closed", merged=True), "repository": {"full_name": "eve/corpus"}}
        assert event(kind, "pull_request", other) is None
        for branch in ("main", "night/../main", "night/2026-11-04\n", "night/2026-11-04/x", "night/today"):
            assert event(kind, "pull_request", github_pull("closed", merged=True, branch=branch)) is None
    assert event("gitlab", "Merge Request Hook", gitlab_request("merge", source=8)) is None
    assert event("gitlab", "Merge Request Hook", gitlab_request("merge", branch="main")) is None


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_a_request_without_the_right_signature_is_refused(kind):
    """Anybody can reach the endpoint: only the secret tells the forge from them."""
    headers, body = signed(kind, "push", {})
    name = {"github": "X-Hub-Signature-256", "gitea": "X-Gitea-Signature", "gitlab": "X-Gitlab-Token"}[kind]
    good = headers[name]
    forgeries = [
        "",
        good[:-1],
        good + "0",
        good.upper(),
        "sha256=",
        "\u0130" * 64,
        signed(kind, "push", {}, "w" * 20)[0][name],
    ]
    for forged in forgeries:
        with pytest.raises(WebhookRefused):
            read_event(kind, "ann/corpus", {**headers, name: forged}, body, SECRET, NOW)
    with pytest.raises(WebhookRefused):
        read_event(kind, "ann/corpus", {k: v for k, v in headers.items() if k != name}, body, SECRET, NOW)
    if kind != "gitlab":  # whose old token signs nothing
        with pytest.raises(WebhookRefused):
            read_event(kind, "ann/corpus", headers, body + b" ", SECRET, NOW)
    lowered = {key.lower(): value for key, value in headers.items()}
    assert read_event(kind, "ann/corpus", lowered, body, SECRET, NOW) is None


def test_gitlabs_signing_token_is_checked_with_its_time():
    """A request that was overheard must not work again tomorrow, and the plain token no longer at all."""
    body = json.dumps(gitlab_request("merge")).encode()
    assert read_event("gitlab", "ann/corpus", standard_headers(body), body, STANDARD, NOW) == MERGED
    late = standard_headers(body, int(NOW) - 301)
    swapped = {**standard_headers(body), "webhook-id": "msg_2"}
    plain = {"X-Gitlab-Token": STANDARD}
    unsigned = {**standard_headers(body), "webhook-signature": "v1,"}
    for headers in (late, swapped, plain, unsigned, {**standard_headers(body), "webhook-timestamp": "later"}):
        with pytest.raises(WebhookRefused):
            read_event("gitlab", "ann/corpus", headers, body, STANDARD, NOW)
    with pytest.raises(SettingsError, match="whsec_"):
        read_event("gitlab", "ann/corpus", standard_headers(body), body, "whsec_no base64 at all", NOW)


def test_a_secret_that_can_be_guessed_is_refused():
    """An empty secret would make every signature right."""
    for secret in ("", "short"):
        with pytest.raises(SettingsError):
            read_event("github", "ann/corpus", *signed("github", "push", {}, secret or "x"), secret, NOW)


def test_a_signed_body_that_is_no_json_or_too_large_is_refused():
    """A hook set to send forms, or a forge gone mad."""
    body = b"payload=%7B%7D"
    with pytest.raises(WebhookRefused, match="JSON"):
        read_event("github", "a/b", {"X-Hub-Signature-256": github_signature(body)}, body, SECRET, NOW)
    with pytest.raises(WebhookRefused, match="bytes"):
        read_event("github", "a/b", {}, bytes(BODY_BYTES + 1), SECRET, NOW)


def test_no_error_repeats_the_secret_or_the_body():
    """Errors of an open endpoint are logged, and anybody can cause them."""
    with pytest.raises(WebhookRefused) as error:
        read_event("github", "a/b", {"X-Hub-Signature-256": "evil"}, b"evil", SECRET, NOW)
    assert SECRET not in str(error.value) and "evil" not in str(error.value)


NAMES = """action repository full_name pull_request head ref repo number merged issue object_kind project
object_attributes path_with_namespace iid source_branch merge_request after noteable_type"""
KEYS = st.sampled_from(NAMES.split())
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["ann/corpus", BRANCH, "closed", "push", "note", "merge"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(
    VALUES, st.sampled_from(["github", "gitlab", "gitea"]), st.sampled_from(["push", "pull_request", "issue_comment"])
)
def test_no_genuine_body_crashes_the_reader(told, kind, name):
    """Forges change their payloads; a field that is gone is an event about something else."""
    found = event(kind, name, told)
    assert found is None or found.branch in (None, BRANCH)


def test_githubs_own_examples_are_read_without_a_miss():
    """Every payload that GitHub publishes as an example, on a night's branch and signed as GitHub signs."""
    hooks = json.loads((package("@octokit/webhooks-examples") / "api.github.com" / "index.json").read_bytes())
    found = Counter()
    for name, example in ((hook["name"], example) for hook in hooks for example in hook["examples"]):
        if pull := example.get("pull_request"):
            pull["head"]["ref"], pull["merged"] = BRANCH, True
        if name == "push":
            example["ref"] = f"refs/heads/{BRANCH}"
        project = (example.get("repository") or {}).get("full_name", "a/b")
        told = read_event("github", project, *signed("github", name, example), SECRET, NOW)
        found[name, told.kind if told else None] += 1
        if name == "pull_request":
            assert told == (Event("merged", BRANCH, example["number"]) if example["action"] == "closed" else None)
    assert found.total() > 200
    for name in ("pull_request_review", "pull_request_review_comment"):
        assert found[name, "comment"] > 2 and not found[name, None]
    assert found["push", "push"] > 2, "the other examples delete the branch"
    assert {kind for name, kind in found if not name.startswith(("pull_request", "push", "issue_comment"))} == {None}
