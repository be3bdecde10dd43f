"""The manifest of a round, made from a release and its exports; signed when the settings name a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpus.export.folder import MANIFEST
from corpus.export.manifest import read_manifest
from corpus.release_rows import RELEASED_SHARD
from corpus.signing import sign
from corpus.stage import write_atomically
from schemas.canonical import file_digest
from schemas.release import Release
from schemas.round import RoundManifest

NAMESPACE = "gristmill-round"
"""What the signature is good for: nobody can pass off that of a release or a login as one of a round."""

MANIFEST_FILE = "manifest.json"
SIGNATURE_FILE = "manifest.json.sig"


def round_manifest(
    release: Release, commit: str, sha256: str, *, settings: str, exports: Sequence[Mapping[str, Any]]
) -> RoundManifest:
    """The manifest of the round that learns from a release; `exports` are as `export_facts` gives them."""
    return RoundManifest(
        tag=release.tag,
        commit=commit,
        released_on=release.released_on,
        release_sha256=sha256,
        counts={split: count.samples for split, count in sorted(release.counts.items())},
        experts=_experts(release),
        judges=release.judges,
        settings=settings,
        exports=tuple(exports),
    )


def _experts(release: Release) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for file in release.files:
        place = RELEASED_SHARD.fullmatch(file.path)
        if place and place["split"] != "test":
            by_split = found.setdefault(place["expert"], {})
            by_split[place["split"]] = by_split.get(place["split"], 0) + (file.samples or 0)
    return dict(sorted(found.items()))


def export_facts(folder: Path, name: str) -> dict[str, Any]:
    """What the manifest says of the export in a folder; `name` is the folder relative to that of all exports."""
    made = read_manifest(folder)
    files = [{"path": file["path"], "sha256": file["sha256"], "bytes": file["n_bytes"]} for file in made["files"]]
    own = folder / MANIFEST
    files.append({"path": MANIFEST, "sha256": file_digest(own), "bytes": own.stat().st_size})
    return {
        "format": made["format"],
        "kind": made["kind"],
        "folder": name,
        "rows": made["splits"],
        "left_out": made["left_out"],
        "files": sorted(files, key=lambda file: str(file["path"])),
    }


def is_whole(manifest: RoundManifest, folder: Path) -> bool:
    """Whether all files of the exports are there with the bytes that the manifest says; their digests are not read."""
    pairs = ((folder / export["folder"], file) for export in manifest.exports for file in export["files"])
    files = ((place / file["path"], file["bytes"]) for place, file in pairs)
    return all(path.is_file() and path.stat().st_size == n_bytes for path, n_bytes in files)


def write_manifest(manifest: RoundManifest, folder: Path, key: Path | None) -> bytes | None:
    """Writes the manifest, before it the signature by a key, and gives that; None without a key.

    Raises:
        SettingsError: the key cannot be used.
    """
    content = manifest.content()
    signature = sign(content, key, NAMESPACE) if key else None
    if signature:
        write_atomically(folder / SIGNATURE_FILE, signature)
    else:
        (folder / SIGNATURE_FILE).unlink(missing_ok=True)
    write_atomically(folder / MANIFEST_FILE, content)
    return signature
