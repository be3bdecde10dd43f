"""The corpus template: what a new corpus begins with fits what the night writes into it."""

import json
import tomllib

import yaml

from corpus.repository import TEMPLATE, template_files
from corpus.samples import sample_of
from schemas.sample import FORMAT_VERSION
from schemas.sample_shape import SAMPLE
from schemas.settings import CorpusSettings, DedupeSettings
from tests.corpus.judged_rows import conversation, message, row


def card() -> dict:
    return yaml.safe_load((TEMPLATE / "README.md").read_text().split("---\n")[1])


def described(**settings) -> dict:
    """The corpus.toml of a new corpus."""
    files = {path: b"".join(chunks).decode() for path, chunks, _ in template_files(CorpusSettings(**settings))}
    return tomllib.loads(files["corpus.toml"])


def shape(features: list) -> dict:
    """The keys that the card declares, at every depth."""
    return {
        one["name"]: shape(one.get("struct") or one.get("list")) if one.get("struct") or one.get("list") else None
        for one in features
    }


def keys(value) -> dict | None:
    """The keys of a sample, at every depth; of lists their first element's."""
    if isinstance(value, (list, tuple)):
        return keys(value[0])
    return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def test_the_card_declares_exactly_the_keys_of_a_sample():
    """Loaders cast each shard to these features: a key too many or too few and no night loads."""
    talk = conversation("hi", "hello", siblings=[message("1b", "0", "assistant", "good day")])
    sample = sample_of(row(talk), night="2026-11-04", publish_subjects=True).to_json()
    assert shape(card()["dataset_info"]["features"]) == keys(sample)


def test_dates_are_declared_as_dates():
    """JSON readers take a column of ISO dates for times; read as text they would gain a midnight."""
    features = {one["name"]: one for one in card()["dataset_info"]["features"]}
    types = {one["name"]: one.get("dtype") for one in features["provenance"]["struct"]}
    assert types["created_on"] == types["night"] == "date32"


def test_the_format_of_the_template_is_ours():
    """A corpus that is created can be used."""
    assert described()["format"] == FORMAT_VERSION


def test_the_shape_that_lines_are_checked_against_is_the_cards():
    """One shape for loaders and for the check of pull requests: what passes here loads there."""

    def keys_of(one) -> dict | None:
        inner = one[0] if isinstance(one, list) else one
        return {key: keys_of(value) for key, value in inner.items()} if isinstance(inner, dict) else None

    assert keys_of(SAMPLE) == shape(card()["dataset_info"]["features"])


def test_corpus_toml_says_what_the_settings_say():
    """The checks of pull requests have no settings: licences, similarity and Gristmill itself stand here."""
    address = "git+https://example.org/gristmill@0123abc"
    found = described(licences=("MIT",), gristmill=address)
    assert (found["licences"], found["gristmill"]) == (["MIT"], address)
    assert found["jaccard_min"] == DedupeSettings().jaccard_min
    assert described()["gristmill"] == ""


def test_the_example_in_contributing_is_a_sound_contribution():
    """People copy it."""
    from schemas.sample_shape import contribution_shape_problems

    text = (TEMPLATE / "CONTRIBUTING.md").read_text()
    example = json.loads(text.split("```json\n")[1].split("```")[0])
    assert list(contribution_shape_problems(example)) == []
    assert example["licence"] in CorpusSettings().licences
