"""The judge learns from reviewers, only what it can show, and its twenty nights end as they should."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.judge_rounds import Simulation
from judges.fit import fit_head
from judges.lessons import lessons
from judges.registry import HeadRegistry
from judges.rounds import play_round
from schemas.decision import DecidedSample, Decision
from schemas.errors import JudgeError
from tests.judges.small_head import IDENTITY, default_head, talks

DEFAULT = default_head()


def simulate(folder, *, per_night=30, **asked):
    simulation = Simulation(HeadRegistry(folder, IDENTITY), DEFAULT, **asked)
    return list(simulation.run([talks(per_night, seed) for seed in range(20)])), simulation


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """Twenty nights of one taste, in which all that comes in is reviewed."""
    return simulate(tmp_path_factory.mktemp("steady"))


def play(simulation, samples=None, registry=None, **asked):
    known = {talk.id: talk.measurement for seed in range(20) for talk in talks(30, seed)}
    return play_round(
        simulation.decided if samples is None else samples,
        measure=lambda wanted: {name: known[name] for name in wanted if name in known},
        registry=registry or simulation.registry,
        **{"default": DEFAULT, "confidence": 0.95, **asked},
    )


def test_agreement_with_a_reviewer_of_another_taste_rises(steady):
    """What the whole thing is for: people's decisions move the judge to their side."""
    nights, _ = steady
    before = np.mean([night.share for night in nights[:3]])
    after = np.mean([night.share for night in nights[-5:]])
    assert before < 0.6
    assert after > before + 0.2
    assert np.mean([night.kappa for night in nights[-5:]]) > 0.3
    assert not any(alarm for night in nights for alarm in night.drift.alarms)


def test_agreement_also_rises_where_only_the_picks_are_reviewed(tmp_path):
    """In a real night nobody sees what the judge put below the threshold."""
    nights, _ = simulate(tmp_path, per_night=60, threshold=6.0)
    assert np.mean([night.share for night in nights[-5:]]) > np.mean([night.share for night in nights[:3]]) + 0.1


@pytest.mark.parametrize("asked", [{}, {"threshold": 6.0, "per_night": 60}, {"per_night": 12}], ids=str)
def test_the_alarm_rings_when_the_taste_flips_and_names_the_night(tmp_path, asked):
    """The reviewer keeps from the fifteenth night on what was rejected before."""
    nights, _ = simulate(tmp_path, flip=14, **asked)
    ringing = [number for number, night in enumerate(nights) if night.drift.alarms]
    assert ringing and 14 <= ringing[0] <= 16
    assert 'decisions_since = "2026-11-15"' in nights[16].drift.alarms[-1]


def test_a_judge_whose_alarm_is_heeded_follows_the_new_taste(tmp_path):
    """The remedy that the alarm names must work: earlier decisions no longer count, and agreement rises again."""
    nights, _ = simulate(tmp_path, flip=8, is_heeded=True)
    fallen, risen = (np.mean([night.share for night in nights[low:high]]) for low, high in ((8, 11), (16, 20)))
    assert fallen < 0.4 and risen > fallen + 0.3


def test_without_new_decisions_nothing_happens(steady):
    """A round that is started twice, or by a schedule, must not change who judges."""
    _, simulation = steady
    files = sorted(simulation.registry.folder.rglob("*"))
    played = play(simulation)
    assert played.state == "nothing_new"
    assert sorted(simulation.registry.folder.rglob("*")) == files


def test_the_same_decisions_give_the_same_head_whatever_came_before(steady, tmp_path):
    """Twenty small rounds and one large one end in the same challenger, so a lost folder is no loss."""
    nights, simulation = steady
    shuffled = [simulation.decided[n] for n in np.random.default_rng(3).permutation(len(simulation.decided))]
    once, again = (play(simulation, shuffled, HeadRegistry(tmp_path / name, IDENTITY)) for name in ("a", "b"))
    assert once == again
    assert once.state == "promoted"
    last = nights[-1].played
    assert once.n_learned == last.n_learned
    assert [once.duel["n"], once.duel["challenger_loss"]] == [last.duel["n"], last.duel["challenger_loss"]]


def test_the_frozen_part_is_never_learned_from(steady, tmp_path):
    """Turning its decisions over turns the duel: a challenger that had seen them would have followed."""
    _, simulation = steady
    frozen = {lesson.content_id for lesson in lessons(simulation.decided) if lesson.is_frozen}
    turned = [turned_over(one) if one.sample_id in frozen else one for one in simulation.decided]
    heads = []
    for name, samples in (("a", simulation.decided), ("b", turned)):
        registry = HeadRegistry(tmp_path / name, IDENTITY)
        played = play(simulation, samples, registry, confidence=0.501)
        heads.append((registry.head(played.champion), played))
    (head, played), (_, of_turned) = heads
    assert (played.state, of_turned.state) == ("promoted", "refused")
    assert played.n_learned == of_turned.n_learned == len(simulation.decided) - len(frozen)
    assert head.facts["n_lessons"] == played.n_learned


def turned_over(sample: DecidedSample) -> DecidedSample:
    return replace(
        sample,
        votes=tuple(replace(vote, verdict="reject" if vote.verdict == "keep" else "keep") for vote in sample.votes),
    )


def test_a_reviewer_who_rolls_dice_promotes_nobody(tmp_path):
    """What is no taste cannot be shown to be better: of 20 such rounds at 95 % one may slip through, and here two."""
    promoted = 0
    for seed in range(20):
        coin = np.random.default_rng(seed)
        samples = [
            DecidedSample(
                talk.id, "2026-11-01", talk.turns,
                (Decision(talk.id, "keep" if coin.random() < DEFAULT.assess(talk.measurement).acceptance else "reject",
                          "ann", "2026-11-02T08:00:00Z", "x"),), 7.0,
            )
            for talk in talks(250, 1000 + seed)
        ]  # fmt: skip
        known = {talk.id: talk.measurement for talk in talks(250, 1000 + seed)}
        played = play_round(
            samples, measure=lambda _, known=known: known, registry=HeadRegistry(tmp_path / str(seed), IDENTITY),
            default=DEFAULT, confidence=0.95,
        )  # fmt: skip
        promoted += played.state == "promoted"
    assert promoted <= 2


def test_too_few_decisions_say_how_many_are_missing(steady, tmp_path):
    """A first week of reviews must neither fail nor promote, and leaves no record."""
    _, simulation = steady
    registry = HeadRegistry(tmp_path, IDENTITY)
    played = play(simulation, simulation.decided[:20], registry)
    assert played.state == "too_few"
    assert "it takes 10, 5 and 8" in played.message
    assert registry.rounds() == [] and not registry.folder.exists()


def test_what_cannot_be_measured_is_counted_and_left_out(steady, tmp_path):
    """Not read is not rejected."""
    _, simulation = steady
    strange = replace(simulation.decided[0], sample_id="f" * 32)
    played = play(simulation, [*simulation.decided, strange], HeadRegistry(tmp_path, IDENTITY))
    assert (played.state, played.n_unmeasured) == ("promoted", 1)


def test_the_old_champion_stays_as_shadow_and_both_are_on_record(steady):
    """Every head that ever spoke can be asked again; what it says of the frozen part stands beside the champion's."""
    nights, simulation = steady
    rounds = simulation.registry.rounds()
    promotions = [played for played in rounds if played.state == "promoted"]
    assert len(promotions) >= 2
    assert promotions[0].shadow == DEFAULT.digest()
    assert promotions[1].shadow == promotions[0].champion
    assert simulation.registry.shadow().digest() == rounds[-1].shadow
    assert simulation.registry.champion().digest() == nights[-1].played.champion
    after = next(played for played in rounds if played.number == promotions[0].number + 1)
    lines = (simulation.registry.folder / "rounds" / f"{after.number:04}.assessments.jsonl").read_text().splitlines()
    assert len(lines) == after.duel["n"]
    assert set(json.loads(lines[0])["acceptance"]) == {"champion", "challenger", "default", "shadow"}


def test_a_champion_says_how_it_fared_on_what_it_never_saw(steady):
    """The night's page may say no more of a judge than was measured, and no less."""
    nights, simulation = steady
    last = nights[-1].played
    side = last.duel["challenger" if last.state == "promoted" else "champion"]
    assert f"Of {side['n']} others" in simulation.registry.standing(last.champion)
    assert simulation.registry.standing(DEFAULT.digest()) == simulation.registry.standing("0" * 64) == ""


def test_a_round_that_was_killed_before_its_record_never_was(steady, tmp_path):
    """The record is the last thing written, and the only place that says who judges."""
    _, simulation = steady
    registry = HeadRegistry(tmp_path, IDENTITY)
    played = play(simulation, registry=registry)
    record = registry.folder / "rounds" / "0001.json"
    content = record.read_bytes()
    record.unlink()
    assert registry.champion() is None
    assert play(simulation, registry=registry) == played
    assert record.read_bytes() == content


def test_damaged_files_are_named(steady, tmp_path):
    """A head that is not the one of its name must not judge, and a half record must not choose."""
    _, simulation = steady
    registry = HeadRegistry(tmp_path, IDENTITY)
    played = play(simulation, registry=registry)
    other = fit_head(DEFAULT, [], name="other")
    other.save(registry.folder / "heads" / f"{played.champion}.safetensors")
    with pytest.raises(JudgeError, match="not the head that its name says"):
        registry.champion()
    (registry.folder / "rounds" / "0001.json").write_text("{")
    with pytest.raises(JudgeError, match="is damaged"):
        registry.last_round()


def test_another_model_has_heads_of_its_own(steady):
    """A head cannot read another model's measurements."""
    _, simulation = steady
    other = replace(IDENTITY, model_digest="9" * 64)
    assert HeadRegistry(simulation.registry.folder.parent, other).champion() is None
    same_but_rubric = replace(IDENTITY, rubric_digest="9" * 64, head_digest="8" * 64)
    assert HeadRegistry(simulation.registry.folder.parent, same_but_rubric).champion() is not None
