"""`make sandbox`: serve the sandbox until Ctrl-C, and say which settings to use it with."""

from __future__ import annotations

import signal
import sys

from scripts.local import environment, sandbox


def main() -> int:
    """Serve; arguments go to `python -m tests.sandbox` (`--help` lists them)."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _serve()
    except RuntimeError as error:  # why stands above it
        sys.exit(f"{error}. make sandbox PORT=9000 takes another port")
    return 0


def _serve() -> None:
    with sandbox(*sys.argv[1:]) as served:
        urls = {name: served[name] for name in ("rest_url", "openapi_url")}
        tokens = {"app_secret_token": served["app_secret_token"], "agreement_grant_token": "demo"}
        print("A local e-conomic with made-up companies is running. Paste this into a shell (or,")
        print("for Meltano, into .env); the tap itself reads it with --config=ENV:\n")
        for name, value in environment({**urls, **tokens}).items():
            print(f"export {name}={value}")
        print("\nOther grant tokens, each its own view of a company:")
        for token, grant in served["grants"].items():
            print(f"  {token:<14}agreement {grant['agreement_number']}, role {grant['role']}")
        print("\nInstallation URL of its app, for tap-visma-economic-connect --app:")
        print(f"  {served['installation_url']}")
        print("\nCtrl-C ends it.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    sys.exit(main())
