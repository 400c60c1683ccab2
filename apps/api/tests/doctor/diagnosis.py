"""What the doctor says, in a form that tests compare."""

from app.core.settings import Settings
from app.doctor.examine import examine
from app.doctor.findings import Finding


async def about(settings: Settings, part: str) -> dict[str, Finding]:
    """Findings of one part by their check."""
    return {f.check: f for f in await examine(settings) if f.check.startswith(f"{part}.")}


async def complaint(settings: Settings, check: str) -> Finding:
    """The one finding of a check, which has to say what to do."""
    [found] = [f for f in await examine(settings) if f.check == check and f.advice is not None]
    return found
