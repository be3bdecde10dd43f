"""gristmill.toml: every key documented, unknown ones refused with the nearest name."""

import tomllib

import pytest

from schemas.errors import SettingsError
from schemas.settings import Settings, model_of, parse_settings
from schemas.settings_text import settings_text


def test_the_written_file_is_valid_and_gives_the_defaults():
    """What init writes must be what the program would do without it, apart from the example source."""
    settings = parse_settings(tomllib.loads(settings_text()))
    assert settings.model_copy(update={"sources": ()}) == Settings()


def test_every_key_is_documented_in_the_written_file():
    """A key that nobody can find is not a setting."""
    text = settings_text()
    keys = [f"{name}.{key}" for name, field in Settings.model_fields.items() for key in model_of(field).model_fields]
    missing = [key for key in keys if f"\n{key.split('.')[1]} = " not in text.replace("\n# ", "\n")]
    assert missing == []


def test_the_example_source_has_no_consent_until_a_person_writes_it():
    """Publication needs a basis that somebody stated on purpose."""
    assert parse_settings(tomllib.loads(settings_text())).sources[0].consent is None


def test_all_unknown_keys_are_named_with_their_neighbours():
    """One round of corrections, not one per key."""
    with pytest.raises(SettingsError) as error:
        parse_settings({"night": {"qouta": 3}, "judg": {}, "sources": [{"name": "a", "path": "x", "licens": "MIT"}]})
    for hint in ("'quota'", "'judge'", "'licence'"):
        assert f"did you mean {hint}" in str(error.value)


def test_wrong_values_say_what_was_found():
    """The message names the key and the value."""
    with pytest.raises(SettingsError, match=r"judge.threshold: .*'high'"):
        parse_settings({"judge": {"threshold": "high"}})


def test_two_sources_of_one_name_are_refused():
    """The name is kept with every conversation; it must mean one place."""
    with pytest.raises(SettingsError, match="'a'"):
        parse_settings({"sources": [{"name": "a", "path": "x"}, {"name": "a", "path": "y"}]})
