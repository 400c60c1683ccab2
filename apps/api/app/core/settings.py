"""
Everything that can be set from outside: environment variables, or `.env` beside the process.

`.env.example` explains each one. Nothing here has a secret default, and there is no settings
object at module level: whoever starts a process makes one and hands it on.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.settings_rules import base_url, listed, path_prefix, problems_of, rate

NO_SECRET = SecretStr("")

BaseUrl = Annotated[str, AfterValidator(base_url)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[str, AfterValidator(rate)]


class ConfigurationError(Exception):
    """The process cannot start like this; `problems` says everything that is wrong, at once."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


class Settings(BaseSettings):
    """An empty value is the same as none. Names in the environment are these in upper case."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    app_env: Literal["production", "development"] = "production"
    api_prefix: Annotated[str, AfterValidator(path_prefix)] = "/api/v1"
    cors_origins: Annotated[tuple[str, ...], NoDecode, listed()] = ()
    #: Whose `X-Forwarded-For` is believed.
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, listed()] = ()
    debug: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = None
    log_format: Literal["json", "console"] | None = None
    #: The root of a collector that takes OTLP over HTTP; traces are off without it.
    otel_exporter_otlp_endpoint: BaseUrl = ""
    #: As `name=value,name=value`, for collectors that ask who sends.
    otel_exporter_otlp_headers: SecretStr = NO_SECRET
    otel_service_name: str = "renum-api"
    #: The share of traces begun here that is kept; of others, their caller decides.
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = 1.0
    #: Where development keeps its database and its sandbox.
    data_dir: Path = Path(".renum")

    database_url: SecretStr = NO_SECRET
    #: For LISTEN and migrations, where `database_url` is a transaction pooler.
    database_direct_url: SecretStr = NO_SECRET
    database_pool_size: Count = 10

    #: Without it, PostgreSQL rings the doorbell.
    redis_url: SecretStr = NO_SECRET

    suna_api_url: BaseUrl = ""
    #: Accepted because the specification lists it; Suna has no run WebSocket to connect to.
    suna_ws_url: str = ""
    suna_api_key: SecretStr = NO_SECRET
    suna_api_dialect: Literal["auto", "initiate", "start", "execute"] = "auto"
    #: In whose name Suna is asked: one account's for all, or each user's own.
    suna_auth_mode: Literal["api_key", "forward"] = "api_key"
    #: Of one Suna account, all processes together; 0 leaves the counting to Suna.
    suna_max_parallel_runs: Annotated[int, Field(ge=0)] = 3
    suna_allow_insecure: bool = False

    supabase_url: BaseUrl = ""
    supabase_anon_key: SecretStr = Field(
        NO_SECRET, validation_alias=AliasChoices("supabase_anon_key", "supabase_publishable_key")
    )
    supabase_service_key: SecretStr = Field(
        NO_SECRET, validation_alias=AliasChoices("supabase_service_key", "supabase_secret_key")
    )
    supabase_jwks_url: BaseUrl = ""

    #: Only of projects that still sign with the shared secret.
    jwt_secret_key: SecretStr = NO_SECRET
    jwt_algorithm: Literal["HS256"] = "HS256"
    #: Life of the tokens that the sandbox signs; Supabase rules its own.
    jwt_expire_minutes: Count = 60
    jwt_issuer: str = ""
    jwt_audience: str = "authenticated"

    #: Requests of one user, and attempts to sign in from one address and with one e-mail.
    rate_limit_user: Rate = "1200/minute"
    rate_limit_login_address: Rate = "30/minute"
    rate_limit_login_email: Rate = "10/minute"

    #: Whether webhooks may go to addresses inside, and by plain http.
    webhooks_allow_private: bool = False

    event_retention_days: Count = 7
    #: After the end of an execution; None keeps for ever.
    execution_retention_days: Count | None = None
    log_retention_days: Count | None = None
    notification_retention_days: Count | None = None

    max_concurrent_executions: Count = 5
    max_queued_executions: Count = 100
    worker_concurrency: Count = 1000
    ws_max_sockets_per_user: Count = 20
    #: For old front ends that put their token into the address, where logs of proxies keep it.
    ws_allow_query_token: bool = False

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """From the environment and `.env`. Raises ConfigurationError naming every bad value."""
        try:
            values: dict[str, Any] = overrides
            return cls(**values)
        except ValidationError as error:
            raise ConfigurationError(
                [f"{_name(e['loc'])}: {_said(e['msg'])}" for e in error.errors()]
            ) from None

    def having(self, changes: Mapping[str, object]) -> Self:
        """A copy with some values replaced; they are ours, so they are not validated again."""
        return self.model_copy(update=changes)

    def check(self) -> None:
        """Raises ConfigurationError listing all that is missing, weak or unsafe."""
        problems = problems_of(self)
        if problems:
            raise ConfigurationError(problems)

    @property
    def in_development(self) -> bool:
        return self.app_env == "development"

    @property
    def direct_url(self) -> SecretStr:
        """A database connection that can LISTEN."""
        return self.database_direct_url or self.database_url

    @property
    def auth_url(self) -> str:
        return f"{self.supabase_url}/auth/v1"

    @property
    def jwks_url(self) -> str:
        return self.supabase_jwks_url or f"{self.auth_url}/.well-known/jwks.json"

    @property
    def issuer(self) -> str:
        """The `iss` of access tokens."""
        return self.jwt_issuer or self.auth_url

    @property
    def effective_log_level(self) -> str:
        return self.log_level or ("DEBUG" if self.debug else "INFO")

    @property
    def logs_for_people(self) -> bool:
        """Console lines instead of JSON: what was asked for, else in development."""
        return (self.log_format or ("console" if self.in_development else "json")) == "console"


def _name(loc: tuple[int | str, ...]) -> str:
    return str(loc[0]).upper() if loc else "settings"


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
