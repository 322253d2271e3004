"""What the service answers beyond PostgREST's language, asked with plain HTTP."""

import http.client
import select
import uuid
from urllib.parse import quote, urlsplit

from harness import URL, Different, call, equal, plain, rows, sql, value

OWNER = "py http"

# Seconds in which a service answers that does not wait for the body.
EARLY_S = 0.3


def calls():
    sql("delete from notes where owner = %s", OWNER)
    versions()
    repetition()
    pages()
    forms()
    transactions()
    connections()


def note(title):
    return sql("insert into notes (owner, title) values (%s, %s) returning id", OWNER, title)[0]["id"]


def versions():
    place = f"/notes?id=eq.{note('versions')}"

    @call("a change needs the version that was read")
    def _():
        tag = plain.get(place).headers["etag"]
        equal(plain.get(place, headers={"If-None-Match": tag}).status_code, 304)
        changed = plain.patch(place, json={"rank": 6}, headers={"If-Match": tag})
        equal([changed.status_code, changed.headers["etag"]], [204, '"2"'])
        stale = plain.patch(place, json={"rank": 7}, headers={"If-Match": tag})
        equal([stale.status_code, stale.json()["current_version"]], [412, 2])

    @call("a version in the body is the same guard")
    def _():
        equal(plain.patch(place, json={"rank": 8, "version": 1}).status_code, 412)
        equal(plain.patch(place, json={"rank": 8, "version": 2}).status_code, 204)

    @call("any version is a guard that the row is there")
    def _():
        equal(plain.patch("/notes?id=eq.-5", json={"rank": 1}, headers={"If-Match": "*"}).status_code, 404)

    @call("PUT makes only a row that is not there, when asked")
    def _():
        sql("delete from settings where owner = %s", OWNER)
        path = f"/settings?owner=eq.{quote(OWNER)}&name=eq.new"
        body = {"owner": OWNER, "name": "new", "value": "1"}
        equal(plain.put(path, json=body, headers={"If-None-Match": "*"}).status_code, 201)
        equal(plain.put(path, json=body, headers={"If-None-Match": "*"}).status_code, 412)


def repetition():
    @call("a POST that is repeated under its key is carried out once")
    def _():
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "return=representation"}
        answers = [plain.post("/notes", json={"owner": OWNER, "title": "again"}, headers=headers) for _ in range(3)]
        equal({(a.status_code, a.text) for a in answers} == {(201, answers[0].text)}, True)
        equal(value("select count(*) from notes where owner = 'py http' and title = 'again'"), 1)
        equal(plain.post("/notes", json={"owner": OWNER, "title": "other"}, headers=headers).status_code, 422)

    @call("a refusal is repeated too, or tried again, but never a success")
    def _():
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        answers = [plain.post("/notes", json={"owner": OWNER, "title": "again"}, headers=headers) for _ in range(2)]
        equal([a.status_code for a in answers], [409, 409])


def pages():
    @call("a list that was cut links to the rest of it, while rows are written")
    def _():
        seen, path = [], "/readings?select=id,value&order=value.asc"
        try:
            while path:
                page = plain.get(path)
                equal(page.status_code, 200)
                seen += [row["id"] for row in page.json()]
                # A row before the place in the list where we are: it moves no other row to or from the next page.
                sql("insert into readings values (%s, 'late', -1, now())", 100000 + len(seen))
                path = page.links.get("next", {}).get("url")
        finally:
            sql("delete from readings where sensor = 'late'")
        equal(seen, [row["id"] for row in rows("select id from readings order by value, id")])


def forms():
    @call("a row is posted with the rows within it")
    def _():
        sql("delete from orders where comment = 'py aggregate'")
        customer = "00000000-0000-4000-8000-000000000002"
        answer = plain.post(
            "/orders?select=comment,order_lines(line_no,quantity)&order_lines.order=line_no",
            json={
                "customer_id": customer,
                "billing_address_id": 1,
                "placed_at": "2025-01-01T00:00:00Z",
                "comment": "py aggregate",
                "order_lines": [{"line_no": n, "product_id": n, "quantity": n, "price": 1} for n in (1, 2)],
            },
            headers={"Prefer": "return=representation"},
        )
        equal(answer.status_code, 201)
        equal(
            answer.json(),
            [
                {
                    "comment": "py aggregate",
                    "order_lines": [{"line_no": 1, "quantity": 1}, {"line_no": 2, "quantity": 2}],
                }
            ],
        )
        equal(
            value(
                "select count(*) from order_lines l join orders o on o.id = l.order_id where o.comment = 'py aggregate'"
            ),
            2,
        )
        sql("delete from orders where comment = 'py aggregate'")

    @call("what was written is taken back when asked")
    def _():
        answer = plain.post(
            "/notes", json={"owner": OWNER, "title": "back"}, headers={"Prefer": "tx=rollback, return=representation"}
        )
        equal([answer.status_code, answer.json()[0]["title"]], [201, "back"])
        equal(value("select count(*) from notes where owner = 'py http' and title = 'back'"), 0)

    @call("a refusal is a problem document")
    def _():
        answer = plain.get("/products?price=gt.cheap")
        equal(answer.headers["content-type"].split(";")[0], "application/problem+json")
        problem = answer.json()
        equal([answer.status_code, problem["status"], problem["code"]], [400, 400, "22P02"])
        for member in ("type", "title", "detail", "message"):
            if not isinstance(problem.get(member), str):
                raise Different(member, problem)

    @call("a request that is too long is refused")
    def _():
        equal(plain.get("/tags?label=eq." + "x" * 20000).status_code, 414)

    @call("a method that is none of the table's is refused")
    def _():
        answer = plain.request("PATCH", "/order_totals?order_id=eq.1", json={"total": 1})
        equal([answer.status_code, answer.json()["code"]], [405, "PGRST117"])


def transactions():
    @call("several operations are one transaction, or none is made")
    def _():
        note = {
            "method": "POST",
            "path": "/notes?select=title",
            "body": {"owner": OWNER, "title": "first"},
            "headers": {"Prefer": "return=representation"},
        }
        made = plain.post(
            "/transaction",
            json={
                "operations": [
                    note,
                    {"method": "GET", "path": f"/notes?owner=eq.{quote(OWNER)}&title=eq.first&select=rank"},
                ]
            },
        )
        equal(made.status_code, 200)
        equal([result["body"] for result in made.json()["results"]], [[{"title": "first"}], [{"rank": 5}]])
        gone = {"method": "DELETE", "path": f"/notes?owner=eq.{quote(OWNER)}&title=eq.first"}
        failed = plain.post(
            "/transaction", json={"operations": [gone, {"method": "POST", "path": "/notes", "body": {"owner": OWNER}}]}
        )
        equal([failed.status_code, failed.json()["code"], failed.json()["operation"]], [400, "23502", 1])
        equal(value("select count(*) from notes where owner = 'py http' and title = 'first'"), 1)

    @call("a transaction is taken back when asked")
    def _():
        note = {"method": "POST", "path": "/notes", "body": {"owner": OWNER, "title": "tried"}}
        equal(
            plain.post("/transaction", json={"operations": [note]}, headers={"Prefer": "tx=rollback"}).status_code, 200
        )
        equal(value("select count(*) from notes where owner = 'py http' and title = 'tried'"), 0)


def connections():
    @call("a connection outlives whatever is refused on it, though the body comes late")
    def _():
        # The client sends an empty object with every DELETE, after the headers; a GET has none, but may.
        for method, path, status in [
            ("DELETE", "/nothing?id=eq.1", 404),
            ("DELETE", "/ledger?id=gt.0", 405),
            ("DELETE", "/notes", 400),
            ("DELETE", "/notes?id=eq.-1", 204),
            ("POST", "/nothing", 404),
            ("GET", "/tags", 200),
        ]:
            connection = http.client.HTTPConnection(urlsplit(URL).netloc)
            connection.putrequest(method, path)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", "2")
            connection.endheaders()
            select.select([connection.sock], [], [], EARLY_S)
            connection.send(b"{}")
            answer = connection.getresponse()
            answer.read()
            equal([method, path, answer.status, answer.will_close], [method, path, status, False])
            try:
                connection.request("GET", "/tags?id=eq.1&select=id")
                equal(connection.getresponse().read().decode(), '[{"id":1}]')
            except (OSError, http.client.HTTPException) as error:
                raise Different(f"an answer after {method} {path} on the same connection", repr(error)) from error
            finally:
                connection.close()
