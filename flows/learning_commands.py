"""Commands under `gristmill judge` about learning from reviewers: round, lessons."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli import json_option
from flows.console import DONE, print_json, say
from flows.settings_file import require_project


@click.command("round")
@json_option
@click.pass_obj
def judge_round(config: Path | None, as_json: bool) -> int:
    """Train the judge on what reviewers decided; the new head judges only if it is shown to be better.

    A fifth of the decisions is never trained on: there the new head must beat the present one with the confidence of
    `judge_round.confidence`. Without new decisions nothing happens.

    \b
    Example:  gristmill judge round --json
    """
    project = require_project(config)
    from flows.judge_round import run_judge_round

    played = run_judge_round(project)
    say(f"{played.n_decided} decided samples; {played.message}")
    if as_json:
        print_json(played.to_json())
    return DONE


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="JSONL file to write."
)
@json_option
@click.pass_obj
def lessons(config: Path | None, output: Path, as_json: bool) -> int:
    """Write what reviewers decided as a chat-format fine-tuning set, which teaches any model to be the judge.

    Each line is {"messages": [system, user, assistant]}: the rubric, a conversation with the question, the rating. What
    is kept is rated 9, what was mended 4, what is rejected 2; the fifth that judges are tested on is left out.

    \b
    Example:  gristmill judge lessons -o lessons.jsonl
    """
    from flows.learning import export_lessons

    counts = export_lessons(require_project(config), output)
    say(f"{counts['written']} of {counts['decided']} written to {output}; {counts['frozen']} are for testing only")
    if as_json:
        print_json({**counts, "outputs": [str(output)]})
    return DONE
