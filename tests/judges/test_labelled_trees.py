"""Trees of ranked and reviewed answers as keep and reject."""

from __future__ import annotations

from typing import Any

from benchmarks.labelled import tree_decisions


def answer(text: str, **facts: Any) -> dict[str, Any]:
    return {"role": "assistant", "text": text, "replies": [], "review_result": True, "deleted": False, **facts}


def decided(*answers: dict[str, Any]) -> dict[str, bool]:
    tree = {"role": "prompter", "text": "Why?", "replies": list(answers)}
    return {turns[-1].content: is_kept for turns, is_kept in tree_decisions(tree)}


def test_the_first_is_kept_and_the_last_rejected() -> None:
    """Those between are neither: people were of two minds."""
    assert decided(*(answer(str(rank), rank=rank) for rank in (2, 0, 1))) == {"0": True, "2": False}
    assert decided(answer("alone", rank=0)) == {}
    assert decided(answer("unranked"), answer("first", rank=0), answer("last", rank=1)) == {
        "first": True,
        "last": False,
    }


def test_what_people_threw_out_is_rejected_whatever_its_rank() -> None:
    """Deleted, failed in review, or called spam, toxic or poor by half of those who labelled it."""
    label = {name: {"value": value} for name, value in (("spam", 0.0), ("toxicity", 0.1), ("quality", 0.8))}
    assert decided(
        answer("fine", rank=0, labels=label),
        answer("spam", rank=1, labels={**label, "spam": {"value": 0.5}}),
        answer("toxic", labels={**label, "toxicity": {"value": 0.7}}),
        answer("poor", labels={**label, "quality": {"value": 0.4}}),
        answer("failed", review_result=False),
        answer("gone", deleted=True, rank=2),
    ) == {"fine": True, "spam": False, "toxic": False, "poor": False, "failed": False, "gone": False}


def test_a_later_answer_is_a_whole_conversation() -> None:
    """What is kept is the path to it, not the answer alone."""
    later = {"role": "prompter", "text": "And then?", "replies": [answer("a", rank=0), answer("b", rank=1)]}
    tree = {"role": "prompter", "text": "Why?", "replies": [{**answer("So."), "replies": [later]}]}
    kept = [turns for turns, is_kept in tree_decisions(tree) if is_kept]
    assert [[turn.content for turn in turns] for turns in kept] == [["Why?", "So.", "And then?", "a"]]
