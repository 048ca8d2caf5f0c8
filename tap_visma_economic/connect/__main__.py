"""The command line, `tap-visma-economic-connect` or `python -m tap_visma_economic.connect`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from tap_visma_economic.__main__ import check_standard_streams
from tap_visma_economic.connect import ends
from tap_visma_economic.connect.installation import LOCALES
from tap_visma_economic.errors import EconomicError, Stopped

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 connected, 1 refused or failed, 2 wrong usage, 3 access not given, "
    "4 nobody came back in time, 130 Ctrl-C.",
)
@click.option("--app", metavar="TOKEN", help="The app's public token, or its installation URL.")
@click.option("--env-file", type=_FILE, help="Store in this .env file. Default: .env")
@click.option("--config-file", type=_FILE, help="Store in this settings file (JSON).")
@click.option("--stdout", is_flag=True, help="Print the grant token alone, and store nothing.")
@click.option("--paste", is_flag=True, help="Paste the token, where the browser cannot come back.")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen there. Default: a free one")
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@click.option(
    "--locale",
    type=click.Choice(LOCALES),
    default=LOCALES[0],
    show_default=True,
    help="Language of e-conomic's page.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the browser.",
)
@click.option("--remove-refused", is_flag=True, help="Take out stored grants that are refused.")
@click.version_option(package_name="tap-visma-economic")
def command(
    *,
    app: str | None,
    env_file: Path | None,
    config_file: Path | None,
    stdout: bool,
    paste: bool,
    port: int | None,
    no_browser: bool,
    locale: str,
    timeout: float,
    remove_refused: bool,
) -> None:
    """Give your e-conomic app access to a company, and store the tokens for tap-visma-economic.

    Asks for the app's public token and secret token, opens e-conomic in a browser, waits until
    somebody of the company has added the app, checks the grant and stores it. Run it once for each
    company: further ones join those that are stored.
    """
    from tap_visma_economic.connect import flow, stores  # noqa: PLC0415  --help need not wait

    chosen: list[stores.Store] = [stores.EnvFile(env_file)] if env_file else []
    chosen += [stores.ConfigFile(config_file)] if config_file else []
    chosen += [stores.StandardOutput()] if stdout else []
    if len(chosen) > 1:
        raise click.UsageError("Choose one of --env-file, --config-file and --stdout.")
    if paste and port:
        raise click.UsageError("--paste does not listen: leave out --port.")
    flow.connect(
        flow.Wish(
            app=app,
            store=chosen[0] if chosen else stores.EnvFile(Path(".env")),
            paste=paste,
            port=port,
            open_browser=not no_browser,
            locale=locale,
            timeout=timeout,
            remove_refused=remove_refused,
        )
    )


def main() -> None:
    """Run the command line, and end with an exit code of `ends` and without a traceback."""
    check_standard_streams()
    try:
        code = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt, Stopped):
        click.echo("\nStopped.", err=True)
        os._exit(ends.INTERRUPTED)  # answers still on their way would be waited for
    except EconomicError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(getattr(error, "exit_code", ends.FAILED))
    sys.exit(code or ends.CONNECTED)


if __name__ == "__main__":
    main()
