"""Functions of the service, called by POST, GET and HEAD."""

from harness import api, call, equal, failed, gives, plain, rows, same, sql, value
from postgrest.types import CountMethod


def calls():
    values()
    tables()
    changes()


def values():
    gives("gives a value", api.rpc("add_them", {"a": 20, "b": 22}), "select add_them(20, 22)")
    gives(
        "an argument with a default may be left out, in the query",
        api.rpc("add_them", {"a": 1}, get=True),
        "select add_them(1)",
    )
    gives("gives a text", api.rpc("greet", {"name": "Örs & Co"}), "select greet('Örs & Co')")
    gives("takes any number of arguments", api.rpc("total_of", {"numbers": [9, 10]}), "select total_of(9, 10)")
    gives(
        "takes an array in the query",
        api.rpc("plus_one", {"numbers": [1, 2, 3]}, get=True),
        "select plus_one(array[1, 2, 3])",
    )
    gives(
        "gives values as an array",
        api.rpc("numbers_up_to", {"n": 3}, get=True),
        "select json_agg(n) from numbers_up_to(3) n",
    )
    gives("gives a row as an object", api.rpc("pair", {}), "select to_json(p) from pair() p")
    gives(
        "takes the whole body as JSON",
        api.rpc("describe", {"deep": {"er": 1}}),
        """select describe('{"deep": {"er": 1}}')""",
    )

    @call("takes the whole body as text")
    def _():
        response = plain.post("/rpc/shout", content="straße, ü".encode(), headers={"Content-Type": "text/plain"})
        equal([response.status_code, response.json()], [200, value("select shout('straße, ü')")])


def tables():
    same(
        "gives rows of a table",
        api.rpc("search_products", {"term": "oak", "at_most": 3}),
        "select * from search_products('oak', 3)",
    )
    same(
        "rows of a function are filtered, sorted and limited",
        api.rpc("customers_of", {"wanted": "gold"})
        .gt("visits", 10000000000)
        .order("name")
        .limit(5)
        .select("name,level"),
        "select name, level from customers_of('gold') where visits > 10000000000 order by name limit 5",
    )
    same(
        "rows of a function embed relations",
        api.rpc("customers_of", {"wanted": "bronze"}, get=True).select("name", "employees(name)").order("id"),
        """select c.name, case when e.id is not null then json_build_object('name', e.name) end as employees
             from customers_of('bronze') c left join employees e on e.id = c.employee_id order by c.id""",
    )
    same("gives rows of columns of its own", api.rpc("price_bands", {"width": 10}), "select * from price_bands(10)")

    @call("counts the rows of a function without them")
    def _():
        answer = api.rpc("customers_of", {"wanted": "silver"}, count=CountMethod.exact, head=True).execute()
        equal([answer.data, answer.count], [[], value("select count(*) from customers_of('silver')")])

    @call("one row of a function comes as an object")
    def _():
        answer = api.rpc("search_products", {"term": "lamp", "at_most": 1}).single().execute()
        equal(answer.data, rows("select * from search_products('lamp', 1)")[0])


def changes():
    sql("delete from notes where owner = 'py rpc'")

    @call("a function writes, and gives the row")
    def _():
        answer = api.rpc("add_note", {"owner": "py rpc", "title": "written"}).execute()
        equal(answer.data, rows("select * from notes where owner = 'py rpc'")[0])

    @call("a function gives nothing")
    def _():
        answer = api.rpc("raise_rank", {"note": value("select id from notes where owner = 'py rpc'")}).execute()
        equal(answer.data, [])
        equal(value("select rank from notes where owner = 'py rpc'"), 6)

    @call("a function that may write is not called by GET")
    def _():
        failed(api.rpc("remove_notes", {"whose": "py rpc"}, get=True))
        equal(value("select count(*) from notes where owner = 'py rpc'"), 1)

    @call("a function that affects more rows than allowed is taken back")
    def _():
        sql("insert into notes (owner, title) values ('py rpc', 'second')")
        equal(failed(api.rpc("remove_notes", {"whose": "py rpc"}).max_affected(1)).code, "PGRST124")
        equal(value("select count(*) from notes where owner = 'py rpc'"), 2)
