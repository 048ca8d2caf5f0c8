"""``python -m tests.sandbox``: serve the standard companies until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
import threading

from .approval import installation_url
from .server import Sandbox
from .standard import SCALES, standard_grants
from .zones import ZONES


def _scale(text: str) -> str | int:
    if text in SCALES:
        return text
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"one of {', '.join(SCALES)}, or a number of entries")


def main() -> int:
    """Print one JSON line with the settings to use, then serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--scale", type=_scale, default="small", help="size of the main company")
    parser.add_argument("--agreements", type=int, default=0, help="small companies more")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds per answer")
    parser.add_argument("--zone", choices=ZONES, default="utc", help="how instants are served")
    options = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        sandbox = Sandbox(
            standard_grants(options.scale, options.agreements),
            port=options.port,
            latency=options.latency / 1000,
            zone=options.zone,
        )
    except OSError as error:
        parser.error(f"cannot serve on port {options.port}: {error.strerror}")
    gc.freeze()  # large companies are there for good: the collector need not go through them
    with sandbox:
        settings = {
            "rest_url": sandbox.url,
            "openapi_url": sandbox.url,
            "app_secret_token": sandbox.app_secret,
            "installation_url": installation_url(sandbox.url),
            "grants": {
                token: {"agreement_number": grant.company.agreement_number, "role": grant.role}
                for token, grant in sandbox.grants.items()
            },
        }
        print(json.dumps(settings), flush=True)
        while not stopped.wait(3600):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
