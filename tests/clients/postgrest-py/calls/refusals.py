"""Requests that are refused, and how the client tells it."""

from harness import api, call, equal, failed, refused, sql, value


def calls():
    queries()
    relations()
    bodies()


def queries():
    refused("an unknown table", api.from_("nothings").select("*"), "PGRST205")
    refused("an unknown table, by HEAD", api.from_("nothings").select("*", head=True), "PGRST205")
    refused("an unknown column in select", api.from_("tags").select("nothing"), "42703")
    refused("an unknown column in a filter", api.from_("tags").select("id").lt("nothing", 1), "42703")
    refused("an unknown column in order", api.from_("tags").select("id").order("nothing"), "42703")
    refused("an unknown function", api.rpc("nothing", {}), "PGRST202")
    refused("an unknown argument", api.rpc("greet", {"who": "x"}, get=True), "PGRST202")
    refused("a uuid that is none", api.from_("customers").select("id").eq("id", "x"), "22P02")
    refused("a truth that is none", api.from_("products").select("id").eq("discontinued", "perhaps"), "22P02")
    refused("a time that is none", api.from_("customers").select("id").gt("since", "yesterdayish"), "22007")
    refused("an operator that is none", api.from_("tags").select("id").filter("id", "like it", "1"), "PGRST100")
    refused("a tree that does not end", api.from_("tags").select("id").or_("id.eq.1,and("), "PGRST100")
    refused(
        "one object of no row",
        api.from_("tags").select("*").eq("id", 0).single(),
        "PGRST116",
        details="The result contains 0 rows",
    )
    refused(
        "one object of many rows",
        api.from_("tags").select("*").single(),
        "PGRST116",
        details="The result contains 2 rows or more",
    )
    refused("perhaps one row: there are more", api.from_("tags").select("*").maybe_single(), "406")
    refused("a form that is not served", api.from_("tags").select("*").explain(), "PGRST107")
    refused("a schema that is not served", api.schema("secret").from_("tags").select("*"), "PGRST106")
    refused(
        "what a function raises is told in its words",
        api.rpc("refuse", {"reason": "nein"}),
        "P0001",
        message="refused: nein",
        details="It was asked for.",
        hint="Ask for something else.",
    )


def relations():
    refused("tables without a relationship", api.from_("countries").select("*,tags(*)"), "PGRST200")
    refused(
        "a filter on a relation that is not selected",
        api.from_("orders").select("id").eq("customers.name", "x"),
        "PGRST108",
    )
    refused(
        "an order by many related rows", api.from_("tags").select("id,products(id)").order("products(id)"), "PGRST118"
    )

    @call("a relationship that is one of two")
    def _():
        error = failed(api.from_("addresses").select("id,orders(id)"))
        equal(error.code, "PGRST201")
        equal(isinstance(error.details, list) and len(error.details), 2)
        equal("orders!billing" in error.hint and "orders!shipping" in error.hint, True)


def bodies():
    sql("delete from notes where owner = 'py bad'")
    sql("insert into notes (owner, title) values ('py bad', 'there')")

    def note(**fields):
        return api.from_("notes").insert({"owner": "py bad", "title": "new", **fields})

    refused("a row that exists", note(title="there"), "23505")
    refused("a check that is violated", note(title=""), "23514")
    refused("null in a column that refuses it", note(labels=None), "23502")
    refused("a foreign key that leads nowhere", note(product_id=-1), "23503")
    refused("a value that its type does not take", note(rank=1.5), "22P02")
    refused("a number beyond its type", note(rank=3000000000), "22003")
    refused("an unknown field", note(nothing=1), "PGRST204")
    refused(
        "a label that the enum has not", api.from_("customers").update({"level": "tin"}).eq("name", "Bo 1"), "22P02"
    )
    refused("a row that others refer to", api.from_("countries").delete().eq("code", "dk"), "23503")
    refused("a change without a filter", api.from_("notes").update({"rank": 1}), "21000")
    refused("a deletion without a filter", api.from_("notes").delete(), "21000")
    refused("a deletion from a table that is only appended to", api.from_("ledger").delete().gt("id", 0), "PGRST117")

    @call("nothing of all that was written")
    def _():
        equal(
            value(
                "select json_agg(json_build_object('title', title, 'version', version)) from notes where owner = 'py bad'"
            ),
            [{"title": "there", "version": 1}],
        )
        equal(value("select count(*) from countries where code = 'dk'"), 1)
