"""Start a command, wait for its end, and write what it cost to a pipe, as JSON.

Linux takes the size of the process that starts another for the least that the other ever had. So
what is measured is started by this small one, which imports next to nothing.
"""

import json
import os
import sys
import time


def main(pipe: str, *command: str) -> None:
    """Run a command; `pipe` is the number of the open file to write to."""
    began = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    cost = {
        "seconds": time.perf_counter() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "code": os.waitstatus_to_exitcode(status),
    }
    os.write(int(pipe), json.dumps(cost).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
