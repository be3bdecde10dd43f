"""One pull request a night, on every forge, however often the night is run and whatever people do to it."""

import pytest

from corpus.forge import ForgeRefused, PullRequest
from tests.corpus.forge.asking import BRANCH, forge_at
from tests.corpus.forge.forge_server import Answer, ForgeServer, serving
from tests.corpus.forge.servers import SERVERS


@pytest.fixture(params=sorted(SERVERS))
def server(request):
    with serving(SERVERS[request.param]()) as running:
        yield running


def opened(
    server: ForgeServer, title: str = "night: 2026-11-04, 6 conversations", body: str = "Rated 5.0.\n"
) -> PullRequest:
    return forge_at(server).open_or_update(BRANCH, "main", title, body)


def test_a_pull_request_is_opened_with_the_words_given(server):
    """This is what people see first."""
    found = opened(server)
    assert (found.number, found.state, found.head, found.base) == (1, "open", BRANCH, "main")
    assert found.url.startswith(server.url)
    assert (server.pulls[0].title, server.pulls[0].body) == ("night: 2026-11-04, 6 conversations", "Rated 5.0.\n")


def test_running_again_changes_nothing(server):
    """A night is run again after every interruption; the same words are not even sent."""
    first = opened(server)
    server.requests.clear()
    assert opened(server) == first
    assert {request.method for request in server.requests} == {"GET"}
    assert len(server.pulls) == 1


def test_running_again_with_other_words_updates_the_one_there_is(server):
    """A second one beside it would split the review."""
    opened(server)
    found = opened(server, title="night: 2026-11-04, 7 conversations")
    assert (found.number, len(server.pulls)) == (1, 1)
    assert server.pulls[0].title == "night: 2026-11-04, 7 conversations"


def test_what_a_person_closed_stays_closed(server):
    """Closing is a decision of people: no reopening, no second one, no edit."""
    opened(server)
    server.pulls[0].state = "closed"
    assert opened(server, title="other").state == "closed"
    assert (len(server.pulls), server.pulls[0].title) == (1, "night: 2026-11-04, 6 conversations")


def test_a_merged_one_is_found_as_merged(server):
    """Settle asks whether people have merged."""
    opened(server)
    server.pulls[0].state = "merged"
    assert opened(server, title="other").state == "merged"
    found = forge_at(server).find(BRANCH)
    assert found is not None and found.state == "merged"


def test_the_open_one_counts_when_there_are_several(server):
    """A person may close one and open another from the same branch."""
    server.open(BRANCH, state="closed")
    server.open(BRANCH)
    server.open(BRANCH, state="closed")
    found = forge_at(server).find(BRANCH)
    assert found is not None and found.number == 2


def test_a_strangers_fork_with_our_branch_name_is_not_ours(server):
    """Else anybody could put words under our title, and /reject on it would count."""
    server.open(BRANCH, is_fork=True)
    assert forge_at(server).find(BRANCH) is None
    assert opened(server).number == 2
    assert server.pulls[0].title == "a person's title"


def test_a_fork_of_the_same_owner_is_not_ours_either():
    """GitHub finds branches by owner, and an organisation may hold a fork beside the corpus."""
    with serving(SERVERS["github"]()) as server:
        server.fork = "ann/corpus-experiments"
        server.open(BRANCH, is_fork=True)
        assert forge_at(server).find(BRANCH) is None


def test_other_nights_are_not_mixed_up(server):
    """Each has a pull request of its own, and hundreds lie behind it."""
    for n in range(130):
        server.open(f"night/2025-{n:03}", state="merged" if n % 2 else "open")
    mine = server.open(BRANCH, state="closed")
    for n in range(70):
        server.open(f"night/2024-{n:03}", state="closed")
    found = forge_at(server).find(BRANCH)
    assert found is not None and found.number == mine.number


def test_a_race_ends_in_one_pull_request(server):
    """Two nights may run at once: the forge refuses the second, which then finds the first's."""
    asked = []

    def meanwhile(request):
        if request.method == "POST" and not asked:
            asked.append(request)
            server.open(BRANCH)
        return

    server.fault_of = meanwhile
    assert opened(server).number == 1
    assert server.pulls[0].title == "night: 2026-11-04, 6 conversations"


def test_an_answer_lost_on_the_way_opens_no_second_one(server):
    """The forge opened it and the connection broke: sending again would make two where a forge allows it."""
    lost = []

    def lose(request):
        if request.method == "POST" and not lost:
            lost.append(request)
            server.answer_of(request)
            return Answer(is_dropped=True)
        return None

    server.answer_of = server.route
    server.fault_of = lose
    assert opened(server).number == 1
    assert len(server.pulls) == 1


def test_a_pull_request_into_another_branch_is_told(server):
    """A person who changed its target would else get the night merged somewhere else."""
    opened(server)
    server.pulls[0].base = "experiments"
    with pytest.raises(ForgeRefused, match="experiments"):
        opened(server)


def test_closing_says_why_once(server):
    """Retracting closes what is under review; done twice, it is one comment."""
    found = opened(server)
    for _ in range(2):
        forge_at(server).close(found, "Withdrawn: see tombstones.jsonl.")
    assert server.pulls[0].state == "closed"
    assert [said.text for said in server.pulls[0].said] == ["Withdrawn: see tombstones.jsonl."]


def test_closing_a_merged_one_leaves_it_merged(server):
    """What is merged cannot be closed; the comment is still of use."""
    found = opened(server)
    server.pulls[0].state = "merged"
    forge_at(server).close(found, "Noted.")
    assert (server.pulls[0].state, len(server.pulls[0].said)) == ("merged", 1)


def test_no_line_of_ours_is_a_command_of_the_forge(server):
    """GitLab obeys lines such as /merge; a judge's or an expert's name must not begin one."""
    opened(server, body="Rated.\n/merge\n  /close now\nfine /here\n")
    lines = server.pulls[0].body.splitlines()
    assert not any(line.lstrip().startswith("/") for line in lines)
    assert lines[3] == "fine /here"


def test_a_body_longer_than_forges_take_is_cut(server):
    """Refusing a night for its length would help nobody."""
    opened(server, body="x" * 200_000)
    assert 50_000 < len(server.pulls[0].body) < 65_536
    assert "cut" in server.pulls[0].body[-60:]
