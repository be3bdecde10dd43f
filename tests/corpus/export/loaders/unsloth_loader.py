"""Unsloth: its recognition of conversations, from its own file alone, because its import wants a GPU."""

import ast
import importlib.util
import sys
import types
from pathlib import Path

from export_on_disk import Export, run


def check(export: Export) -> dict:
    from importlib.metadata import version

    rows = export.loaded()
    if export.kind == "sft":
        standardize = _standardize_data_formats()
        for split in rows:
            made = standardize(rows[split], num_proc=1)
            assert len(made) == len(rows[split])
            for before, after in zip(rows[split], made, strict=True):
                assert before["conversations"] == after["conversations"]
    return {"rows": export.splits, "version": version("unsloth_zoo")}


def _standardize_data_formats():
    from datasets import IterableDataset

    found = importlib.util.find_spec("unsloth_zoo")
    file = Path(found.submodule_search_locations[0]) / "dataset_utils.py"
    # What it takes from its neighbours it gets from them, without the package's own beginning.
    sys.modules["zoo"] = types.ModuleType("zoo")
    sys.modules["zoo"].__path__ = [str(file.parent)]
    tree = ast.parse(file.read_text())
    wanted = {"standardize_data_formats", "_normalize_role_alias", "_ROLE_KEY_NAMES"}
    kept = [node for node in tree.body if _names(node) & wanted]
    space: dict = {"__package__": "zoo", "IterableDataset": IterableDataset}
    exec(compile(ast.Module([*kept], []), str(file), "exec"), space)
    return space["standardize_data_formats"]


def _names(node) -> set:
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {node.name} if isinstance(node, ast.FunctionDef) else set()


run(check)
