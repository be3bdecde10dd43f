"""`gristmill release TAG`, and under it the proof of a release."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from corpus.release import Released
from corpus.verify import Verified
from flows.cli import json_option
from flows.console import DONE, FAILED, print_json, printable, progress, say, stderr
from flows.settings_file import Project, require_project
from flows.settling import place_of
from flows.verbs import Verbs
from schemas.release import SPLITS

_TAG = "tag"
SUBCOMMANDS = {_TAG: "flows.release_commands:release_tag", "verify": "flows.release_commands:release_verify"}
"""Name of each subcommand and where it lives; `tag` is hidden: it is `gristmill release TAG`."""


_EMPTY = (
    "no group of samples fell to it. A group, such as all that one contributor said, that would make up more than a "
    "fifth of a small split is for training; more contributors, or a larger share in [release], change that"
)


class ReleaseVerbs(Verbs):
    """`gristmill release TAG` and its subcommands."""

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Both ways of calling."""
        formatter.write_usage(context.command_path, "TAG [--date DATE] [--json]")
        formatter.write_usage(context.command_path, "verify TAG [--signers FILE] [--json]", prefix="       ")


_DONE = {
    "released": "released",
    "unchanged": "released already, nothing has changed since",
    "signed": "signed anew, as a purge had issued it again; who has its tag already runs `git fetch --tags --force`",
}


@click.group(cls=ReleaseVerbs, places=SUBCOMMANDS, default=_TAG)
def release() -> None:
    """Give the corpus as it is now a name: splits, a dataset card, a manifest with the digest of every file.

    The release is a git tag. Its commit has the samples in one folder a split, so that a clone of it loads with
    `datasets`; `test` is a sealed holdout that exports for training do not have. A sample keeps its split in every
    later release. The same corpus gives the same commit on every machine, which `verify` proves from a fresh clone.
    With release.signing_key in the settings the tag and the manifest are signed; so is a release that a purge issued
    again. --date sets the date of the release instead of the newest night's.

    \b
    Example:  gristmill release v1
              gristmill release verify v1
    """


@click.command(_TAG)
@click.argument("tag")
@click.option(
    "--date", "released_on", type=click.DateTime(["%Y-%m-%d"]), help="Date it bears; else the newest night's."
)
@json_option
@click.pass_obj
def release_tag(config: Path | None, tag: str, released_on: object, as_json: bool) -> int:
    """Release the corpus as it is now; doing it again changes nothing.

    \b
    Example:  gristmill release v1 --json
    """
    from corpus.release import release as make

    project = require_project(config)
    day = f"{released_on:%Y-%m-%d}" if released_on else None
    with progress("release", None, in_bytes=True) as advance:
        made = make(tag, **place_of(project), settings=project.settings.release, released_on=day, on_bytes=advance)
    _tell(made)
    if as_json:
        print_json(made.to_json())
    return DONE


def _tell(made: Released) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("split", "samples", "groups", "bytes"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for split in SPLITS:
        count = made.counts[split]
        table.add_row(split, f"{count.samples:,}", f"{count.groups:,}", f"{count.bytes:,}")
    stderr().print(table)
    for split in SPLITS:
        if not made.counts[split].samples:
            say(f"{split} is empty: {_EMPTY}")
    for reason, n in made.left_out.items():
        say(f"left out: {n} {reason.replace('_', ' ')}")
    done = _DONE[made.state]
    signed = "signed" if made.is_signed else "not signed"
    say(f"{made.tag}: {done}; {made.n_samples:,} samples, {made.released_on}, commit {made.commit[:12]}, {signed}")


@click.command("verify")
@click.argument("tag")
@click.option(
    "--signers", type=click.Path(path_type=Path), help="File of allowed signers; else release.allowed_signers."
)
@json_option
@click.pass_obj
def release_verify(config: Path | None, tag: str, signers: Path | None, as_json: bool) -> int:
    """Prove a release: clone the corpus afresh, make the release again, and compare every byte.

    Names the first file that differs. Exit code 1: something differs, or a signature is missing that should be there.

    \b
    Example:  gristmill release verify v1 --signers allowed_signers
    """
    from corpus.verify import verify

    project = require_project(config)
    with progress("verify", None, in_bytes=True) as advance:
        found = verify(tag, **place_of(project), signers=signers or _allowed_signers(project), on_bytes=advance)
    _judge(found)
    if as_json:
        print_json(found.to_json())
    return DONE if found.is_sound else FAILED


def _allowed_signers(project: Project) -> Path | None:
    named = project.settings.release.allowed_signers
    return project.root / Path(named).expanduser() if named else None


def _judge(found: Verified) -> None:
    for problem in found.problems:
        say(f"{found.tag}: {printable(problem)}")
    for remark in found.remarks:
        say(f"  note: {remark}")
    for what, signer in (("tag", found.tag_signed_by), ("manifest", found.manifest_signed_by)):
        if signer:
            say(f"  the {what} is signed by {printable(signer)}")
    if found.is_sound:
        say(f"{found.tag}: sound; {found.n_files:,} files with {found.n_samples:,} samples, commit {found.commit[:12]}")
