"""LLaMA-Factory: dataset_info.json, its loading of the files, its converter and its template on every row.

Its converter answers a row that it dislikes with an empty one and a warning, so what is converted is looked at.
"""

import os
import sys
import types
from importlib.machinery import ModuleSpec

from export_on_disk import Export, run

os.environ["DISABLE_VERSION_CHECK"] = "1"
# It imports this for conversations with sound, which are none of ours; its builds fit one build of torch each.
sys.modules["torchaudio"] = types.ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)


def check(export: Export) -> dict:
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.extras.env import VERSION
    from llamafactory.hparams import DataArguments, ModelArguments

    found = {}
    for split, n_rows in export.splits.items():
        (described,) = get_dataset_list([f"gristmill_{split}"], str(export.folder))
        data = DataArguments(dataset_dir=str(export.folder), preprocessing_num_workers=None)
        rows = _load_single_dataset(described, ModelArguments(model_name_or_path="none"), data, _Training())
        n_responses = 1 if export.kind == "sft" else 2
        for row in rows:
            assert len(row["_prompt"]) % 2 == 1, row
            assert len(row["_response"]) == n_responses, row
            assert row["_system"] is not None
        assert len(rows) == n_rows, (len(rows), n_rows)
        found[split] = len(rows)
    return {"rows": found, "version": VERSION}


class _Training:
    should_log = True
    local_process_index = 0


run(check)
