"""The command line: `gristmill VERB`. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but held for a person."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flows.console import DONE_BUT_HELD, FAILED, print_json, say
from flows.verbs import Verbs
from schemas.errors import GristmillError, SettingsError, nearest

COMMANDS = {
    "init": "flows.project_commands:init",
    "doctor": "flows.project_commands:doctor",
    "prepare": "flows.project_commands:prepare",
    "pull": "flows.step_commands:pull",
    "screen": "flows.step_commands:screen",
    "deduplicate": "flows.step_commands:deduplicate",
    "decontaminate": "flows.step_commands:decontaminate",
    "judge": "flows.judge_commands:judge",
    "select": "flows.step_commands:select",
    "run": "flows.night_commands:run",
    "serve": "flows.night_commands:serve",
    "report": "flows.night_commands:report",
    "review": "flows.desk_commands:review",
    "check": "flows.check_commands:check",
    "settle": "flows.review_commands:settle",
    "reviewers": "flows.review_commands:reviewers",
    "release": "flows.release_commands:release",
    "trigger": "flows.trigger_commands:trigger_command",
    "retract": "flows.retract_commands:retract",
    "migrate": "flows.migrate_commands:migrate",
    "export": "flows.export_commands:export",
    "status": "flows.history_commands:status",
    "explain": "flows.history_commands:explain",
}
"""Name of each command and where it lives; loaded when it is named, so that `gristmill --help` is quick."""


class Roads(Verbs):
    """The commands, in the order of the road, with a suggestion for a mistyped one."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name; a mistyped one is answered with the nearest."""
        return super().get_command(context, name) or context.fail(f"no such command {name!r}{nearest(name, COMMANDS)}")


@click.group(
    cls=Roads, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "--config", type=click.Path(path_type=Path), help="Settings file; else GRISTMILL_CONFIG, else ./gristmill.toml."
)
@click.version_option(package_name="gristmill", prog_name="gristmill")
@click.pass_context
def gristmill(context: click.Context, config: Path | None) -> None:
    """Chat logs in, a pull request with the best conversations out.

    \b
    Example:  gristmill init  &&  gristmill run
    """
    context.obj = config


def main() -> None:
    """The program: runs a command and turns every failure into a message and an exit code, never a traceback."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Runs one command and gives its exit code."""
    as_json = "--json" in arguments
    try:
        code = gristmill.main(args=arguments, prog_name="gristmill", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return _failed(as_json, "usage", error.format_message(), error.exit_code)
    except SettingsError as error:
        return _told(as_json, error, 2)
    except GristmillError as error:
        return _told(as_json, error, FAILED)
    except (KeyboardInterrupt, click.Abort):
        say("gristmill: interrupted; the same command goes on where it stopped")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE_BUT_HELD if not as_json else FAILED
    except Exception as error:  # the last line of defence: a traceback is for the file, not for the user
        return _unexpected(as_json, error)


def _told(as_json: bool, error: GristmillError, code: int) -> int:
    say(f"gristmill: {error}")
    return _failed(as_json, type(error).__name__, str(error), code)


def _failed(as_json: bool, kind: str, message: str, code: int) -> int:
    if as_json:
        print_json({"error": kind, "message": message})
    return code


def _unexpected(as_json: bool, error: Exception) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="gristmill-failure-", suffix=".txt", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    message = f"unexpected failure ({type(error).__name__}: {str(error)[:300]}); the details are in {file.name}"
    say(f"gristmill: {message}\nPlease report it with that file; nothing that was done before is lost.")
    return _failed(as_json, "unexpected", message, FAILED)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The --json flag that every command has."""
    text = "One JSON object on standard output, everything else on standard error."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)
