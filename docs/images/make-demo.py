#!/usr/bin/env python3
"""The picture of the demo in the README, from a real run: docs/images/demo.svg.

    cargo build --profile dist && python3 docs/images/make-demo.py target/dist/claimctl

`claimctl demo` is played in a terminal of 100 columns, and what stands there at its end is drawn. It is played twice,
because the first run builds the handler and the sandbox's Python: the times are those of a machine that has both.
"""

import fcntl
import hashlib
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios
import venv
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS, ROWS = 100, 200
# Of a character, in pixels; most fonts of fixed width are 0.6 times as wide as they are high.
SIZE, WIDTH, HEIGHT = 14, 8.4, 20
MARGIN, BAR = 18, 34
PAGE, TEXT, FAINT = "#0d1117", "#e6edf3", "#8b949e"
COLOURS = {"red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341", "blue": "#79c0ff", "magenta": "#d2a8ff",
           "cyan": "#76e3ea"}
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"


def with_emulator():
    """Goes on in a Python that has pyte, in the version that requirements.txt names."""
    requirements = HERE / "requirements.txt"
    version = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    place = HERE.parents[1] / "target" / f"picture-{version}"
    if not (place / "done").exists():
        venv.create(place, with_pip=True, clear=True)
        subprocess.run([place / "bin" / "pip", "install", "--quiet", "--require-hashes", "--requirement",
                        requirements], check=True)
        (place / "done").touch()
    os.execv(place / "bin" / "python", [place / "bin" / "python", *sys.argv])


def played(claimctl):
    """All that the demo writes to its terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color")
        os.environ.pop("NO_COLOR", None)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execv(claimctl, ["claimctl", "demo"])
    written = b""
    try:
        while some := os.read(terminal, 65536):
            written += some
    except OSError:
        pass  # Linux's way to say that nobody has the terminal open any more.
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code:
        sys.exit(f"claimctl demo ended with {code}:\n{written.decode(errors='replace')}")
    return written


def lines(written):
    """What stands on the screen: for each line its pieces, as (column, text, (colour, bold)).

    A piece has no two spaces in a row: each column is placed by itself, whatever the font.
    """
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.ByteStream(screen).feed(written)
    found = []
    for row in range(ROWS):
        runs = []
        for column in range(COLUMNS):
            cell = screen.buffer[row][column]
            look = (cell.fg, cell.bold)
            if runs and runs[-1][2] == look:
                runs[-1][1] += cell.data
            else:
                runs.append([column, cell.data, look])
        found.append([(column + piece.start(), piece.group(), look) for column, text, look in runs
                      for piece in re.finditer(r"\S+(?: \S+)*", text)])
    while found and not found[-1]:
        found.pop()
    return found


def picture(found):
    wide, high = 2 * MARGIN + COLUMNS * WIDTH, BAR + MARGIN + (len(found) + 1) * HEIGHT
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high}" '
           f'viewBox="0 0 {wide:.0f} {high}" role="img">')
    yield "<title>claimctl demo: what it says until its end</title>"
    yield f'<rect width="100%" height="100%" rx="8" fill="{PAGE}"/>'
    for index, colour in enumerate(["#ff5f57", "#febc2e", "#28c840"]):
        yield f'<circle cx="{MARGIN + 5 + 18 * index}" cy="{BAR / 2 + 1:.0f}" r="5" fill="{colour}"/>'
    yield f'<g font-family="{FONTS}" font-size="{SIZE}" fill="{TEXT}">'
    prompt = [(0, "$", ("faint", False)), (2, "claimctl demo", ("default", True))]
    for row, runs in enumerate([prompt, *found]):
        for column, text, (colour, bold) in runs:
            colour = {"default": None, "faint": FAINT}.get(colour, COLOURS.get(colour))
            look = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "")
            yield (f'<text x="{MARGIN + column * WIDTH:.1f}" y="{BAR + (row + 1) * HEIGHT - 5}" '
                   f'textLength="{len(text) * WIDTH:.1f}"{look}>{escape(text)}</text>')
    yield "</g>"
    yield "</svg>"


try:
    import pyte
except ImportError:
    with_emulator()

if len(sys.argv) != 2:
    sys.exit(__doc__)
binary = pathlib.Path(sys.argv[1]).resolve()
played(binary)
(HERE / "demo.svg").write_text("\n".join(picture(lines(played(binary)))) + "\n")
