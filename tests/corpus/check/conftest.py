"""Proposed nights, to be checked."""

import pytest

from tests.corpus.check_project import CheckProject


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> CheckProject:
    """A proposed night that tests only add commits beside."""
    project = CheckProject(tmp_path_factory.mktemp("shared"))
    project.proposed()
    return project


@pytest.fixture
def project(tmp_path) -> CheckProject:
    project = CheckProject(tmp_path)
    project.proposed()
    return project
