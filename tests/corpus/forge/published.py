"""What the forges themselves publish for tests, from npm, in a folder of packages that a person or CI has filled.

`make forge-descriptions` fills it. Without it, or without node, the tests that need it are skipped with a reason.
"""

import os
import shutil
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gristmill" / "forge-descriptions"
FOLDER = Path(os.environ.get("GRISTMILL_FORGE_DESCRIPTIONS") or CACHE)


def package(name: str) -> Path:
    """The folder of an npm package, or a skip that says how to get it."""
    found = FOLDER / "node_modules" / name
    if not found.is_dir():
        pytest.skip(f"{name} is not in {FOLDER}: `make forge-descriptions` brings it (needs npm)")
    return found


def description(kind: str) -> Path:
    """The OpenAPI description of a forge. GitLab and Gitea are in no package: a person puts theirs beside it."""
    if kind == "github":
        return package("@octokit/openapi") / "generated" / "api.github.com.json"
    found = FOLDER / {"gitlab": "gitlab.yaml", "gitea": "gitea.json"}[kind]
    if not found.is_file():
        where = {
            "gitlab": "doc/api/openapi/openapi_v3.yaml of GitLab's source",
            "gitea": "/swagger.v1.json of any Gitea",
        }[kind]
        pytest.skip(f"{found} is not there: put the description from {where} there")
    return found


def prism() -> list[str]:
    """The command of the mock server."""
    if not shutil.which("node"):
        pytest.skip("node is not installed; it runs the mock server")
    return ["node", str(package("@stoplight/prism-cli") / "dist" / "index.js")]
