"""Commands about a night: run, serve, report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flows.cli import json_option
from flows.console import DONE, exit_code, print_funnel, print_json, say
from flows.nights import checked_date, find_night, tonight
from flows.settings_file import require_project, resolved_settings
from schemas.errors import GristmillError, SettingsError


@click.command()
@click.option("--night", metavar="DATE", help="The date that the night bears; today when absent.")
@json_option
@click.pass_obj
def run(config: Path | None, night: str | None, as_json: bool) -> int:
    """Run the night: from logs to a pull request. Run again, it goes on where it stopped, or changes nothing.

    \b
    Example:  gristmill run --night 2026-11-04
    """
    project = require_project(config)
    if not project.settings.sources:
        raise SettingsError(f"{project.file} names no [[sources]]; add one, or try `gristmill init`")
    date = checked_date(night) if night else tonight(project, datetime.now(UTC))
    for key, value, origin in resolved_settings(project):
        if origin != "default":
            say(f"  {key} = {value}  ({origin})")
    from flows.night import run_night

    ended = run_night(project, date)
    reports = ended.night.reports()
    print_funnel(reports)
    proposal = ended.night.proposal() or {}
    say(f"{ended.state}: {ended.message}")
    alarms = ended.night.alarms()
    for alarm in alarms:
        say(f"alarm: {alarm}")
    if as_json:
        steps = [report.to_json() for report in reports]
        told = {"night": date, "state": ended.state, "message": ended.message}
        print_json({**told, "steps": steps, "proposal": proposal, "alarms": alarms})
    pending = [str(why) for why in [proposal.get("pull_request_pending")] if why]
    return exit_code(reports, [*alarms, *pending])


@click.command()
@click.option("--webhook", metavar="[HOST:]PORT", help="Listen there for the forge's webhook; this machine if no host.")
@json_option
@click.pass_obj
def serve(config: Path | None, webhook: str | None, as_json: bool) -> int:
    """Run everything on schedule until stopped, with Prefect's page to look at.

    The night runs at night.cron. At release.cron nights that people are done with are merged, a release that is due is
    cut, and rounds that wait are tried again, as `gristmill trigger` does. With --webhook the forge tells when it is
    time to look: set its webhook to /webhook there, with the secret that GRISTMILL_FORGE_WEBHOOK_SECRET holds.

    \b
    Example:  gristmill serve
              gristmill serve --webhook 8765
    """
    project = require_project(config)
    from flows.night import serve_nights
    from flows.serving import door_of
    from flows.trigger import check_round

    try:
        check_round(project)
    except GristmillError as error:  # nights and merging go on without rounds
        say(f"no round can be started: {error}")

    def on_ready(facts: dict[str, str | None]) -> None:
        say(f"the night runs at cron {facts['cron']!r} ({facts['timezone']}); Ctrl-C ends it")
        say(f"finished nights are merged and releases cut at cron {facts['settle_cron']!r}")
        if facts["webhook"]:
            say(f"the forge's webhook is listened for at {facts['webhook']}")
        say(f"Prefect's page: {facts['page']}")
        if as_json:
            print_json(facts)

    serve_nights(project, on_ready, door_of(project, webhook) if webhook else None)
    return DONE


@click.command()
@click.argument("night", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="HTML file to write.")
@json_option
@click.pass_obj
def report(config: Path | None, night: str | None, output: Path | None, as_json: bool) -> int:
    """Write the night's page: one HTML file with what was kept, what was dropped and why. The last night when absent.

    \b
    Example:  gristmill report 2026-11-04
    """
    from corpus.report import write_report

    found = find_night(require_project(config), night)
    path = write_report(found.folder, output or found.folder / "night.html")
    say(f"wrote {path}; open it in a browser")
    if as_json:
        print_json({"night": found.date, "outputs": [str(path)]})
    return DONE
