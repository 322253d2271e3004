"""What every call shares: the client, the database beside it, and the comparison of both.

A call is good when the client's answer is deeply what SQL says, where the SQL was written by hand for it.
"""

import json
import os
import sys
import textwrap
import traceback

import httpx
import psycopg
from postgrest import APIError, SyncPostgrestClient
from psycopg.rows import dict_row

# Characters of a value that a difference shows.
SHOWN_MAX = 1500


def variable(name):
    value = os.environ.get(name)
    if not value:
        print(f"{name} is not set: run scripts/clients", file=sys.stderr)
        sys.exit(2)
    return value


URL = variable("FREEHOLD_STORE_URL")

# The client, as anybody has it. It does not try again: an answer that does not come is a finding.
api = SyncPostgrestClient(URL, retry_enabled=False)

# For what the client has no words for.
plain = httpx.Client(base_url=URL)

_database = psycopg.connect(variable("FREEHOLD_STORE_DATABASE_URL"), autocommit=True, row_factory=dict_row)
_made = 0
_different = []


class Different(Exception):
    """Something else came than was expected."""

    def __init__(self, expected, got):
        text = f"expected {shown(expected)}\ngot      {shown(got)}\n{place(got, expected, '$')}"
        super().__init__(text.rstrip())


def sql(statement, *values):
    """Runs one statement, and gives its rows."""
    with _database.cursor() as cursor:
        # Without values a percent sign is one.
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def rows(query, *values):
    """What a query gives, as JSON that PostgreSQL wrote."""
    return sql(f"select coalesce(json_agg(to_json(r)), '[]') as json from ({query}) r", *values)[0]["json"]


def value(query, *values):
    """What a query of one column and one row gives, as JSON."""
    return sql(f"select to_json(({query})) as json", *values)[0]["json"]


def call(name):
    """Makes a call of a function: good unless it raises."""

    def made(work):
        global _made
        _made += 1
        try:
            work()
            print(f"ok {_made} {name}", flush=True)
        except httpx.TransportError:
            raise
        except Exception as error:
            _different.append(f"{_made} {name}")
            text = str(error) if isinstance(error, (Different, APIError)) else traceback.format_exc()
            print(f"not ok {_made} {name}\n{textwrap.indent(text, '    ')}", flush=True)

    return made


def same(name, request, query, count=None):
    """One call whose rows, and count if there is one, are those of a query."""

    @call(name)
    def _():
        answer = request.execute()
        equal(answer.data, rows(query))
        if count is not None:
            equal(answer.count, value(count))


def same_row(name, request, query):
    """One call whose object is the one row of a query."""

    @call(name)
    def _():
        expected = rows(query)
        equal(len(expected), 1)
        equal(request.execute().data, expected[0])


def gives(name, request, query):
    """One call whose answer is the one value of a query."""

    @call(name)
    def _():
        equal(request.execute().data, value(query))


def failed(request):
    """The error of a request that is expected to be refused."""
    try:
        answer = request.execute()
    except APIError as error:
        return error
    raise Different("a refusal", getattr(answer, "data", answer))


def refused(name, request, code, **also):
    """One call that is refused with this code, and with all the members of an error."""

    @call(name)
    def _():
        got = failed(request)
        equal(got.code, code)
        if not isinstance(got.message, str) or not got.message:
            raise Different("a message", got.message)
        equal(set(got.json()) >= {"code", "message", "details", "hint"}, True)
        for member, wanted in also.items():
            equal(getattr(got, member), wanted)


def equal(got, expected):
    """Raises unless both are deeply the same; true is not 1."""
    if json.dumps(got, sort_keys=True) != json.dumps(expected, sort_keys=True):
        raise Different(expected, got)


def shown(thing):
    text = thing if isinstance(thing, str) else json.dumps(thing, default=str, ensure_ascii=False)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"


def place(got, expected, path):
    """Where two values differ first."""
    if isinstance(got, dict) and isinstance(expected, dict):
        pairs = [(key, got.get(key, "nothing"), expected.get(key, "nothing")) for key in [*expected, *got]]
    elif isinstance(got, list) and isinstance(expected, list):
        size = max(len(got), len(expected))
        at = lambda values, n: values[n] if n < len(values) else "nothing"  # noqa: E731
        pairs = [(n, at(got, n), at(expected, n)) for n in range(size)]
    else:
        different = path != "$" and json.dumps(got, default=str) != json.dumps(expected, default=str)
        return f"first difference at {path}: {shown(expected)} / {shown(got)}" if different else ""
    found = (place(g, e, f"{path}.{key}") for key, g, e in pairs)
    return next((text for text in found if text), "")


def run(groups):
    """Runs all groups in order, says what came of it, and ends the process."""
    try:
        for group in groups:
            group()
    except httpx.TransportError as error:
        print(f"the service does not answer: {error!r}", file=sys.stderr)
        sys.exit(1)
    print(f"\npostgrest-py: {_made} calls, {_made - len(_different)} as expected, {len(_different)} different")
    for name in _different:
        print(f"  {name}")
    sys.exit(1 if _different else 0)
