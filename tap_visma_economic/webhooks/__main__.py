"""The command line, `tap-visma-economic-webhooks` or `python -m tap_visma_economic.webhooks`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click

from tap_visma_economic import files
from tap_visma_economic.__main__ import run_command
from tap_visma_economic.errors import EconomicError, counted
from tap_visma_economic.webhooks import registration
from tap_visma_economic.webhooks.inbox import Inbox


def _quantity(**units: int) -> Callable[[str], int]:
    """Return what parses a whole number and its unit, such as `1GB`."""
    factors = {unit.lower(): factor for unit, factor in units.items()}

    def parse(text: str) -> int:
        match = re.fullmatch(r"([1-9]\d{0,8}) *([a-z]+)", text.strip().lower())
        if not match or match[2] not in factors:
            raise click.BadParameter(f"It must be a whole number and a unit: {', '.join(units)}.")
        return int(match[1]) * factors[match[2]]

    return parse


inbox_option = click.option(
    "--inbox",
    "url",
    required=True,
    envvar="TAP_VISMA_ECONOMIC_EVENTS_INBOX",
    metavar="URL",
    help="The inbox, such as sqlite:///inbox.db or postgresql://user@host/database.",
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage error, 130 interrupted.",
)
@click.version_option(package_name="tap-visma-economic")
def command() -> None:
    """Receive e-conomic's webhooks, so that runs can read only what has changed."""
    files.load_env_file(Path(".env"))


@command.command()
@inbox_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True)
@click.option(
    "--at-most",
    type=_quantity(KB=10**3, MB=10**6, GB=10**9),
    default="1GB",
    show_default=True,
    metavar="SIZE",
    help="Maximum size of the inbox.",
)
def serve(url: str, host: str, port: int, at_most: int) -> None:
    """Receive webhooks and store their events in the inbox.

    TAP_VISMA_ECONOMIC_WEBHOOK_SECRET holds the secret; to replace it, set NEW,OLD.
    """
    try:
        from tap_visma_economic.webhooks import receiver  # noqa: PLC0415
    except ImportError as error:
        raise EconomicError(
            f"The receiver needs {error.name}: pip install 'tap-visma-economic[webhooks]'"
        ) from error
    receiver.serve(url, host=host, port=port, at_most=at_most)


@command.command()
@inbox_option
def health(url: str) -> None:
    """Print the number of events in the inbox, and of unread ones, as one JSON object."""
    click.echo(json.dumps(Inbox(url).health()))


@command.command()
@inbox_option
@click.option(
    "--older-than",
    type=_quantity(m=60, h=3600, d=86400),
    required=True,
    metavar="AGE",
    help="Delete events older than this, such as 30d.",
)
@click.option("--forget", metavar="READER", help="Remove a reader that no longer runs.")
def prune(url: str, older_than: int, forget: str | None) -> None:
    """Delete old events that all readers have read."""
    inbox = Inbox(url)
    if forget:
        inbox.forget(forget)
    pruned = inbox.prune(timedelta(seconds=older_than))
    click.echo(f"Deleted {counted(pruned.count, 'event')}.")
    for reader, at in pruned.behind.items():
        click.echo(
            f"Older events are kept because {reader} has not read them; it last ran "
            f"{at:%Y-%m-%d %H:%M} UTC. If it no longer runs, add --forget {reader}"
        )


registration.add_commands(command)


def main() -> None:
    """Run the command line, and end with an exit code and without a traceback."""
    run_command(command)


if __name__ == "__main__":
    main()
