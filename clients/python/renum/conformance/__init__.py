"""
Whether a server's event stream keeps its promises: nothing lost, nothing twice, in order.

`check` follows the stream with several watchers of which two cut their own connections at random,
makes something happen, and compares what each of them was told.
"""

from renum.conformance.checks import Check
from renum.conformance.suite import Options, Report, check

__all__ = ["Check", "Options", "Report", "check"]
