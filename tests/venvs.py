"""Environments of their own for programs whose dependencies do not go with ours, each made once."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATIENCE = 600


def bin_of(name: str, requirements: tuple[str, ...]) -> Path:
    """The programs of an environment; it is made by whichever worker comes first."""
    folder = ROOT / f".venv-{name}-{sys.version_info.major}.{sys.version_info.minor}"
    wanted = "\n".join(requirements)
    stamp = folder / "requirements.txt"
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, requirements)
            stamp.write_text(wanted)
    return folder / "bin"


def _install(folder: Path, requirements: tuple[str, ...]) -> None:
    """Make the environment with uv, or with pip where there is no uv or it does not get through."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    # dbt 1.11 does not run on 3.14 yet: uv finds or fetches another Python
    python = sys.executable if sys.version_info < (3, 14) else "3.13"
    if uv:
        made = _call([uv, "venv", "--quiet", "--clear", "--python", python, str(folder)])
        command = [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
        if made.returncode == 0 and _call([*command, *requirements]).returncode == 0:
            return
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements],
    ):
        done = _call(command)
        assert done.returncode == 0, f"{requirements}: {done.stdout}{done.stderr}"


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
