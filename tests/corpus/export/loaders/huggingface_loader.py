"""datasets: the folder as its README describes it; the counts there and the types are verified by the loader."""

from export_on_disk import Export, run


def check(export: Export) -> dict:
    import datasets

    rows = export.loaded()
    for split in rows:
        for row in rows[split]:
            assert len(row["id"]) == 32
            assert row["licence"]
    names = datasets.get_dataset_config_names(str(export.folder))
    assert names[0] == "default"
    return {"rows": export.splits, "version": datasets.__version__}


run(check)
