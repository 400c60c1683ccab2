"""`python -m renum_sandbox` is the command `renum-sandbox`."""

from renum_sandbox.cli import main

main()
