"""The virtual device: the real firmware under MicroPython, with models of everything around it."""
