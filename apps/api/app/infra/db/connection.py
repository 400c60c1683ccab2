"""The kind of connection every store works on."""

from typing import Any

import psycopg

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]
