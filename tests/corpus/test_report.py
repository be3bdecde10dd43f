"""The night's page says what the night's files say, for whole nights, half nights and damaged ones."""

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from corpus.page.wording import duration, rating_text
from corpus.report import build_report, render, write_report
from corpus.stages import STEPS
from schemas.errors import CorpusError, InputError
from schemas.outcome import Dropped, Held
from tests.corpus.html_check import Page
from tests.corpus.night_folder import NIGHT, Talk, make_night

ANSWER = (
    "A quern is a pair of stones: the upper one turns on the lower one and grinds the grain between them, number {}."
)
NO_CONSENT, SECRETS = Held("no_consent"), Held("too_many_secrets")


def believable() -> list[Talk]:
    """Sixty conversations with every kind of fate."""
    questions = ("What is a quern?", "How does a water mill work?", "Why is flour dusty?", "Who was the miller?")
    talks = [
        Talk((f"{questions[n % 4]} Question {n} of many.", ANSWER.format(n) + f" Item {n} {n * 7} {n * 13}." * 3),
             rating=3 + n / 10, language=("en", "de", "fr", None)[n % 4], source=("gateway", "support-bot")[n % 2])
        for n in range(60)
    ]  # fmt: skip
    talks[0] = dataclasses.replace(talks[0], fate=("pull", NO_CONSENT), source="chatgpt")
    talks[1] = dataclasses.replace(talks[1], fate=("pull", NO_CONSENT), source="chatgpt")
    talks[2] = dataclasses.replace(talks[2], fate=("screen", Dropped("too_short")))
    talks[3] = dataclasses.replace(talks[3], fate=("screen", SECRETS))
    talks[4] = dataclasses.replace(talks[4], fate=("decontaminate", Dropped("evaluation_text")))
    talks[5] = dataclasses.replace(talks[5], fate=("judge", Held("unrated_too_long")))
    talks[59] = dataclasses.replace(talks[59], redactions={"email": 2}, criteria={"clarity": 8.5}, acceptance=0.71)
    return [*talks, talks[30], talks[30]]


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    facts = {"n_judged": 50, "n_from_store": 4, "tokens": 30_000, "judge_seconds": 100.0, "cost": 0.25}
    folder = tmp_path_factory.mktemp("nights") / NIGHT
    return make_night(folder, believable(), unreadable=2, judge_facts=facts)


@pytest.fixture(scope="module")
def facts(night):
    return build_report(night)


@pytest.fixture(scope="module")
def page(facts):
    return Page(render(facts))


def test_every_conversation_of_the_night_is_accounted_for(facts):
    """In = proposed + dropped + held: a page whose numbers do not add up is not believed."""
    assert facts.n_read == 64
    assert facts.n_read == facts.n_picked + facts.n_dropped + facts.n_held
    for source in facts.sources:
        assert source.n == source.n_dropped + source.n_held + source.n_picked
    assert sum(source.n for source in facts.sources) == facts.n_read


def test_histograms_count_each_conversation_once(facts):
    """The bars are the night, not a sample of it."""
    rated, screened = facts.step("judge").kept, facts.step("screen").kept
    picked = facts.step("select").kept
    assert (sum(one.n for one in facts.ratings), sum(one.n_picked for one in facts.ratings)) == (rated, picked)
    assert (sum(one.n for one in facts.lengths), sum(one.n_picked for one in facts.lengths)) == (screened, picked)
    assert sum(share.n for share in facts.languages) == screened
    assert [one.low for one in facts.ratings] == [1 + number / 2 for number in range(18)]
    assert all(one.n_picked == 0 for one in facts.ratings if one.high <= facts.threshold)


def test_histogram_of_the_page_agrees_with_that_of_select(facts):
    """Two countings of the same ratings, one in Python and one in SQL."""
    assert [[one.low, one.n] for one in facts.ratings] == facts.fact("select", "histogram")


def test_best_and_nearest_misses_are_in_order_of_rating(facts):
    """The ten best are the picks that lead, the misses those that almost were."""
    assert [talk.rating for talk in facts.best] == [pytest.approx(8.9 - n / 10) for n in range(10)]
    assert [talk.rating for talk in facts.nearest_misses] == [pytest.approx(5.9 - n / 10) for n in range(10)]
    assert {talk.reason for talk in facts.nearest_misses} == {"below_threshold"}


def test_page_says_the_night_in_one_sentence(facts, page):
    """Most evenings nobody reads further."""
    assert f"Of 64 conversations, {facts.n_picked} were proposed; " in page.words
    assert "4 are held for a person." in page.words
    assert "The night of 4 November 2026" in page.words


def test_page_says_what_waits_for_a_person_and_what_to_do(page):
    """What is held stays held until somebody knows what to type."""
    assert "2 of chatgpt are held: no basis for publication is known for this source." in page.words
    assert "set consent for chatgpt in gristmill.toml" in page.words
    assert "1 of support-bot is held: so much was redacted that a person should look first." in page.words
    assert re.search(r"gristmill explain [0-9a-f]{32}", page.words)
    assert "2 records could not be read" in page.words
    assert "logs/support-bot/2026-11-03-damaged.jsonl line 4, byte 4,096: the text ends in the middle" in page.words


def test_text_that_nobody_has_redacted_is_not_on_the_page(page):
    """The quarantine holds the beginnings of damaged records; the page may be passed on."""
    assert "020 7946 0958" not in page.words


def test_page_says_why_conversations_stopped_in_sentences(page):
    """A code alone explains nothing."""
    for words in ("Too few words to learn from.", "It contains text of an evaluation set.", "The rating is below"):
        assert words in page.words


def test_page_shows_the_cluster_and_what_was_kept_of_it(facts, page):
    """Two exact repeats of one conversation: a cluster of three."""
    assert [cluster.size for cluster in facts.clusters] == [3]
    assert "2 exact" in page.words
    assert facts.clusters[0].title.startswith("Why is flour dusty? Question 30")


def test_page_says_what_the_night_cost(page):
    """Time by step, the judge's work, and money where there was any."""
    assert "2 min 11 s" in page.words
    assert "The judge read 50 conversations (30,000 tokens, 300 a second) and knew 4 from earlier" in page.words
    assert "at the price in the settings that is 0.2500" in page.words


def test_page_names_the_judge_and_never_praises_it(night, page, tmp_path):
    """A rating is not presented as better than its measured agreement with people."""
    assert "SmolLM2-135M-Instruct" in page.words
    assert "How well these ratings agree with people was not measured." in page.words
    note = "On 400 labelled pairs it agreed in 61 % of cases."
    noted = make_night(tmp_path / NIGHT, believable()[:20], judge_facts={"judge_note": note})
    words = Page(render(build_report(noted))).words
    assert note in words
    assert "not measured" not in words


def test_page_is_sound_html_that_loads_nothing(page):
    """Self-contained: it works offline, from a mail, years later."""
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    assert page.counts["h1"] == 1


def test_same_files_give_the_same_bytes_wherever_they_lie(night, tmp_path):
    """The page can be compared, cached and published: no clock, no path, no chance in it."""
    copy = tmp_path / "else where's [*]\n" / NIGHT
    shutil.copytree(night, copy)
    first, second = write_report(night, tmp_path / "a.html"), write_report(copy, tmp_path / "b" / "b.html")
    assert first.read_bytes() == second.read_bytes()


def test_missing_night_is_answered_with_those_that_exist(night):
    """A wrong date is the commonest mistake."""
    with pytest.raises(InputError, match=f"no night '2026-01-01' .*there are {NIGHT}"):
        build_report(night.parent / "2026-01-01")
    with pytest.raises(InputError, match="none was run yet"):
        build_report(night.parent / "nowhere" / "2026-01-01")


@pytest.mark.parametrize("last", [*STEPS])
def test_an_unfinished_night_says_how_far_it_came(last, tmp_path):
    """The page is looked at most when something went wrong."""
    folder = make_night(tmp_path / NIGHT, believable(), until=last)
    facts = build_report(folder)
    page = Page(render(facts))
    assert page.faults == []
    assert f"have come through {last} so far" in page.words
    assert "This night is not finished." in page.words
    assert f"gristmill run --night {NIGHT}" in page.words
    assert facts.n_read == facts.n_picked + facts.n_dropped + facts.n_held


def test_a_night_that_has_only_begun_has_a_page(tmp_path):
    """A folder without a complete step is a night, too; a table without its report is not counted."""
    folder = make_night(tmp_path / NIGHT, believable(), until="pull")
    (folder / "pulled.report.json").unlink()
    page = Page(render(build_report(folder)))
    assert page.faults == []
    assert "no step has ended yet" in page.words


def test_a_night_without_new_logs_has_a_page(tmp_path):
    """The second night on the same logs."""
    page = Page(render(build_report(make_night(tmp_path / NIGHT, []))))
    assert page.faults == []
    assert "Nothing new was in the logs." in page.words


def test_a_night_whose_tables_were_cleaned_up_keeps_its_counts(night, tmp_path):
    """Somebody deletes the conversations and keeps the reports."""
    folder = shutil.copytree(night, tmp_path / NIGHT)
    for file in folder.glob("*.parquet"):
        file.unlink()
    page = Page(render(build_report(folder)))
    assert page.faults == []
    assert "Of 64 conversations" in page.words


def test_a_page_made_while_the_night_runs_again_says_so(night, tmp_path):
    """Counts of two runs do not meet; nobody should wonder why."""
    folder = shutil.copytree(night, tmp_path / NIGHT)
    make_night(folder, believable()[:30], until="screen")
    assert "the night is being run again" in Page(render(build_report(folder))).words


@pytest.mark.parametrize("name", ["judged.parquet", "judged.report.json", "proposal.json", "screened.rejects.parquet"])
def test_a_damaged_file_is_named_with_what_to_do(name, night, tmp_path):
    """No traceback reaches the user."""
    folder = shutil.copytree(night, tmp_path / NIGHT)
    (folder / name).write_bytes(b'{"not": ')
    with pytest.raises(InputError, match="gristmill run --night"):
        build_report(folder)


def test_a_page_that_cannot_be_written_is_a_clear_error(night, tmp_path):
    """A folder stands where the page should go."""
    (tmp_path / "night.html").mkdir()
    with pytest.raises(CorpusError, match="cannot write"):
        write_report(night, tmp_path / "night.html")


def test_quotas_are_told_apart_from_the_threshold(tmp_path):
    """What a quota stopped was good enough: the page says so where it shows it."""
    talks = [talk for talk in believable() if talk.rating >= 7 and not talk.fate]
    facts = build_report(make_night(tmp_path / NIGHT, talks, quota=5))
    assert len(facts.best) == 5
    assert {talk.reason for talk in facts.nearest_misses} == {"over_night_quota"}
    assert "the night's quota was filled by better ones" in Page(render(facts)).words


@pytest.mark.parametrize(
    ("rating", "threshold", "shown"),
    [(5.97, 6.0, "5.97"), (5.999, 6.0, "5.99"), (5.91, 6.0, "5.9"), (6.0, 6.0, "6.0"), (9.96, None, "10.0")],
)
def test_a_rating_below_the_threshold_never_looks_as_if_it_reached_it(rating, threshold, shown):
    """6.0 among the misses of threshold 6 would look like a defect."""
    assert rating_text(rating, threshold) == shown


def test_durations_read_as_people_say_them():
    """Seconds beyond a minute are hard to compare."""
    assert [duration(seconds) for seconds in (0.04, 9.94, 42.4, 59.7, 185, 7_850)] == [
        "0.0 s", "9.9 s", "42 s", "1 min 00 s", "3 min 05 s", "2 h 10 min",
    ]  # fmt: skip


def _variables(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))


def _luminance(colour: str) -> float:
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_bars_have_contrast_in_both_schemes(scheme):
    """WCAG 2 AA: 4.5 to 1 for text, 3 to 1 for what must be seen of a picture."""
    style = (Path(__file__).parents[2] / "corpus/page/style.css").read_text()
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)")
    colours = _variables(light) if scheme == "light" else _variables(light) | _variables(dark)
    pairs = [(text, ground) for text in ("ink", "quiet", "accent") for ground in ("ground", "raised", "wait")]
    for text, ground in [*pairs, ("mark-ink", "mark")]:
        assert _contrast(colours[text], colours[ground]) >= 4.5, (scheme, text, ground)
    for shape in ("bar", "rest", "accent"):
        assert _contrast(colours[shape], colours["ground"]) >= 3, (scheme, shape)
