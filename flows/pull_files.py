"""`gristmill pull SOURCE...`: reads what is named on the command line, of the settings or anywhere else."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from corpus.pull import pull
from corpus.sources.download import download, is_address
from flows.settings_file import Project
from flows.stores import subject_key
from schemas.outcome import StepReport
from schemas.settings import SourceSettings


def pull_files(
    project: Project,
    named: tuple[str, ...],
    output: Path,
    *,
    source_type: str | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> StepReport:
    """Reads sources named on the command line: of the settings, or paths, globs and addresses without consent.

    Raises:
        InputError: a path does not exist, an address does not answer.
    """
    known = {source.name: source for source in project.settings.sources}
    sources = []
    for name in named:
        if name in known:
            source = known[name].model_copy(update={"path": str(project.root / known[name].path)})
        elif is_address(name):
            file = download(name, project.var / "downloads", on_bytes)
            source = SourceSettings(name=Path(urlsplit(name).path).stem or "download", path=str(file))
        else:
            source = SourceSettings(name=Path(name).stem or name, path=str(Path.cwd() / name))
        sources.append(source.model_copy(update={"type": source_type}) if source_type else source)
    return pull(
        sources,
        output,
        root=project.root,
        subject_key=subject_key(project) if project.file else _throwaway_key(),
        max_record_mb=project.settings.night.max_record_mb,
        hold_unconsented=False,
        on_bytes=on_bytes,
    )


def _throwaway_key() -> bytes:
    return hmac.new(b"gristmill pull without settings", b"", sha256).digest()
