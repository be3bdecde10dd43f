"""OpenAssistant trees: ranks, deletions, reviews, and the flat export."""

import pytest

from corpus.sources.oasst_rows import read, recognise, regroup
from corpus.sources.problems import UnreadableRecord
from corpus.sources.records import Record
from corpus.sources.window import Place
from schemas.conversation import Conversation, Source


def node(key, *replies, role="assistant", text=None, **more):
    facts = {
        "message_id": key,
        "text": text or key,
        "role": role,
        "review_result": True,
        "deleted": False,
        "lang": "en",
    }
    return {**facts, "replies": list(replies), **more}


def prompter(key, *replies, **more):
    return node(key, *replies, role="prompter", **more)


def tree(prompt):
    return {"message_tree_id": prompt["message_id"], "tree_state": "ready_for_export", "prompt": prompt}


def path(draft):
    return [turn.content for turn in Conversation(Source("s", "oasst", "c"), draft.messages, draft.active_leaf).turns()]


def test_the_active_path_follows_the_best_replies_and_ends_with_an_answer():
    """Rank 0 is best; unranked replies come last; a question that nobody answered is no end."""
    last = node("best", prompter("unanswered"), rank=0)
    draft = read(
        tree(prompter("q", node("unranked"), node("second", rank=1), node("first", prompter("q2", last), rank=0)))
    )
    assert path(draft) == ["q", "first", "q2", "best"]
    ranks = {item.message_id: item.value for item in draft.feedback if item.kind == "rank"}
    assert ranks == {"second": 1.0, "first": 0.0, "best": 0.0}
    assert len(draft.messages) == 7


def test_deleted_messages_are_blank_and_their_replies_live():
    """The words were withdrawn; the tree was not."""
    draft = read(tree(prompter("q", node("gone", prompter("q2", node("a2")), deleted=True))))
    gone = next(message for message in draft.messages if message.id == "gone")
    assert (gone.parts, gone.weight, gone.status) == ((), 0.0, "deleted")
    assert path(draft) == ["q", "q2", "a2"]


@pytest.mark.parametrize("result", [False, None])
def test_what_reviewers_did_not_approve_is_not_trained_on(result):
    """It stays in the tree, and a better sibling is preferred."""
    draft = read(tree(prompter("q", node("bad", review_result=result, rank=0), node("good", rank=1))))
    assert path(draft) == ["q", "good"]


def test_labels_emojis_and_scores_of_models_are_feedback():
    """Who judged is kept apart."""
    facts = {"labels": {"quality": {"value": 0.75, "count": 3}}, "emojis": {"+1": 2}, "detoxify": {"toxicity": 0.01}}
    draft = read(tree(prompter("q", node("a", **facts, synthetic=True, model_name="m"), user_id="ada")))
    found = [(item.name, item.value, item.by) for item in draft.feedback if item.message_id]
    assert found == [("quality", 0.75, "human"), ("emoji:+1", 2.0, "human"), ("detoxify:toxicity", 0.01, "model")]
    assert draft.user == "ada"
    assert draft.messages[1].model == "m"


def test_five_hundred_levels_of_replies_are_no_problem():
    """No recursion: the nesting of the JSON is the only limit."""
    prompt = node("n500")
    for n in range(499, -1, -1):
        prompt = node(f"n{n}", prompt, role=("prompter", "assistant")[n % 2])
    assert len(read(tree(prompt)).messages) == 501


def rows_of(*trees):
    for found in trees:
        waiting = [(found["prompt"], None)]
        while waiting:
            plain, parent = waiting.pop()
            replies = plain.pop("replies")
            yield {**plain, "parent_id": parent, "message_tree_id": found["message_tree_id"], "tree_state": "x"}
            waiting += [(reply, plain["message_id"]) for reply in replies]


def test_flat_rows_are_put_together_again():
    """The other export has one message a row."""
    trees = [tree(prompter("q", node("a", rank=0), node("b", rank=1))), tree(prompter("x", node("y")))]
    records = [Record(row, Place(n, n + 1, n + 1)) for n, row in enumerate(rows_of(*trees))]
    assert all(recognise(record.value) for record in records)
    drafts = [read(record.value) for record in regroup(records)]
    assert [path(draft) for draft in drafts] == [["q", "a"], ["x", "y"]]
    assert [draft.native_id for draft in drafts] == ["q", "x"]


def test_repeated_ids_and_unknown_roles_are_refused():
    """Nobody knows what such a tree says."""
    with pytest.raises(UnreadableRecord, match="have the id 'a'"):
        read(tree(prompter("q", node("a"), node("a"))))
    with pytest.raises(UnreadableRecord, match="role"):
        read(tree(prompter("q", node("a", role="moderator"))))
