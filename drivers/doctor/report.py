"""Findings as a technician reads them: the wrong ones first, each with the command that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from kiosk.values import CheckStatus, Finding

_ORDER: Final = (CheckStatus.BAD, CheckStatus.ATTENTION, CheckStatus.GOOD, CheckStatus.ABSENT)
_MARKS: Final = {
    CheckStatus.BAD: "BAD ",
    CheckStatus.ATTENTION: "look",
    CheckStatus.GOOD: "good",
    CheckStatus.ABSENT: " -- ",
}


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The document of ``doctor --json``; ``code`` as in every answer that is not good."""
    worst = next((status for status in _ORDER if any(one.status is status for one in findings)), None)
    counts = {str(status): sum(one.status is status for one in findings) for status in _ORDER}
    answer: dict[str, Any] = {"worst": str(worst or CheckStatus.ABSENT), "counts": counts}
    if worst is CheckStatus.BAD:
        answer |= {"code": "trouble_found", "message": f"{counts['bad']} checks found something that fails"}
    return answer | {"findings": [_one(finding) for finding in findings]}


def as_text(findings: Iterable[Finding]) -> str:
    """The same for a terminal."""
    lines = []
    for finding in sorted(findings, key=lambda one: _ORDER.index(one.status)):
        lines.append(f"{_MARKS[finding.status]}  {finding.check:<18} {finding.subject}: {finding.evidence}")
        if finding.fix:
            lines.append(f"      fix:   {finding.fix}")
        if finding.status in (CheckStatus.BAD, CheckStatus.ATTENTION):
            lines.append(f"      again: {finding.again}")
    return "\n".join(lines)


def _one(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "status": str(finding.status),
        "subject": finding.subject,
        "evidence": finding.evidence,
        "fix": finding.fix,
        "test_again": finding.again,
    }
