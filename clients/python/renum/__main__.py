"""`python -m renum`."""

from renum.cli import main

main()
