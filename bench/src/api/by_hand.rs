//! The single statement that someone would write by hand for the same bytes.

use super::asked::{Asked, LIMIT, Script, variables};

pub(super) fn script(asked: Asked) -> Script {
    let main = match asked {
        Asked::Key => "select row_to_json(r)::text, r.version
             from (select id, maker_id, name, description, price, stock, sent_at, version, updated_at
                   from quiet_things where id = md5((:key)::text)::uuid) r"
            .to_owned(),
        Asked::List => format!(
            "select '[' || string_agg(row_to_json(r)::text, ',') || ']'
             from (select t.id, t.name, t.price, (select row_to_json(m) from (select m.name) m) as makers
                   from quiet_things t left join makers m on m.id = t.maker_id
                   where t.maker_id = :maker order by t.id limit {LIMIT}) r"
        ),
        Asked::Patch => "update quiet_things set price = 13.37, stock = 4
             where id = md5((:own)::text)::uuid and version = :version returning version"
            .to_owned(),
        Asked::Post(_) => format!(
            "insert into {} (maker_id, name, price, stock) values (:maker, 'a thing', 12.50, 3) returning id, version",
            asked.table()
        ),
    };
    Script {
        variables: variables(asked),
        before: String::new(),
        main,
        after: String::new(),
    }
}
