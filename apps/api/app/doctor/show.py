"""The findings, for people and for machines."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from app.doctor.findings import Finding, Outcome, worst


def for_people(findings: Sequence[Finding]) -> str:
    """A line for each finding, below it what to do; then a sentence."""
    width = max(len(f.check) for f in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.outcome.value:8} {finding.check:{width}}  {finding.detail}")
        if finding.advice is not None:
            lines.append(f"{'':8} {'':{width}}  -> {finding.advice}")
    counted = Counter(f.outcome for f in findings)
    failures, warnings = counted[Outcome.FAILED], counted[Outcome.WARNING]
    return "\n".join(
        [*lines, "", f"{failures} failed, {warnings} warnings, {counted[Outcome.OK]} ok"]
    )


def as_json(findings: Sequence[Finding]) -> str:
    """`{"status": ok|warning|failed, "findings": [{check, outcome, detail, advice}]}`."""
    document = {"status": worst(findings), "findings": [asdict(f) for f in findings]}
    return json.dumps(document, indent=2, ensure_ascii=False)
