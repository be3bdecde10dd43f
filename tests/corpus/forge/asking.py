"""A forge of ours that asks a server of the tests, with a clock that does not wait."""

from corpus.forge import Clock, Forge, make_forge
from corpus.remote import Remote
from schemas.settings import ForgeSettings
from tests.corpus.forge.forge_server import TOKEN, ForgeServer

BRANCH = "night/2026-11-04"
VARIABLE = "CORPUS_TEST_TOKEN"
NOWHERE = Remote("https://git.example.org/ann/corpus.git", None)


class StillClock:
    """A clock that stands still but for the waits, which it notes."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.wait)


def forge_at(server: ForgeServer, clock: StillClock | None = None, token: str = TOKEN, **settings: str) -> Forge:
    """Our forge for the server."""
    facts = {"kind": server.kind, "url": server.url, "project": server.project, "token_env": VARIABLE, **settings}
    named = ForgeSettings.model_validate(facts)
    forge = make_forge(named, NOWHERE, environment={VARIABLE: token}, clock=(clock or StillClock()).clock)
    assert forge is not None
    return forge
