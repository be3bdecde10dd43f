"""The corpus template: what a new corpus begins with fits what the night writes into it."""

import tomllib

import yaml

from corpus.repository import TEMPLATE
from corpus.samples import sample_of
from schemas.sample import FORMAT_VERSION
from tests.corpus.judged_rows import conversation, message, row


def card() -> dict:
    return yaml.safe_load((TEMPLATE / "README.md").read_text().split("---\n")[1])


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
    assert tomllib.loads((TEMPLATE / "corpus.toml").read_text().replace("@LICENCES@", "[]"))["format"] == FORMAT_VERSION
