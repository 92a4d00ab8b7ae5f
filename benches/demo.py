#!/usr/bin/env python3
"""How long the whole story takes once everything is built, and its steps.

    cargo build --profile dist && python3 benches/demo.py
"""

import json
import statistics
import subprocess

from pairs import ROOT, claimctl, environment, row

RUNS = 3

# The first run builds the handler and the virtual environment; it is not counted.
stories = []
for number in range(RUNS + 1):
    done = subprocess.run([claimctl(), "demo", "--output", "json", "--quiet"], cwd=ROOT, env=environment(), check=True,
                          stdout=subprocess.PIPE)
    if number:
        stories.append(json.loads(done.stdout))

row("STEP", "MEDIAN")
for index, step in enumerate(stories[0]["steps"]):
    row(step["step"], f"{statistics.median(story['steps'][index]['elapsed_ms'] for story in stories) / 1000:.1f} s")
row("in all", f"{statistics.median(story['elapsed_ms'] for story in stories) / 1000:.1f} s")
