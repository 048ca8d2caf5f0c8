"""The tap's command line, `tap-visma-economic` or `python -m tap_visma_economic`."""

from __future__ import annotations

import gc
import signal
import sys

from tap_visma_economic import outlets

_NOT_ALONE = (
    "The tap cannot start: {}. What it is built on is there in another version than it needs: "
    "another program, such as a target, may share its environment. Give each an environment of its "
    "own, as pipx and Meltano do"
)


def main() -> None:
    """Run the command line.

    Importing the SDK takes a second. Ctrl-C then ends the process as SIGTERM does, without Python's
    traceback; once the tap runs it has handlers of its own (see `stopping`).
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    outlets.ready()
    gc.disable()
    try:
        from tap_visma_economic.config import environment  # noqa: PLC0415
        from tap_visma_economic.memory import share_heaps  # noqa: PLC0415

        if wrong := environment.wrong_level("TAP_VISMA_ECONOMIC_LOGLEVEL", "LOGLEVEL"):
            sys.exit(wrong)
        from tap_visma_economic.tap import TapVismaEconomic  # noqa: PLC0415
    except (AttributeError, ImportError) as error:
        sys.exit(_NOT_ALONE.format(error))
    gc.enable()
    gc.freeze()
    share_heaps()
    TapVismaEconomic.cli()


if __name__ == "__main__":
    main()
