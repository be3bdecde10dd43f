"""The forges on loopback, by kind."""

from tests.corpus.forge.gitea_server import GiteaServer
from tests.corpus.forge.github_server import GitHubServer
from tests.corpus.forge.gitlab_server import GitLabServer

SERVERS = {"github": GitHubServer, "gitlab": GitLabServer, "gitea": GiteaServer}
