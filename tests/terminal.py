"""What is left on a terminal of what a program writes to it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

_CODE = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+")


def on_terminal(command, width=100, height=50, **options):
    """Run a command on a pseudo-terminal; return (exit status, the lines that are left there)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    started = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, **options
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # as Linux ends it
            break
        if not part:
            break
        written += part
    os.close(ours)
    return started.wait(), rendered(written.decode(), width)


def rendered(text, width=100):
    """Return the lines that a terminal of ``width`` columns shows at the end of ``text``."""
    lines, row, column = [""], 0, 0
    for found in _CODE.finditer(text):
        number, code = found[1], found[2]
        if code == "A":
            row = max(0, row - int(number or 1))
        elif code == "K":
            lines[row] = ""
        elif code is None and found[0] == "\r":
            column = 0
        elif code is None and found[0] == "\n":
            row, column = row + 1, 0
        elif code is None:
            for start in range(0, len(found[0]), width):
                part = found[0][start : start + width]
                if start:
                    row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
                before, after = lines[row][:column], lines[row][column + len(part) :]
                lines[row] = before.ljust(column) + part + after
                column += len(part)
        lines += [""] * (row + 1 - len(lines))
    return lines
