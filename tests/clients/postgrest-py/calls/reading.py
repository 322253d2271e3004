"""What is selected, in which order, how much of it, and in which form."""

import csv
import io

from harness import Different, api, call, equal, rows, same, same_row, sql, value
from postgrest.types import CountMethod


def calls():
    columns()
    orders()
    pages()
    forms()


def columns():
    same("selects every column", api.from_("employees").select("*").order("id"), "select * from employees order by id")
    same(
        "every kind of column comes as PostgreSQL writes it",
        api.table("products").select().order("id"),
        "select * from products order by id",
    )
    same(
        "columns are given one by one, with spaces",
        api.from_("customers").select("id", " name", "level , since").order("id"),
        "select id, name, level, since from customers order by id",
    )
    same(
        "renames and casts columns",
        api.from_("products").select("no:id::text", "price::float", "labels:colours::text").order("id"),
        "select id::text as no, price::float, colours::text as labels from products order by id",
    )
    same(
        "reads places in JSON",
        api.from_("customers")
        .select("settings->window", "wide:settings->window->>width", "raw->>n", "settings->recent->1")
        .order("id"),
        """select settings->'window' as "window", settings->'window'->>'width' as wide, raw->>'n' as n,
                  settings->'recent'->1 as recent from customers order by id""",
    )
    same(
        "casts what stands in JSON",
        api.from_("customers").select("recent:settings->recent->2->>id::bigint").order("id"),
        "select (settings->'recent'->2->>'id')::bigint as recent from customers order by id",
    )
    same(
        "reads columns whose names must be quoted",
        api.from_("odd_names")
        .select('"Größe (cm)"', '"some.name"', '"Mixed Case"', "order", "select", "über-cool")
        .order("id"),
        'select "Größe (cm)", "some.name", "Mixed Case", "order", "select", "über-cool" from odd_names order by id',
    )
    same(
        "reads a view",
        api.from_("order_totals").select("order_id,total").gt("total", 100).order("total", desc=True).order("order_id"),
        "select order_id, total from order_totals where total > 100 order by total desc, order_id",
    )
    same(
        "names the schema that there is",
        api.schema("public").from_("countries").select("name").order("name"),
        "select name from countries order by name",
    )


def orders():
    same(
        "sorts by several columns",
        api.from_("employees").select("id,salary").order("salary", desc=True).order("name", desc=True),
        "select id, salary from employees order by salary desc, name desc",
    )
    same(
        "nulls stand first when asked",
        api.from_("customers").select("id,score").order("score", desc=False, nullsfirst=True).order("id"),
        "select id, score from customers order by score nulls first, id",
    )
    same(
        "nulls stand last when asked",
        api.from_("customers").select("id,score").order("score", desc=True, nullsfirst=False).order("id"),
        "select id, score from customers order by score desc nulls last, id",
    )
    same(
        "sorts by a text in JSON",
        api.from_("products")
        .select("id")
        .order("attributes->>material")
        .order("attributes->dimensions->width", desc=True),
        "select id from products order by attributes->>'material', attributes->'dimensions'->'width' desc",
    )


def pages():
    same("limits", api.from_("tags").select("id").order("id").limit(2), "select id from tags order by id limit 2")
    same(
        "leaves rows out at the beginning",
        api.from_("tags").select("id").order("id").offset(3).limit(2),
        "select id from tags order by id limit 2 offset 3",
    )
    same(
        "reads a range of rows",
        api.from_("tags").select("id").order("id").range(1, 4),
        "select id from tags order by id limit 4 offset 1",
    )
    same(
        "counts exactly beside a part of the rows",
        api.from_("orders").select("id", count=CountMethod.exact).eq("status", "open").order("id").limit(5),
        "select id from orders where status = 'open' order by id limit 5",
        count="select count(*) from orders where status = 'open'",
    )

    @call("counts exactly without the rows")
    def _():
        answer = api.from_("order_lines").select("*", count=CountMethod.exact, head=True).gt("quantity", 2).execute()
        equal([answer.data, answer.count], [[], value("select count(*) from order_lines where quantity > 2")])

    def planned():
        plan = sql("explain (format json) select 1 from orders where id < 30")[0]["QUERY PLAN"]
        return plan[0]["Plan"]["Plan Rows"]

    @call("a planned count is what the planner thinks")
    def _():
        before = planned()
        answer = api.from_("orders").select("id", count=CountMethod.planned).lt("id", 30).limit(4).execute()
        # The planner may have learnt more meanwhile: the server looks at new tables by itself.
        after = planned()
        equal(len(answer.data), 4)
        if answer.count != before:
            equal(answer.count, after)

    @call("an estimated count of few rows is exact")
    def _():
        equal(api.from_("orders").select("id", count=CountMethod.estimated).lt("id", 30).execute().count, 29)


def forms():
    same_row(
        "one row comes as an object",
        api.from_("tags").select("*").eq("id", 5).single(),
        "select * from tags where id = 5",
    )
    same_row(
        "perhaps one row: there is one",
        api.from_("tags").select("*").eq("label", "gift").maybe_single(),
        "select * from tags where label = 'gift'",
    )

    @call("perhaps one row: there is none")
    def _():
        equal(api.from_("tags").select("*").eq("label", "nothing").maybe_single().execute(), None)

    @call("comes as CSV")
    def _():
        text = api.from_("customers").select("name,email,level,visits").order("id").csv().execute().data
        expected = rows("select name, email, level, visits::text from customers order by id")
        equal([dict(row) for row in csv.DictReader(io.StringIO(text))], expected)

    @call("nulls are stripped")
    def _():
        answer = api.from_("employees").select("*").order("id").strip_nulls().execute()
        stripped = sql("select json_strip_nulls(to_json(e)) as row from employees e order by id")
        equal(answer.data, [row["row"] for row in stripped])
        if any(None in row.values() for row in answer.data):
            raise Different("no null", answer.data)

    @call("nulls are stripped from one object")
    def _():
        answer = api.from_("employees").select("id,title,manager_id").eq("id", 12).strip_nulls().single().execute()
        equal(answer.data, {"id": 12, "title": "Auditor"})
