"""Servers that are forges, each with an open pull request."""

import pytest

from tests.corpus.forge.asking import BRANCH
from tests.corpus.forge.forge_server import serving
from tests.corpus.forge.github_server import GitHubServer
from tests.corpus.forge.servers import SERVERS


@pytest.fixture(params=sorted(SERVERS))
def server(request):
    with serving(SERVERS[request.param]()) as running:
        running.open(BRANCH)
        yield running


@pytest.fixture
def github():
    with serving(GitHubServer()) as running:
        running.open(BRANCH)
        yield running
