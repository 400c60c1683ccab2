"""What may be wrong with an execution, or with what is asked of it."""

from uuid import UUID

from app.domain.errors import Conflict, Gone, LimitReached, NotFound, RenumError


class ExecutionNotFound(NotFound):
    """No such execution of this user."""

    code = "execution_not_found"
    title = "Execution not found"

    def __init__(self, execution_id: UUID) -> None:
        super().__init__(f"There is no execution {execution_id}.")


class ExecutionFinished(Conflict):
    """It has completed or failed; that is final."""

    code = "execution_finished"
    title = "Execution has finished"

    def __init__(self, execution_id: UUID, status: str) -> None:
        super().__init__(f"Execution {execution_id} is already {status}.")


class TextNotFound(NotFound):
    """The agent has no such text yet, or there is no such agent in the execution."""

    code = "text_not_found"
    title = "Text not found"

    def __init__(self, key: str, field: str) -> None:
        super().__init__(f"The execution has no {field} of an agent {key!r}.")


class LogsExpired(Gone):
    """The execution has ended long ago, and its log lines are kept no longer."""

    code = "logs_expired"
    title = "The log is no longer kept"

    def __init__(self, execution_id: UUID) -> None:
        super().__init__(f"The log lines of execution {execution_id} are no longer kept.")


class NotRetryable(Conflict):
    """Only what has failed or was cancelled is run again."""

    code = "execution_not_retryable"
    title = "Execution cannot be retried"

    def __init__(self, execution_id: UUID, status: str) -> None:
        super().__init__(
            f"Execution {execution_id} is {status}; only a failed or cancelled one is retried."
        )


class TooManyExecutions(LimitReached):
    """The user's queue is full."""

    code = "too_many_executions"
    title = "Too many executions"
    retry_after_s = 30

    def __init__(self, queued: int) -> None:
        super().__init__(f"{queued} executions wait already; try again when some have run.")


class Fenced(RenumError):
    """Somebody else drives this execution now, or it was cancelled: write nothing, stop."""

    code = "fenced"
    title = "Superseded"
