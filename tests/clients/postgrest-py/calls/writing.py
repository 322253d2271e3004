"""Rows that are written, and what comes back."""

from datetime import UTC, date, datetime
from uuid import UUID

from harness import api, call, equal, failed, rows, same, sql, value
from postgrest.types import CountMethod, ReturnMethod

OWNER = "py"
ALL = f"from notes where owner = '{OWNER}' order by id"


def notes(*titles):
    """Begins anew with these titles."""
    sql("delete from notes where owner = %s", OWNER)
    for rank, title in enumerate(titles, start=1):
        sql("insert into notes (owner, title, rank) values (%s, %s, %s)", OWNER, title, rank)


def calls():
    inserts()
    upserts()
    updates()
    deletes()


def inserts():
    @call("inserts a row, and answers it")
    def _():
        notes()
        note = {
            "owner": OWNER,
            "title": "ein Tütchen „Tee“",
            "labels": ["x", 'q"'],
            "extra": {"n": None, "l": [1.5, True]},
        }
        answer = api.from_("notes").insert(note).execute()
        equal(answer.data, rows(f"select * {ALL}"))
        equal({key: answer.data[0][key] for key in note}, note)

    @call("inserts a row, and answers nothing")
    def _():
        notes()
        answer = (
            api.from_("notes").insert({"owner": OWNER, "title": "silent"}, returning=ReturnMethod.minimal).execute()
        )
        equal([answer.data, rows(f"select title {ALL}")], [[], [{"title": "silent"}]])

    @call("inserts many rows, counts them, and answers some columns with a relation")
    def _():
        notes()
        many = [{"owner": OWNER, "title": f"n {n}", "rank": n, "product_id": n} for n in range(1, 31)]
        answer = api.from_("notes").insert(many, count=CountMethod.exact).select("rank", "products(sku)").execute()
        equal(answer.count, 30)
        equal(answer.data, [{"rank": n, "products": {"sku": f"SKU-{n:04}"}} for n in range(1, 31)])

    @call("a field that a row of many lacks is null, or its default when asked")
    def _():
        notes()
        api.from_("notes").insert([{"owner": OWNER, "title": "a", "rank": 1}, {"owner": OWNER, "title": "b"}]).execute()
        api.from_("notes").insert(
            [{"owner": OWNER, "title": "c", "rank": 3}, {"owner": OWNER, "title": "d"}], default_to_null=False
        ).execute()
        equal([row["rank"] for row in rows(f"select rank {ALL}")], [1, None, 3, 5])

    @call("Python's dates, ids and bytes are written")
    def _():
        sql("delete from products where id = 901")
        made = (
            api.from_("products")
            .insert(
                {
                    "id": 901,
                    "sku": "PY",
                    "name": "typed",
                    "price": 1.25,
                    "photo": b"\x00\xffpy",
                    "barcode": UUID(int=7),
                    "season": f"[{date(2025, 1, 1).isoformat()},{date(2025, 1, 9).isoformat()})",
                }
            )
            .select("photo", "barcode", "season", "price")
            .single()
            .execute()
        )
        equal(made.data, rows("select photo, barcode, season, price from products where id = 901")[0])
        equal(
            value(
                "select photo = '\\x00ff7079'::bytea and barcode = '00000000-0000-0000-0000-000000000007' from products where id = 901"
            ),
            True,
        )
        changed = (
            api.from_("customers")
            .update({"since": datetime(2024, 1, 2, 1, 0, tzinfo=UTC)})
            .eq("email", "customer1@example.com")
            .select("since")
            .execute()
        )
        equal(changed.data, rows("select since from customers where email = 'customer1@example.com'"))
        equal(changed.data, [{"since": "2024-01-02T01:00:00+00:00"}])
        sql("delete from products where id = 901")

    @call("inserts into columns whose names must be quoted")
    def _():
        sql("delete from odd_names where id = 91")
        odd = {
            "id": 91,
            "Größe (cm)": 1.5,
            "some.name": "d",
            'quo"te': 'q"',
            "order": 1,
            "select": "s",
            "Mixed Case": "m",
        }
        api.from_("odd_names").insert([odd], returning=ReturnMethod.minimal).execute()
        equal(
            rows(
                'select id, "Größe (cm)", "some.name", "quo""te", "order", "select", "Mixed Case" from odd_names where id = 91'
            ),
            [odd],
        )
        sql("delete from odd_names where id = 91")


def upserts():
    @call("upserts by the primary key")
    def _():
        sql("delete from settings where owner = %s", OWNER)
        sql("insert into settings values (%s, 'a', 'old', 5)", OWNER)
        answer = (
            api.from_("settings")
            .upsert([{"owner": OWNER, "name": "a", "value": "new"}, {"owner": OWNER, "name": "b", "value": "new"}])
            .execute()
        )
        equal(answer.data, rows(f"select * from settings where owner = '{OWNER}' order by name"))
        equal([row["changed"] for row in answer.data], [5, 1])

    @call("insert may upsert")
    def _():
        answer = api.from_("settings").insert({"owner": OWNER, "name": "b", "value": "newer"}, upsert=True).execute()
        equal(answer.data, rows(f"select * from settings where owner = '{OWNER}' and value = 'newer'"))

    @call("ignores rows that are there")
    def _():
        answer = (
            api.from_("settings")
            .upsert(
                [{"owner": OWNER, "name": "a", "value": "x"}, {"owner": OWNER, "name": "c", "value": "x"}],
                ignore_duplicates=True,
            )
            .select("name")
            .execute()
        )
        equal(answer.data, [{"name": "c"}])
        equal(
            rows(f"select value from settings where owner = '{OWNER}' order by name"),
            [{"value": v} for v in ("new", "newer", "x")],
        )

    @call("upserts by another unique constraint")
    def _():
        notes("a")
        answer = (
            api.from_("notes")
            .upsert(
                [{"owner": OWNER, "title": "a", "pinned": True}, {"owner": OWNER, "title": "b", "pinned": True}],
                on_conflict="owner,title",
                default_to_null=False,
            )
            .select("title", "pinned", "rank", "version")
            .execute()
        )
        equal(
            answer.data,
            [
                {"title": "a", "pinned": True, "rank": 1, "version": 2},
                {"title": "b", "pinned": True, "rank": 5, "version": 1},
            ],
        )


def updates():
    notes("a", "b", "c")
    same(
        "updates, and answers the rows as they are now",
        api.from_("notes").update({"body": "new"}).eq("owner", OWNER).in_("title", ["a", "b"]).order("id"),
        f"select * from notes where owner = '{OWNER}' and body = 'new' order by id",
    )

    @call("updates, and answers some of it with a relation")
    def _():
        answer = (
            api.from_("notes")
            .update({"product_id": 1, "labels": ["z"]})
            .match({"owner": OWNER, "title": "c"})
            .select("labels->>0", "products(price::text)")
            .execute()
        )
        equal(answer.data, [{"labels": "z", "products": {"price": "5.95"}}])

    @call("updates one row, and answers it as an object")
    def _():
        answer = api.from_("notes").update({"rank": 99}).eq("owner", OWNER).eq("title", "a").single().execute()
        equal(answer.data, rows("select * from notes where owner = 'py' and title = 'a'")[0])

    @call("updates, counts, and answers nothing")
    def _():
        answer = (
            api.from_("notes")
            .update({"rank": 0}, count=CountMethod.exact, returning=ReturnMethod.minimal)
            .eq("owner", OWNER)
            .execute()
        )
        equal([answer.data, answer.count], [[], 3])

    @call("updates nothing where no row fits")
    def _():
        equal(api.from_("notes").update({"rank": 0}).eq("owner", "py nobody").execute().data, [])

    @call("a change of more rows than allowed is taken back")
    def _():
        error = failed(api.from_("notes").update({"rank": 77}).eq("owner", OWNER).max_affected(2))
        equal([error.code, error.details], ["PGRST124", "The query affects 3 rows"])
        equal(value("select count(*) from notes where rank = 77"), 0)


def deletes():
    @call("deletes, and answers the rows that are gone")
    def _():
        notes("a", "b", "c")
        gone = rows(f"select * from notes where owner = '{OWNER}' and rank > 1 order by id")
        equal(api.from_("notes").delete().eq("owner", OWNER).gt("rank", 1).order("id").execute().data, gone)
        equal(rows(f"select title {ALL}"), [{"title": "a"}])

    @call("deletes, counts, and answers nothing")
    def _():
        answer = (
            api.from_("notes")
            .delete(count=CountMethod.exact, returning=ReturnMethod.minimal)
            .eq("owner", OWNER)
            .execute()
        )
        equal([answer.data, answer.count, rows(f"select * {ALL}")], [[], 1, []])

    @call("deletes as many rows as allowed")
    def _():
        notes("a", "b")
        equal(len(api.from_("notes").delete().eq("owner", OWNER).max_affected(2).execute().data), 2)
        equal(rows(f"select * {ALL}"), [])
