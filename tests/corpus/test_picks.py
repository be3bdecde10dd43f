"""What earlier nights picked, by meaning: the same answers whatever came later; what is forgotten is gone."""

import numpy as np
import pytest

from corpus.meaning import Near, nearest
from corpus.picks import Picks, embeddings_in
from schemas.embedding import numbers_of, packed
from schemas.errors import CorpusError, InputError
from tests.corpus.judged_rows import row, write_selected
from tests.corpus.meanings import about, pointing

FIRST, SECOND = "2026-11-04", "2026-11-05"


@pytest.fixture
def picks(tmp_path):
    with Picks(tmp_path / "var" / "picks.sqlite") as made:
        yield made


def near(picks, sequence):
    found = nearest({"new": pointing(0)}, picks.before(sequence), n=3, cosine_min=0.9)
    return found.get("new", [])


def test_a_night_sees_the_nights_before_it(picks):
    """Also when it is run again: hundreds of nearer ones of later nights change nothing."""
    picks.record(1, FIRST, {"old": pointing(10), "far": pointing(80), "mute": ""})
    before = near(picks, 2)
    picks.record(2, SECOND, {f"same {n}": pointing(n / 500) for n in range(300)})
    picks.record(3, "2026-11-06", {f"later {n}": pointing(0) for n in range(300)})
    assert before == near(picks, 2) == [Near("old", FIRST, 0.985)]
    assert {one.night for one in near(picks, 3)} == {SECOND}


def test_a_night_that_is_run_again_replaces_its_picks(picks):
    """And one that was given up leaves none."""
    picks.record(1, FIRST, {"old": pointing(10)})
    picks.record(1, FIRST, {"other": pointing(5)})
    assert [one.id for one in near(picks, 2)] == ["other"]
    picks.record(1, FIRST, {})
    assert near(picks, 2) == []


def test_what_is_forgotten_is_overwritten(picks):
    """A vector tells what a conversation was about: it must not stay in the file's free pages."""
    texts = {f"chat {n}": packed("ab" * 8, np.random.default_rng(n).normal(size=384)) for n in range(300)}
    gone, stays = (numbers_of(texts[name])[:100] for name in ("chat 7", "chat 8"))
    picks.record(1, FIRST, texts)
    picks.record(2, SECOND, {"chat 7": texts["chat 7"]})
    assert gone in picks.path.read_bytes()
    picks.forget(["chat 7", "never seen"])
    left = b"".join(file.read_bytes() for file in picks.path.parent.iterdir())
    assert gone not in left
    assert stays in left


def test_the_picks_of_a_file_are_found_with_their_embeddings(tmp_path):
    """As `select` wrote them; a damaged one is told, not compared."""
    rows = [about(row(number=0), 10), row(number=1)]
    selected = write_selected(tmp_path / "selected.parquet", rows)
    assert embeddings_in(selected) == {rows[0]["content_id"]: pointing(10), rows[1]["content_id"]: ""}
    rows[1]["verdict"] = rows[0]["verdict"].replace(pointing(10), "0123:AAAA")
    with pytest.raises(InputError, match="is no embedding"):
        embeddings_in(write_selected(tmp_path / "selected.parquet", rows))


def test_a_damaged_file_is_told_with_its_remedy(tmp_path):
    """It can be deleted: only the comparison by meaning with earlier nights is lost."""
    (tmp_path / "picks.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(CorpusError, match=r"picks\.sqlite.*delete it"), Picks(tmp_path / "picks.sqlite"):
        pass
