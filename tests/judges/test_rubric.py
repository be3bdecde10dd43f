"""Rubrics are data with a version; a mistake in one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from judges.rubric import DEFAULT_RUBRIC, load_rubric
from schemas.errors import SettingsError


def test_the_rubric_that_ships_asks_the_founding_question() -> None:
    """How suitable is this conversation as fine-tuning data, out of 10?"""
    rubric = load_rubric()
    assert "fine-tuning data, out of 10" in rubric.question
    assert rubric.name == "fitness-1"
    assert [criterion.name for criterion in rubric.criteria]


def test_the_digest_is_of_what_is_said_not_of_the_file(tmp_path: Path) -> None:
    """A comment must not make every conversation be judged again; a word of the question must."""
    text = DEFAULT_RUBRIC.read_text()
    (tmp_path / "a.toml").write_text("# a comment\n" + text)
    (tmp_path / "b.toml").write_text(text.replace("out of 10", "out of ten"))
    assert load_rubric(tmp_path / "a.toml").digest() == load_rubric().digest()
    assert load_rubric(tmp_path / "b.toml").digest() != load_rubric().digest()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("version = 1", "verzion = 1"), "did you mean 'version'"),
        (("weight = 1.0", "wait = 1.0"), "did you mean 'weight'"),
        (("weight = 1.0", "weight = -1.0"), "above 0"),
        (('id = "fitness"', "id = 3"), "id must be a str"),
        (('id = "fitness"', "id = "), "not a TOML file"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    """Unknown keys are refused with the nearest name: a misspelt weight must not silently count as nothing."""
    file = tmp_path / "rubric.toml"
    file.write_text(DEFAULT_RUBRIC.read_text().replace(*change))
    with pytest.raises(SettingsError, match=says):
        load_rubric(file)


def test_a_missing_rubric_is_named(tmp_path: Path) -> None:
    """The message says which setting to correct."""
    with pytest.raises(SettingsError, match=r"judge\.rubric"):
        load_rubric(tmp_path / "none.toml")
