"""The client that does not wait: many requests at once, over few connections."""

import asyncio

from harness import URL, call, equal, rows, sql, value
from postgrest import AsyncPostgrestClient

# At once; well below what the service lets one address do.
REQUESTS = 40


def calls():
    @call("many reads at once are each answered with their own rows")
    def _():
        async def ask():
            async with AsyncPostgrestClient(URL, retry_enabled=False) as api:
                asked = (
                    api.from_("products").select("id,name").eq("id", n).single().execute()
                    for n in range(1, REQUESTS + 1)
                )
                return [answer.data for answer in await asyncio.gather(*asked)]

        equal(asyncio.run(ask()), rows(f"select id, name from products where id <= {REQUESTS} order by id"))

    @call("many writes at once are each made")
    def _():
        sql("delete from notes where owner = 'py together'")

        async def write():
            async with AsyncPostgrestClient(URL, retry_enabled=False) as api:
                made = (
                    api.from_("notes").insert({"owner": "py together", "title": f"note {n}"}).execute()
                    for n in range(REQUESTS)
                )
                return [answer.data[0]["id"] for answer in await asyncio.gather(*made)]

        ids = asyncio.run(write())
        equal([len(set(ids)), value("select count(*) from notes where owner = 'py together'")], [REQUESTS, REQUESTS])

    @call("of many changes of one row none is lost")
    def _():
        sql("update notes set rank = 0 where owner = 'py together' and title = 'note 0'")
        note = value("select id from notes where owner = 'py together' and title = 'note 0'")

        async def change():
            async with AsyncPostgrestClient(URL, retry_enabled=False) as api:
                await asyncio.gather(*(api.rpc("raise_rank", {"note": note}).execute() for _ in range(REQUESTS)))

        asyncio.run(change())
        equal(value(f"select json_build_array(rank, version) from notes where id = {note}"), [REQUESTS, REQUESTS + 2])
