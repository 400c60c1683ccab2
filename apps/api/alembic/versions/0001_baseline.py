"""Teams, executions, the event log, notifications, and the queue's own tables.

Revision ID: 0001
Revises:
"""

from procrastinate.schema import SchemaManager

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind().connection.driver_connection
    connection.execute(_TABLES)
    # The queue's schema comes from the library whose code works on it; the requirement pins the
    # version. Its names are unqualified, so it is created, and later called, with our search path.
    connection.execute("SET LOCAL search_path TO renum")
    connection.execute(SchemaManager.get_schema())
    connection.execute(_PIN_SEARCH_PATH)
    connection.execute("RESET search_path")


def downgrade() -> None:
    connection = op.get_bind().connection.driver_connection
    connection.execute(_DROP_ALL)


_TABLES = """
CREATE TABLE renum.teams (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL,
    name          text NOT NULL,
    description   text,
    workflow_type text NOT NULL,
    status        text NOT NULL,
    version       integer NOT NULL DEFAULT 1,
    -- Name and description without case and accents, for `search`.
    search_text   text NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
-- The list of a user's teams, newest first (ids are UUIDv7).
CREATE INDEX teams_of_user ON renum.teams (user_id, id DESC);

CREATE TABLE renum.team_agents (
    id            uuid PRIMARY KEY,
    team_id       uuid NOT NULL REFERENCES renum.teams ON DELETE CASCADE,
    position      smallint NOT NULL,
    key           text NOT NULL,
    agent_id      uuid NOT NULL,
    role          text NOT NULL,
    "order"       integer NOT NULL,
    config        jsonb NOT NULL,
    agent_details jsonb NOT NULL,
    UNIQUE (team_id, key)
);

CREATE TABLE renum.executions (
    id                   uuid PRIMARY KEY,
    user_id              uuid NOT NULL,
    -- No foreign key: executions outlive their team.
    team_id              uuid NOT NULL,
    team_name            text NOT NULL,
    status               text NOT NULL,
    input                jsonb NOT NULL,
    config               jsonb NOT NULL,
    plan                 jsonb NOT NULL,
    progress             jsonb NOT NULL,
    created_at           timestamptz NOT NULL,
    started_at           timestamptz NOT NULL,
    deadline_at          timestamptz NOT NULL,
    estimated_completion timestamptz NOT NULL,
    completed_at         timestamptz,
    cancelled_at         timestamptz,
    error_code           text,
    error_message        text,
    fence                integer NOT NULL DEFAULT 0,
    -- Times it was claimed since the last stored progress: the engine gives up on a poisonous one.
    claims               smallint NOT NULL DEFAULT 0,
    seq                  integer NOT NULL
);
-- The list of a user's executions, newest first.
CREATE INDEX executions_of_user ON renum.executions (user_id, id DESC);
-- Admission and promotion count and order what is not finished; few rows at any time.
CREATE INDEX executions_unfinished ON renum.executions (user_id, id)
    WHERE status IN ('pending', 'running');
-- The estimate reads a team's last completed runs; deletion asks for its unfinished ones.
CREATE INDEX executions_of_team ON renum.executions (team_id, id DESC);

CREATE TABLE renum.agent_results (
    execution_id  uuid NOT NULL REFERENCES renum.executions ON DELETE CASCADE,
    key           text NOT NULL,
    position      smallint NOT NULL,
    agent_id      uuid NOT NULL,
    agent_name    text NOT NULL,
    status        text NOT NULL,
    attempts      smallint NOT NULL,
    run_key       uuid,
    thread_id     text,
    run_id        text,
    attempt_at    timestamptz,
    due_at        timestamptz,
    input         text,
    output        text,
    needs_input   boolean NOT NULL,
    usage         jsonb,
    error_code    text,
    error_message text,
    started_at    timestamptz,
    completed_at  timestamptz,
    remote_stop   text NOT NULL,
    PRIMARY KEY (execution_id, key)
);

CREATE TABLE renum.execution_logs (
    execution_id uuid NOT NULL REFERENCES renum.executions ON DELETE CASCADE,
    seq          integer NOT NULL,
    timestamp    timestamptz NOT NULL,
    level        text NOT NULL,
    message      text NOT NULL,
    agent_id     uuid,
    PRIMARY KEY (execution_id, seq)
);

-- The last event id of a user. Its row lock is held to the commit, so id order is commit order.
-- Lock order everywhere: this row first, then any other.
CREATE TABLE renum.event_heads (
    user_id uuid PRIMARY KEY,
    last_id bigint NOT NULL
);

CREATE TABLE renum.events (
    user_id      uuid NOT NULL,
    id           bigint NOT NULL,
    execution_id uuid,
    type         text NOT NULL,
    -- json, not jsonb: it is sent as it was written and never looked into.
    data         json NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (user_id, id)
);

CREATE TABLE renum.notifications (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL,
    type       text NOT NULL,
    title      text NOT NULL,
    message    text NOT NULL,
    read       boolean NOT NULL,
    created_at timestamptz NOT NULL,
    data       jsonb NOT NULL
);
-- A user's notifications, newest first.
CREATE INDEX notifications_of_user ON renum.notifications (user_id, id DESC);
-- The unread count, shown on every page of a front end.
CREATE INDEX notifications_unread ON renum.notifications (user_id) WHERE NOT read;

-- Called when a fenced update hits no row: fails the transaction on the server, so that a
-- transition stays one round trip.
CREATE FUNCTION renum.fenced() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'superseded by a newer fence' USING ERRCODE = 'RN001';
END;
$$;
"""

_PIN_SEARCH_PATH = """
DO $$
DECLARE
    procedure regprocedure;
BEGIN
    FOR procedure IN
        SELECT p.oid FROM pg_proc p
         WHERE p.pronamespace = 'renum'::regnamespace AND p.proname LIKE 'procrastinate%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = renum, pg_temp', procedure);
    END LOOP;
END;
$$;
"""

_DROP_ALL = """
DO $$
DECLARE
    thing record;
BEGIN
    FOR thing IN
        SELECT format('TABLE renum.%I', tablename) AS name FROM pg_tables
         WHERE schemaname = 'renum' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE 'DROP ' || thing.name || ' CASCADE';
    END LOOP;
    FOR thing IN
        SELECT format('FUNCTION %s', p.oid::regprocedure) AS name FROM pg_proc p
         WHERE p.pronamespace = 'renum'::regnamespace
    LOOP
        EXECUTE 'DROP ' || thing.name || ' CASCADE';
    END LOOP;
    FOR thing IN
        SELECT format('TYPE renum.%I', t.typname) AS name FROM pg_type t
         WHERE t.typnamespace = 'renum'::regnamespace AND t.typtype IN ('e', 'c')
           AND t.typname LIKE 'procrastinate%'
    LOOP
        EXECUTE 'DROP ' || thing.name || ' CASCADE';
    END LOOP;
END;
$$;
"""
