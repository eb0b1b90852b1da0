"""Runs first: as a program of the computer if that passed a command line, else as a board with a flash."""

import rig

command_line = rig.command_line()
if command_line != "board":
    import _computer

    rig.exit(_computer.run(command_line))
else:
    import _board

    _board.mount()
