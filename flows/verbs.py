"""Groups of commands that are loaded when they are named, so that `gristmill --help` is quick."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class _Unnamed(click.Context):
    """That of a group's default command, whose name nobody types and no usage line shows."""

    @property
    def command_path(self) -> str:
        """The group's."""
        return self.parent.command_path if self.parent else super().command_path


class Verbs(click.Group):
    """A group with a place, `module:attribute`, for each command.

    With a `default`, whatever does not begin with the name of another command is for that one, which is hidden:
    `gristmill judge IN -o OUT` beside `gristmill judge eval`.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], default: str | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.places, self.default = places, default

    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """The names that people type, in the order of the places."""
        return [name for name in self.places if name != self.default]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        """The command of that name, imported now."""
        if name not in self.places:
            return None
        module, attribute = self.places[name].split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        if name == self.default:
            command.context_class = _Unnamed
        return command

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Puts the default's name before what is for it; `--help` alone is the group's."""
        is_help = len(args) == 1 and args[0] in context.help_option_names
        if self.default is None or is_help or (args and args[0] in self.list_commands(context)):
            return super().parse_args(context, args)
        return super().parse_args(context, [self.default, *args])
