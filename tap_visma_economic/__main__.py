"""The tap's command line, `tap-visma-economic` or `python -m tap_visma_economic`."""

from __future__ import annotations

import signal

from tap_visma_economic.memory import give_back


def main() -> None:
    """Run the command line.

    Importing the SDK takes a second. Ctrl-C then ends the process as SIGTERM does, without Python's
    traceback; once the tap runs it has handlers of its own (see `stopping`).
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tap_visma_economic.tap import TapVismaEconomic  # noqa: PLC0415

    give_back()
    TapVismaEconomic.cli()


if __name__ == "__main__":
    main()
