"""Related rows inside the rows that are asked for, and sums of them."""

from harness import api, call, equal, rows, same, same_row
from postgrest.types import CountMethod


def calls():
    shapes()
    shaped()
    conditions()
    aggregates()


def shapes():
    same(
        "embeds the one row a foreign key leads to",
        api.from_("product_tags").select("note", "products(name)", "tags(label)").order("product_id").order("tag_id"),
        """select pt.note, json_build_object('name', p.name) as products, json_build_object('label', t.label) as tags
             from product_tags pt join products p on p.id = pt.product_id join tags t on t.id = pt.tag_id
            order by pt.product_id, pt.tag_id""",
    )
    same(
        "embeds the rows that lead here",
        api.from_("countries")
        .select("code", "addresses(id,city)")
        .order("code")
        .order("id", foreign_table="addresses"),
        """select c.code, coalesce((select json_agg(json_build_object('id', a.id, 'city', a.city) order by a.id)
                                      from addresses a where a.country_code = c.code), '[]') as addresses
             from countries c order by c.code""",
    )
    same(
        "embeds through a join table",
        api.from_("tags").select("*", "products(sku)").order("id").order("sku", desc=True, foreign_table="products"),
        """select t.*, coalesce((select json_agg(json_build_object('sku', p.sku) order by p.sku desc)
                                   from product_tags pt join products p on p.id = pt.product_id where pt.tag_id = t.id), '[]') as products
             from tags t order by t.id""",
    )
    same(
        "a unique foreign key embeds an object, from either side",
        api.from_("product_details")
        .select("warranty_months", "products(sku,product_details(made_in))")
        .order("product_id"),
        """select d.warranty_months, json_build_object('sku', p.sku, 'product_details', json_build_object('made_in', d.made_in)) as products
             from product_details d join products p on p.id = d.product_id order by d.product_id""",
    )
    same(
        "embeds three tables deep",
        api.from_("countries")
        .select("name", "addresses(city,orders!shipping(id,customers(name)))")
        .in_("code", ["pt", "is"])
        .order("name")
        .order("id", foreign_table="addresses")
        .order("id", foreign_table="addresses.orders"),
        """select k.name, (select json_agg(json_build_object('city', a.city, 'orders', coalesce((
                    select json_agg(json_build_object('id', o.id, 'customers', json_build_object('name', c.name)) order by o.id)
                      from orders o join customers c on c.id = o.customer_id where o.shipping_address_id = a.id), '[]')) order by a.id)
                  from addresses a where a.country_code = k.code) as addresses
             from countries k where k.code in ('pt', 'is') order by k.name""",
    )
    same(
        "a foreign key of two columns, from the other side",
        api.from_("order_lines")
        .select("order_id", "line_no", "shipments(carrier)")
        .lt("order_id", 9)
        .order("order_id")
        .order("line_no"),
        """select l.order_id, l.line_no, coalesce((select json_agg(json_build_object('carrier', s.carrier))
                                                     from shipments s where (s.order_id, s.line_no) = (l.order_id, l.line_no)), '[]') as shipments
             from order_lines l where l.order_id < 9 order by l.order_id, l.line_no""",
    )
    same(
        "a foreign key of two is chosen by its name, and stands for the table",
        api.from_("orders").select("id", "billing(street)", "shipping(street)").order("id").limit(16),
        """select o.id, json_build_object('street', b.street) as billing,
                  case when s.id is not null then json_build_object('street', s.street) end as shipping
             from orders o join addresses b on b.id = o.billing_address_id left join addresses s on s.id = o.shipping_address_id
            order by o.id limit 16""",
    )
    same(
        "a table that leads to itself, both ways",
        api.from_("employees")
        .select("name", "boss:manager_id(name)", "team:employees!manager_id(name,title)")
        .order("id")
        .order("id", foreign_table="team"),
        """select e.name, case when b.id is not null then json_build_object('name', b.name) end as boss,
                  coalesce((select json_agg(json_build_object('name', t.name, 'title', t.title) order by t.id)
                              from employees t where t.manager_id = e.id), '[]') as team
             from employees e left join employees b on b.id = e.manager_id order by e.id""",
    )
    same(
        "a view with links is embedded",
        api.from_("customers")
        .select("name", "order_totals(total)")
        .order("id")
        .order("order_id", foreign_table="order_totals"),
        """select c.name, coalesce((select json_agg(json_build_object('total', t.total) order by t.order_id)
                                      from order_totals t where t.customer_id = c.id), '[]') as order_totals
             from customers c order by c.id""",
    )


def shaped():
    same(
        "limits and sorts the rows inside",
        api.from_("tags")
        .select("label", "product_tags(product_id)")
        .order("id")
        .order("product_id", desc=True, foreign_table="product_tags")
        .limit(3, foreign_table="product_tags"),
        """select t.label, coalesce((select json_agg(json_build_object('product_id', x.product_id)) from
                  (select product_id from product_tags where tag_id = t.id order by product_id desc limit 3) x), '[]') as product_tags
             from tags t order by t.id""",
    )
    same(
        "a range of the rows inside",
        api.from_("tags")
        .select("label", "products(id)")
        .order("id")
        .order("id", foreign_table="products")
        .range(2, 3, foreign_table="products"),
        """select t.label, coalesce((select json_agg(json_build_object('id', x.product_id)) from
                  (select product_id from product_tags where tag_id = t.id order by product_id offset 2 limit 2) x), '[]') as products
             from tags t order by t.id""",
    )
    same(
        "sorts by a column of the row it leads to",
        api.from_("product_details")
        .select("product_id", "countries(name)")
        .order("countries(name)", desc=True, nullsfirst=False)
        .order("product_id"),
        """select d.product_id, case when c.code is not null then json_build_object('name', c.name) end as countries
             from product_details d left join countries c on c.code = d.made_in order by c.name desc nulls last, d.product_id""",
    )
    same(
        "spreads the row it leads to",
        api.from_("shipments")
        .select("id", "carrier", "...order_lines(quantity,...products(product:name))")
        .order("id")
        .limit(15),
        """select s.id, s.carrier, l.quantity, p.name as product from shipments s join order_lines l using (order_id, line_no)
             join products p on p.id = l.product_id order by s.id limit 15""",
    )
    same(
        "spreads many rows as arrays",
        api.from_("countries")
        .select("code", "...addresses(cities:city)")
        .order("code")
        .order("id", foreign_table="addresses"),
        """select c.code, coalesce((select json_agg(a.city order by a.id) from addresses a where a.country_code = c.code), '[]') as cities
             from countries c order by c.code""",
    )
    same_row(
        "one row with its relations comes as an object",
        api.from_("products")
        .select("sku", "kind:product_details(made:made_in)", "tags(id)")
        .eq("id", 2)
        .order("id", foreign_table="tags")
        .single(),
        """select p.sku, json_build_object('made', d.made_in) as kind,
                  (select json_agg(json_build_object('id', tag_id) order by tag_id) from product_tags where product_id = 2) as tags
             from products p join product_details d on d.product_id = p.id where p.id = 2""",
    )


def conditions():
    same(
        "a filter on the rows inside leaves the rows outside",
        api.from_("products")
        .select("id", "product_tags(tag_id)")
        .not_.is_("product_tags.note", None)
        .order("id")
        .order("tag_id", foreign_table="product_tags"),
        """select p.id, coalesce((select json_agg(json_build_object('tag_id', tag_id) order by tag_id)
                                    from product_tags where product_id = p.id and note is not null), '[]') as product_tags
             from products p order by p.id""",
    )
    same(
        "an inner relation leaves out rows without one",
        api.from_("employees")
        .select("name", "customers!inner(name)")
        .eq("customers.level", "gold")
        .order("id")
        .order("id", foreign_table="customers"),
        """select e.name, json_agg(json_build_object('name', c.name) order by c.id) as customers
             from employees e join customers c on c.employee_id = e.id and c.level = 'gold' group by e.id, e.name order by e.id""",
    )
    same(
        "a filter two tables deep",
        api.from_("orders")
        .select("id", "customers!inner(employees!inner(name))")
        .eq("customers.employees.name", "Pia")
        .order("id"),
        """select o.id, json_build_object('employees', json_build_object('name', e.name)) as customers from orders o
             join customers c on c.id = o.customer_id join employees e on e.id = c.employee_id where e.name = 'Pia' order by o.id""",
    )
    same(
        "or on the rows inside",
        api.from_("tags")
        .select("id", "product_tags(product_id)")
        .or_("product_id.lt.5,note.like.*58*", reference_table="product_tags")
        .order("id")
        .order("product_id", foreign_table="product_tags"),
        """select t.id, coalesce((select json_agg(json_build_object('product_id', product_id) order by product_id) from product_tags
                                   where tag_id = t.id and (product_id < 5 or note like '%58%')), '[]') as product_tags
             from tags t order by t.id""",
    )
    same(
        "rows without related ones",
        api.from_("tags").select("label", "products()").is_("products", None),
        "select label from tags t where not exists (select from product_tags where tag_id = t.id)",
    )
    same(
        "rows with related ones, which are not shown",
        api.from_("employees")
        .select("name", "customers()", count=CountMethod.exact)
        .not_.is_("customers", None)
        .order("id"),
        "select name from employees e where exists (select from customers where employee_id = e.id) order by id",
        count="select count(distinct employee_id) from customers",
    )


def aggregates():
    same(
        "groups and sums",
        api.from_("order_lines")
        .select("quantity", "price.sum()", "lines:count()", "dearest:price.max()")
        .order("quantity"),
        "select quantity, sum(price), count(*) as lines, max(price) as dearest from order_lines group by quantity order by quantity",
    )
    same(
        "casts before and after",
        api.from_("products").select("mean:attributes->dimensions->>width::int.avg()::int", "low:weight.min()"),
        "select avg((attributes->'dimensions'->>'width')::int)::int as mean, min(weight) as low from products",
    )
    same(
        "sums inside a relation",
        api.from_("orders").select("id", "order_lines(quantity.sum())").gt("id", 60).order("id"),
        """select o.id, json_build_array((select json_build_object('sum', sum(quantity)) from order_lines where order_id = o.id)) as order_lines
             from orders o where o.id > 60 order by o.id""",
    )
    same(
        "the number of related rows",
        api.from_("tags").select("label", "products(count)").order("id"),
        """select t.label, json_build_array(json_build_object('count', (select count(*) from product_tags where tag_id = t.id))) as products
             from tags t order by t.id""",
    )

    @call("groups by the columns of a row that is spread")
    def _():
        answer = api.from_("addresses").select("count()", "...countries(continent)").execute()
        expected = rows(
            "select count(*), c.continent from addresses a join countries c on c.code = a.country_code group by c.continent order by 2"
        )
        # Groups have no order of their own.
        equal(sorted(answer.data, key=lambda group: group["continent"]), expected)
