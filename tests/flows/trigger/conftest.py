"""The secret that signs what goes to a round's receiver, in the environment of every test here."""

import pytest

from tests.flows.round_project import SECRET


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRISTMILL_WEBHOOK_SECRET", SECRET)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
