"""The tree is the map: seams, names and documentation are checked here, not hoped for."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("schemas", "corpus", "judges", "experts", "flows")
MAY_IMPORT = {
    "schemas": set(),
    "judges": {"schemas"},
    "corpus": {"schemas"},
    "experts": {"schemas", "judges", "corpus"},
    "flows": {"schemas", "judges", "corpus", "experts"},
}
ONLY_IN = {
    "llama_cpp": {"judges/llama.py", "judges/contexts.py"},
    "openai": {"judges/endpoint.py"},
    "git": {"corpus/branch.py"},
    "gidgethub": {"corpus/forge/github.py"},
    "gitlab": {"corpus/forge/gitlab.py"},
    "requests": {"corpus/forge/gitlab.py"},
}


def imports(file: Path) -> set[str]:
    """Top-level names of all imports of a file, those inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_import_only_what_the_design_allows(folder):
    """A seam that is crossed once is no seam."""
    for file in (ROOT / folder).rglob("*.py"):
        crossed = imports(file) & set(FOLDERS) - MAY_IMPORT[folder] - {folder}
        assert not crossed, f"{file} imports {crossed}"


def test_libraries_are_imported_in_one_place():
    """A library that leaks resources, loads models or calls the network has one door."""
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            name = str(file.relative_to(ROOT))
            for library in imports(file) & set(ONLY_IN):
                assert name in ONLY_IN[library], f"{name} imports {library}"
            assert "prefect" not in imports(file) or folder == "flows", f"{name} imports prefect"


def test_no_flow_file_shadows_another_module():
    """Prefect may put flows/ first on sys.path: a file named like a module would be imported in its place."""
    taken = set(sys.stdlib_module_names) | set(packages_distributions())
    assert not {file.stem for file in (ROOT / "flows").glob("*.py")} - {"__init__"} & taken


def test_our_folder_names_belong_to_us_alone():
    """`judges` and `schemas` exist on the package index; another distribution would be imported in our place."""
    for folder in FOLDERS:
        assert set(packages_distributions().get(folder, ["gristmill"])) <= {"gristmill"}


def test_constraints_pin_versions_and_name_no_address():
    """A new machine installs what was tested, from wherever its owner gets packages."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert all("==" in pin and "://" not in pin and "@" not in pin for pin in pins)
