"""The API's things, one module each."""

from renum.resources.agents import Agents
from renum.resources.api_keys import ApiKeys
from renum.resources.executions import Executions
from renum.resources.notifications import Notifications
from renum.resources.teams import Teams
from renum.resources.webhooks import Webhooks

__all__ = ["Agents", "ApiKeys", "Executions", "Notifications", "Teams", "Webhooks"]
