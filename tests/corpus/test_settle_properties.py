"""Laws of settling: the order in which people's commits came together does not matter, and the counts add up."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.stances import Act, Stances
from schemas.decision import Decision
from tests.corpus.reviewed_night import DECISIONS, Night, Person

PEOPLE = ("ann", "bob", "cleo")
SAMPLES = 6


def interleaved(random, by_person: dict[str, list]) -> list:
    """All acts in some order in which each person's own stay in theirs."""
    left = {name: list(acts) for name, acts in by_person.items() if acts}
    order = []
    while left:
        name = random.choice(sorted(left))
        order.append((name, left[name].pop(0)))
        left = {name: acts for name, acts in left.items() if acts}
    return order


# Each person's boxes and lines are their own two samples; lines of decisions are on any.
BOX_ACTS = st.tuples(st.sampled_from(["untick", "tick", "delete", "edit"]), st.integers(0, 1))
LINE_ACTS = st.tuples(st.sampled_from(["keep", "reject"]), st.integers(0, SAMPLES - 1))
ACTS = st.fixed_dictionaries({name: st.lists(BOX_ACTS | LINE_ACTS, max_size=4) for name in PEOPLE})


def act(tree: Person, name: str, what: str, number: int, sample: str, reviewer: str) -> None:
    """One commit of one person, with the date that it has in every order."""
    if what in ("keep", "reject"):
        at = f"2026-11-05T09:{number:02}:00Z"
        one = Decision(sample, what, reviewer, at, "night/2026-11-04")
        known = tree.read(DECISIONS).splitlines() if (tree.tree / DECISIONS).exists() else []
        lines = sorted({*known, one.line().decode().rstrip("\n")})
        tree.write(DECISIONS, "".join(f"{line}\n" for line in lines))
    elif what == "edit":
        if sample in tree.lines():
            tree.edit(sample, f"Edit {number} of {name}.")
    else:
        getattr(tree, what)(sample)
    tree.git("add", "-A")
    tree.name = name
    tree.git("commit", "-q", "--allow-empty", "--signoff", "-m", "review", at=f"2026-11-05T10:{number:02}:00Z")


def settled(folder: Path, order: list, numbers: dict) -> tuple[set[str], dict[str, int], list[str]]:
    night = Night(folder)
    tree = night.person("all")
    for name, (number, (what, place)) in order:
        own = what not in ("keep", "reject")
        sample = night.ids[2 * PEOPLE.index(name) + place] if own else night.ids[place]
        act(tree, name, what, number, sample, numbers[name])
    tree.push()
    counts = night.settle().counts
    return {*(night.file(DECISIONS) or "").splitlines()}, dict(counts), night.kept()


@settings(max_examples=4, deadline=None)  # a law of git; the one below is tried a hundred times
@given(ACTS, st.randoms(use_true_random=False))
def test_any_interleaving_of_commits_gives_the_same_decisions_and_the_same_corpus(by_person, random):
    """People push when they like, and rebase when they must."""
    from tests.corpus.reviewed_night import name_of

    numbered = {name: list(enumerate(acts)) for name, acts in by_person.items()}
    names = {name: name_of(name) for name in PEOPLE}
    with TemporaryDirectory() as folder:
        first, second = (
            settled(Path(folder) / str(number), interleaved(random, numbered), names) for number in range(2)
        )
    assert first == second
    counts = first[1]
    assert counts["proposed"] == SAMPLES == sum(counts[name] for name in ("kept", "rejected", "edited", "held"))
    assert len(first[2]) == counts["kept"] + counts["edited"]
    assert all(json.loads(line)["reviewer"] in names.values() for line in first[0])


EVENTS = st.lists(
    st.tuples(st.sampled_from(["reject", "restore", "edit", "write", "erase"]), st.sampled_from(["a", "b"])), max_size=8
)


def play(stances: Stances, person: str, number: int, event: str, sample: str) -> None:
    done = Act(person, f"2026-11-05T09:{number:02}:00Z", "c")
    if event in ("reject", "restore"):
        getattr(stances, event)(done, "box", sample * 32)
    elif event == "edit":
        stances.edit(done, sample * 32, "e" * 32)
    else:
        decision = Decision(sample * 32, "reject", person, "2026-11-05T08:00:00Z", "x")
        getattr(stances, event)(done, decision)


@given(st.fixed_dictionaries(dict.fromkeys(PEOPLE, EVENTS)), st.randoms(use_true_random=False))
def test_what_people_say_depends_on_what_they_did_themselves_alone(by_person, random):
    """So no order of commits can put words into anybody's mouth."""
    numbered = {name: list(enumerate(events)) for name, events in by_person.items()}
    said = []
    for _ in range(2):
        stances = Stances("x")
        for person, (number, (event, sample)) in interleaved(random, numbered):
            play(stances, person, number, event, sample)
        said.append((stances.decisions(), {*stances.withdrawn()}))
    assert said[0] == said[1]


@pytest.mark.parametrize("way", ["box", "line"])
def test_rejecting_and_restoring_leaves_nothing_but_what_was_taken_back(way):
    """A slip of the mouse is not a decision."""
    stances = Stances("x")
    done = Act("ann", "2026-11-05T09:00:00Z", "c")
    stances.reject(done, way, "a" * 32)
    stances.restore(done, way, "a" * 32)
    assert stances.decisions() == set() and len(list(stances.withdrawn())) == 1
