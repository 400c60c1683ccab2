"""Whether other machines think it is as late as we do."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from app.doctor.findings import Finding, failed, ok, warning

#: Orders of events look odd from here on.
_NOTICEABLE = timedelta(seconds=2)
#: Tokens are refused from here on (the leeway of their times).
_HARMFUL = timedelta(seconds=30)
_ADVICE = "let both machines keep time with NTP"


def clock_finding(check: str, whose: str, theirs: datetime, ours: datetime) -> Finding:
    """*ours* is the middle of the question."""
    off = theirs - ours
    seconds = f"{abs(off.total_seconds()):.1f} s {'ahead of' if off > timedelta() else 'behind'} us"
    if abs(off) > _HARMFUL:
        return failed(check, f"{whose} clock is {seconds}", _ADVICE)
    if abs(off) > _NOTICEABLE:
        return warning(check, f"{whose} clock is {seconds}", _ADVICE)
    return ok(check, f"{whose} clock agrees with ours")


def date_finding(
    check: str, whose: str, headers: Mapping[str, str], ours: datetime
) -> list[Finding]:
    """By the `Date` of an answer (RFC 9110 §6.6.1), which has whole seconds; none without it."""
    try:
        theirs = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return []
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    return [clock_finding(check, whose, theirs + timedelta(seconds=0.5), ours)]


def now() -> datetime:
    return datetime.now(UTC)
