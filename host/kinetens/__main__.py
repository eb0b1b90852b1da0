"""`python -m kinetens` is the command `kinetens`."""

from kinetens.cli import main

main()
