"""What is left of a program error for the next boot: the traceback in a file."""

import io
import os
import sys

_PATH = "state/crash.txt"


def describe(error):
    """The traceback as text."""
    text = io.StringIO()
    sys.print_exception(error, text)
    return text.getvalue()


def keep(error):
    """Print and write the traceback. A flash that cannot be written must not keep the device from starting again."""
    print(describe(error))
    try:
        os.mkdir("state")
    except OSError:
        pass  # it is there, or the next line says what is wrong
    try:
        with open(_PATH, "w") as file:
            file.write(describe(error))
    except OSError as failure:
        print("the crash could not be kept:", failure)


def take():
    """The last crash's traceback, once; empty if there was none."""
    try:
        with open(_PATH) as file:
            text = file.read()
        os.remove(_PATH)
    except OSError:
        return ""
    return text
