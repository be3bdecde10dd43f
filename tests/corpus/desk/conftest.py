"""A project with a proposed night, to be reviewed at the desk."""

import pytest

from tests.corpus.desk_project import DeskProject


@pytest.fixture
def project(tmp_path):
    project = DeskProject(tmp_path)
    project.propose()
    yield project
    project.close()
