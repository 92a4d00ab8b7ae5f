"""What a whole process costs: time, processor, memory. And the comparison of three ways to move messages."""

import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from pairs import row


class Cost:
    """Of one run: seconds, CPU seconds, the most memory in MiB."""

    def __init__(self, command, env, cwd):
        began = time.perf_counter()
        process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        watch = threading.Thread(target=self.watch, args=(process.pid,))
        self.peak, self.over = 0.0, threading.Event()
        watch.start()
        said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.perf_counter() - began
        self.over.set()
        watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}: {said}")
        self.cpu = usage.ru_utime + usage.ru_stime

    def watch(self, pid):
        """The kernel's own high-water mark, read until there is none: rusage would count the parent's, too."""
        while not self.over.wait(0.01):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                return
            marks = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
            self.peak = max([self.peak, *(mark / 1024 for mark in marks)])


class Comparison:
    """Runs of claimctl, of its peer and of the ceiling, in turn, on one server."""

    def __init__(self, server, messages):
        self.server, self.messages = server, messages
        self.ours, self.peers, self.ceilings = [], [], []

    def add(self, ours, peer, ceiling):
        self.ours.append(ours)
        self.peers.append(peer)
        self.ceilings.append(ceiling)

    def show(self):
        def rate(cost):
            return self.messages / cost.seconds

        def costs(name, runs, more):
            cpu = statistics.median(run.cpu for run in runs) * 100_000 / self.messages
            row(f"{self.server}: {name}", f"{statistics.median(map(rate, runs)):,.0f}/s",
                f"{cpu:.1f} s, {max(run.peak for run in runs):.0f} MiB", more)

        ratio = statistics.median(rate(ours) / rate(peer) for ours, peer in zip(self.ours, self.peers))
        share = statistics.median(rate(ours) / ceiling for ours, ceiling in zip(self.ours, self.ceilings))
        costs("claimctl", self.ours, f"{ratio:.1f} times, {share:.0%}")
        costs("boto3, ten threads", self.peers, "")
        row(f"{self.server}: ceiling", f"{statistics.median(self.ceilings):,.0f}/s")


def heading():
    row("SERVER", "MESSAGES", "CPU/100,000, PEAK", "OF PEER, OF CEILING")
