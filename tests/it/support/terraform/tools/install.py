#!/usr/bin/env python3
"""Makes the virtual environment FOLDER/tools with what requirements.txt pins, where it is not there yet.

    install.py FOLDER
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def main():
    place = Path(sys.argv[1]) / "tools"
    done = place / "requirements.txt"
    if done.exists() and done.read_bytes() == REQUIREMENTS.read_bytes():
        return
    venv.create(place, with_pip=True, clear=True)
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", REQUIREMENTS]
    subprocess.run([place / "bin/python", *PIP, *options], check=True)
    # Last, so that what a killed run left is made anew.
    shutil.copyfile(REQUIREMENTS, done)


if __name__ == "__main__":
    main()
