"""An error as RFC 9457 writes it; every answer that is not a success has this shape."""

from pydantic import Field

from app.schemas.base import Answer


class ProblemPlace(Answer):
    """One value that cannot be accepted."""

    loc: list[str | int] = Field(description="Where it stands.", examples=[["body", "name"]])
    code: str = Field(examples=["missing"])
    message: str = Field(examples=["is required"])


class Problem(Answer):
    """What went wrong, for programs (`code`) and for people (`detail`)."""

    type: str = Field(description="The page of this error.", examples=["/errors/team_not_found"])
    title: str = Field(examples=["Team not found"])
    status: int = Field(description="The HTTP status once more.", examples=[404])
    detail: str = Field(description="A sentence to act on.")
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="Stable: branch on this.", examples=["team_not_found"])
    request_id: str | None = Field(description="Quote it when you ask for help.")
    errors: list[ProblemPlace] | None = Field(
        None, description="Only for 422: every place that cannot be accepted."
    )
    version: int | None = Field(
        None, description="Only for `version_mismatch`: the team's version by now."
    )
    oldest_event_id: int | None = Field(
        None, description="Only for `resync_required`: the oldest event that is still kept."
    )
