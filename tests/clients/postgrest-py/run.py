"""Drives postgrest of PyPI through everything it can ask, and compares each answer with SQL: see scripts/clients."""

from calls import beyond, embedding, filters, functions, reading, refusals, together, writing
from harness import run

run(
    [
        reading.calls,
        filters.calls,
        embedding.calls,
        functions.calls,
        writing.calls,
        refusals.calls,
        together.calls,
        beyond.calls,
    ]
)
