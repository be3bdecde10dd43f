"""together: its check of files for fine-tuning, which holds the shapes of OpenAI to the letter."""

from export_on_disk import Export, run


def check(export: Export) -> dict:
    from importlib.metadata import version
    from pathlib import Path

    try:
        from together.utils.files import check_file
    except ImportError:
        from together.lib.utils.files import check_file
    found = {}
    for split in export.splits:
        reports = [check_file(Path(path)) for path in export.shards(split)]
        assert all(report["is_check_passed"] for report in reports), reports
        found[split] = sum(report["num_samples"] for report in reports)
    return {"rows": found, "version": version("together")}


run(check)
