"""Commands under `gristmill judge` about learning: train, round, lessons."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli import json_option
from flows.console import DONE, DONE_BUT_HELD, print_json, progress, say
from flows.settings_file import find_project, require_project

_FILE = click.Path(path_type=Path, dir_okay=False)


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


@click.command("train")
@click.argument("label_files", metavar="LABELS.jsonl...", type=_FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=_FILE, default=Path("head.safetensors"), show_default=True, help="Head to write.")
@json_option
@click.pass_obj
def judge_train(config: Path | None, label_files: tuple[Path, ...], output: Path, as_json: bool) -> int:
    """Train the judge's head on labels that people gave: pairs, ranks, kept or rejected, ratings.

    Each line is {"prompt", "a", "b", "label"}, {"prompt", "answers": best first}, {"messages", "keep": true or false}
    or {"messages", "rating", "scale": [lowest, highest]}. Learning begins with the present head; heads from four
    fifths of the prompts are tried on the others. The new head judges when `judge.head` in the settings names it.

    \b
    Example:  gristmill judge train pairs.jsonl kept.jsonl -o my-head.safetensors --json
    """
    from flows.learning import train_head
    from judges.labels import read_labels

    read = [read_labels(file) for file in label_files]
    labels, damaged = [one for part, _ in read for one in part], [line for _, part in read for line in part]
    with progress("judge train", len({turns for one in labels for turns in one.conversations()})) as advance:
        trained = train_head(find_project(config), labels, output, advance)
    for line in damaged[:20]:
        say(str(line))
    say(f"{trained.n_pairs} pairs and {trained.n_decisions} decisions, {trained.n_unmeasured} could not be read")
    for name, figures in (("before", trained.before), ("after", trained.after)):
        said = [f"{key} {value:.3f}" for key in ("accuracy", "auc") if (value := figures[key]) is not None]
        say(f"{name}: {', '.join(said) or 'too few prompts to tell'} (prompts kept apart)")
    say(f"wrote {output}; to use it: head = {str(output)!r} below [judge]")
    if as_json:
        facts = {"pairs": trained.n_pairs, "decisions": trained.n_decisions, "unmeasured": trained.n_unmeasured}
        head = {"head": trained.head.name, "head_digest": trained.head.digest()}
        lines = {"damaged_lines": [vars(line) for line in damaged], "outputs": [str(output)]}
        print_json({**facts, "before": trained.before, "after": trained.after, **head, **lines})
    return DONE_BUT_HELD if damaged else DONE


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
