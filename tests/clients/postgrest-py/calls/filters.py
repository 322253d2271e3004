"""Every method that filters, on the columns it is for."""

from harness import api, same


def calls():
    for table, cases in TABLES.items():
        for name, narrowed, condition in cases:
            same(
                name,
                narrowed(api.from_(table).select("id")).order("id"),
                f"select id from {table} where {condition} order by id",
            )


PRODUCTS = [
    ("eq", lambda q: q.eq("sku", "SKU-0042"), "sku = 'SKU-0042'"),
    ("eq of a truth", lambda q: q.eq("discontinued", True), "discontinued"),
    ("neq", lambda q: q.neq("ratio", 0.5), "ratio <> 0.5"),
    ("gt", lambda q: q.gt("price", 80.2), "price > 80.2"),
    ("gte", lambda q: q.gte("price", 80.2), "price >= 80.2"),
    ("lt", lambda q: q.lt("id", 5), "id < 5"),
    ("lte", lambda q: q.lte("weight", 2), "weight <= 2"),
    ("is null", lambda q: q.is_("sizes", None), "sizes is null"),
    ("is true", lambda q: q.is_("discontinued", True), "discontinued is true"),
    ("is false", lambda q: q.is_("discontinued", False), "discontinued is false"),
    ("is not null", lambda q: q.not_.is_("season", "null"), "season is not null"),
    ("not eq", lambda q: q.not_.eq("id", 3), "not id = 3"),
    ("isdistinct", lambda q: q.filter("weight", "isdistinct", "0.25"), "weight is distinct from 0.25"),
    ("like", lambda q: q.like("name", "%chair%"), "name like '%chair%'"),
    ("not like", lambda q: q.not_.like("name", "*ea*"), "name not like '%ea%'"),
    ("ilike", lambda q: q.ilike("name", "wool*"), "name ilike 'wool%'"),
    ("like_all_of", lambda q: q.like_all_of("name", "%a%,%chair%"), "name like '%a%' and name like '%chair%'"),
    ("like_any_of", lambda q: q.like_any_of("name", "Tea%,Wool%"), "(name like 'Tea%' or name like 'Wool%')"),
    ("ilike_all_of", lambda q: q.ilike_all_of("name", "%TEA%,%SPOON%"), "name ilike '%tea%' and name ilike '%spoon%'"),
    ("ilike_any_of", lambda q: q.ilike_any_of("name", "GARDEN%,%CUP%"), "(name ilike 'garden%' or name ilike '%cup%')"),
    (
        "match of a pattern",
        lambda q: q.filter("name", "match", "^(Tea|Wool).* [1-3]$"),
        "name ~ '^(Tea|Wool).* [1-3]$'",
    ),
    ("imatch", lambda q: q.filter("name", "imatch", "LAMP 4"), "name ~* 'LAMP 4'"),
    ("match of several columns", lambda q: q.match({"price": 1, "discontinued": True}), "price = 1 and discontinued"),
    ("in_", lambda q: q.in_("id", [2, 4, 6, 1000]), "id in (2, 4, 6, 1000)"),
    ("not in_", lambda q: q.not_.in_("sku", ["SKU-0001", "SKU-0002"]), "sku not in ('SKU-0001', 'SKU-0002')"),
    (
        "contains, of arrays",
        lambda q: q.contains("colours", ["dark green", "blue"]),
        "colours @> array['dark green', 'blue']",
    ),
    ("cs", lambda q: q.cs("sizes", [2]), "sizes @> array[2]"),
    ("contained_by, of arrays", lambda q: q.contained_by("colours", ["red"]), "colours <@ array['red']"),
    ("cd", lambda q: q.cd("sizes", [0, 1, 40]), "sizes <@ array[0, 1, 40]"),
    (
        "overlaps, of arrays",
        lambda q: q.overlaps("colours", ["red", "off-white"]),
        "colours && array['red', 'off-white']",
    ),
    (
        "contains, of JSON",
        lambda q: q.contains("attributes", {"material": "steel", "eco": False}),
        """attributes @> '{"material": "steel", "eco": false}'""",
    ),
    (
        "contained_by, of JSON",
        lambda q: q.contained_by("attributes->dimensions", {"width": 9, "height": 18}),
        """attributes->'dimensions' <@ '{"width": 9, "height": 18}'""",
    ),
    (
        "contains, of ranges",
        lambda q: q.contains("season", "[2025-03-01,2025-03-05)"),
        "season @> '[2025-03-01,2025-03-05)'::daterange",
    ),
    ("contained_by, of ranges", lambda q: q.contained_by("stock", "[1,20)"), "stock <@ '[1,20)'"),
    (
        "overlaps, of ranges",
        lambda q: q.ov("promoted", "[2025-01-20 06:00+00,2025-01-21)"),
        "promoted && '[2025-01-20 06:00+00,2025-01-21)'",
    ),
    ("range_gt", lambda q: q.range_gt("stock", (20, 30)), "stock >> '(20,30)'"),
    ("range_gte", lambda q: q.range_gte("stock", (20, 30)), "stock &> '(20,30)'"),
    ("range_lt", lambda q: q.range_lt("stock", (20, 30)), "stock << '(20,30)'"),
    ("range_lte", lambda q: q.range_lte("season", ("2025-02-01", "2025-04-01")), "season &< '(2025-02-01,2025-04-01)'"),
    ("range_adjacent", lambda q: q.range_adjacent("stock", (19, 25)), "stock -|- '(19,25)'"),
    ("fts", lambda q: q.fts("search", "wool & warm"), "search @@ to_tsquery('wool & warm')"),
    ("plfts", lambda q: q.plfts("search", "garden weather"), "search @@ plainto_tsquery('garden weather')"),
    ("phfts", lambda q: q.phfts("search", "cools slowly"), "search @@ phraseto_tsquery('cools slowly')"),
    (
        "wfts",
        lambda q: q.wfts("search", '"hot coffee" -cup'),
        """search @@ websearch_to_tsquery('"hot coffee" -cup')""",
    ),
    (
        "text_search",
        lambda q: q.text_search("search", "evening | oak", options={"config": "english"}),
        "search @@ to_tsquery('english', 'evening | oak')",
    ),
    (
        "text_search as on the web",
        lambda q: q.text_search("search", "bright or oak", options={"type": "web_search", "config": "simple"}),
        "search @@ websearch_to_tsquery('simple', 'bright or oak')",
    ),
    (
        "text_search of plain words",
        lambda q: q.text_search("description", "pouring drops", options={"type": "plain", "config": "english"}),
        "to_tsvector('english', description) @@ plainto_tsquery('english', 'pouring drops')",
    ),
    (
        "text_search of a phrase",
        lambda q: q.text_search("search", "long evenings", options={"type": "phrase"}),
        "search @@ phraseto_tsquery('long evenings')",
    ),
    ("or_", lambda q: q.or_("id.lt.4,price.gte.90"), "(id < 4 or price >= 90)"),
    ("not or_", lambda q: q.not_.or_("id.lt.50,price.gte.60"), "not (id < 50 or price >= 60)"),
    (
        "and and not inside or_",
        lambda q: q.or_('and(id.in.(7,8,9),not.or(id.eq.8,sku.eq."SKU-0009")),name.like."*pot 6*"'),
        "((id in (7, 8, 9) and not (id = 8 or sku = 'SKU-0009')) or name like '%pot 6%')",
    ),
    ("eq of a text in JSON", lambda q: q.eq("attributes->>material", "wool"), "attributes->>'material' = 'wool'"),
    (
        "lt of a number in JSON",
        lambda q: q.lt("attributes->dimensions->height", 9),
        "attributes->'dimensions'->'height' < '9'",
    ),
    (
        "eq of JSON in JSON",
        lambda q: q.eq("attributes->dimensions", {"width": 5, "height": 10}),
        """attributes->'dimensions' = '{"width": 5, "height": 10}'""",
    ),
]

CUSTOMERS = [
    (
        "eq of a uuid",
        lambda q: q.eq("id", "00000000-0000-4000-8000-000000000033"),
        "id = '00000000-0000-4000-8000-000000000033'",
    ),
    ("in_ of enums", lambda q: q.in_("level", ["silver", "gold"]), "level in ('silver', 'gold')"),
    ("gt of a time", lambda q: q.gt("since", "2024-01-15T00:00:00+01:00"), "since > '2024-01-15T00:00:00+01:00'"),
    ("lte of a date", lambda q: q.lte("born", "1970-12-31"), "born <= '1970-12-31'"),
    ("gte of a large number", lambda q: q.gte("visits", 30000000210), "visits >= 30000000210"),
    ("is unknown", lambda q: q.is_("active", "unknown"), "active is unknown"),
    ("eq of a text with quotes and a comma", lambda q: q.eq("name", 'Hana "H" 31'), """name = 'Hana "H" 31'"""),
    (
        "in_ of texts with quotes and commas",
        lambda q: q.in_("name", ['Hana "H" 31', "Gus, Jr. 30", "Bo 9"]),
        """name in ('Hana "H" 31', 'Gus, Jr. 30', 'Bo 9')""",
    ),
    (
        "contains, of an element with a comma",
        lambda q: q.contains("tags", ["comma,inside", "has space"]),
        "tags @> array['comma,inside', 'has space']",
    ),
    (
        "eq with any of several values",
        lambda q: q.filter("level", "eq(any)", "{bronze,gold}"),
        "level in ('bronze', 'gold')",
    ),
]

ODD_NAMES = [
    ("a name with a space, brackets and an umlaut", lambda q: q.gte("Größe (cm)", 100), '"Größe (cm)" >= 100'),
    ("a name with a quote", lambda q: q.eq('quo"te', "(q3)"), '"quo""te" = \'(q3)\''),
    ("a name with a capital and a space", lambda q: q.ilike("Mixed Case", "A*"), "\"Mixed Case\" ilike 'a%'"),
    (
        "a name with a dot, in or_",
        lambda q: q.or_('"some.name".eq."a,b","order".gt.2'),
        '("some.name" = \'a,b\' or "order" > 2)',
    ),
]

TABLES = {"products": PRODUCTS, "customers": CUSTOMERS, "odd_names": ODD_NAMES}
