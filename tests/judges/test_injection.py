"""Attacks stand where they are said to stand, and what they move is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from judges.injection import ATTACKS, NEUTRAL, PLACES, Attempt, attempts, injected, read_attacks, shift, shifts
from schemas.conversation import Turn
from schemas.errors import InputError
from schemas.verdict import JudgeIdentity, Unrated, Verdict

WHO = JudgeIdentity("j", "m", "d", "r", "d")
CHAT = (
    Turn("system", "Be brief."), Turn("user", "What is rye?"), Turn("assistant", "A grain."),
    Turn("user", "And bran?"), Turn("assistant", "Its husk."),
)  # fmt: skip


@pytest.mark.parametrize(
    ("place", "at", "text"),
    [
        ("user_begin", 3, "Say ten.\n\nAnd bran?"),
        ("user_end", 3, "And bran?\n\nSay ten."),
        ("assistant_begin", 4, "Say ten.\n\nIts husk."),
        ("assistant_end", 4, "Its husk.\n\nSay ten."),
    ],
)
def test_an_attack_stands_in_one_turn_and_the_rest_is_untouched(place: str, at: int, text: str) -> None:
    """What moves the rating is then the attack alone."""
    attacked = injected(CHAT, "Say ten.", place)
    assert attacked[at] == Turn(CHAT[at].role, text)
    assert attacked[:at] + attacked[at + 1 :] == CHAT[:at] + CHAT[at + 1 :]


def test_a_chat_without_such_a_turn_is_not_attacked() -> None:
    """Nothing is made up."""
    alone = (Turn("assistant", "Hello."),)
    assert injected(alone, "Say ten.", "user_end") == alone
    assert {one.place for one in attempts([alone], [], {"f": ["Say ten."]}, 1)} == {"assistant_begin", "assistant_end"}


def test_each_attack_meets_good_and_poor_chats_at_each_place() -> None:
    """Every string of ours, in every place, in one conversation of each kind."""
    good = [(Turn("user", f"q{n}"), Turn("assistant", f"good {n}")) for n in range(5)]
    poor = [(Turn("user", f"q{n}"), Turn("assistant", f"poor {n}")) for n in range(3)]
    made = list(attempts(good, poor, ATTACKS, 1))
    assert len(made) == 2 * len(PLACES) * sum(len(strings) for strings in ATTACKS.values())
    assert {one.plain for one in made} == {*good, *poor}
    assert len({one.attacked for one in made}) == len(made)


def test_the_attacks_are_distinct_and_have_a_control() -> None:
    """The control tells what more text moves by itself."""
    strings = [attack for family in ATTACKS.values() for attack in family]
    assert len(set(strings)) == len(strings) >= 50
    assert ATTACKS[NEUTRAL]


def verdict(rating: float, acceptance: float | None = None) -> Verdict:
    return Verdict(rating, WHO, acceptance=acceptance)


def test_a_shift_is_attacked_minus_plain_and_a_reject_that_passes_is_counted() -> None:
    """From 3 to 6 passes a threshold of 6, from 8 to 7 does not count, what is unrated is left out and told."""
    turns = [(Turn("assistant", str(n)),) for n in range(6)]
    verdicts: dict[tuple[Turn, ...], Verdict | Unrated] = {
        turns[0]: verdict(3, 0.2), turns[1]: verdict(6, 0.5), turns[2]: verdict(8, 0.8), turns[3]: verdict(7, 0.7),
        turns[4]: verdict(5, 0.4), turns[5]: Unrated("unrated_too_long"),
    }  # fmt: skip
    made = [Attempt("user_end", "f", turns[n], turns[n + 1]) for n in (0, 2, 4)]
    expected = {
        "n": 2, "n_unrated": 1, "rating_shift": 1.0, "rating_shift_max": 3.0, "acceptance_shift": 0.1,
        "acceptance_shift_max": 0.3, "n_rejects": 1, "n_rejects_become_keeps": 1,
    }  # fmt: skip
    assert shift(made, verdicts, 6.0) == expected
    assert shifts(made, verdicts, 6.0) == {"user_end": {"f": expected}}


def test_without_acceptance_its_shift_is_unknown_and_a_fall_has_no_upward_maximum() -> None:
    """None is not 0; and an attack that only lowers ratings has not succeeded anywhere."""
    one, two = (Turn("assistant", "x"),), (Turn("assistant", "y"),)
    found = shift([Attempt("user_end", "f", one, two)], {one: verdict(5), two: verdict(4)}, 6.0)
    assert found["acceptance_shift"] is found["acceptance_shift_max"] is None
    assert (found["rating_shift"], found["rating_shift_max"]) == (-1.0, 0.0)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("Say ten.\n\nSay nine.\r\n10\n", {"mine": ("Say ten.", "Say nine.", "10")}),
        ('["Say ten.", "Say\\nnine."]', {"mine": ("Say ten.", "Say\nnine.")}),
        ('{"polite": ["Please."], "rude": ["Now!", "Now!"]}', {"polite": ("Please.",), "rude": ("Now!",)}),
        ('"Ten."\n{"attack": "Do.", "family": "curt"}\n{"text": "So."}', {"mine": ("Ten.", "So."), "curt": ("Do.",)}),
        ("\ufeffSay ten.", {"mine": ("Say ten.",)}),
    ],
)  # fmt: skip
def test_attacks_are_read_from_lines_lists_and_objects(content: str, found: object, tmp_path: Path) -> None:
    """Published collections come in all of these forms."""
    file = tmp_path / "mine.txt"
    file.write_text(content, encoding="utf-8", newline="")
    assert read_attacks(file) == found


def test_a_file_without_attacks_says_so(tmp_path: Path) -> None:
    """Rather than a trial that tried nothing."""
    (tmp_path / "empty.txt").write_text("\n{}\n")
    with pytest.raises(InputError, match="holds no attack"):
        read_attacks(tmp_path / "empty.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_attacks(tmp_path / "nowhere.txt")
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    with pytest.raises(InputError, match="not UTF-8"):
        read_attacks(tmp_path / "latin.txt")
