//! Keys, constraints and unique indexes, as pg_constraint and pg_index have them.

use tokio_postgres::{Client, Row};

use super::{Catalog, Constraint, ConstraintKind, ForeignKey};

/// Adds to the tables of `catalog` what their rows must fulfil.
pub(super) async fn read(client: &Client, schema: &str, catalog: &mut Catalog) -> Result<(), tokio_postgres::Error> {
    for row in client.query(CONSTRAINTS, &[&schema]).await? {
        add_constraint(catalog, &row)?;
    }
    Ok(())
}

const CONSTRAINTS: &str = "
select r.relname::text,
       c.conname::text,
       c.contype::text,
       array(select a.attname::text
               from unnest(c.conkey) with ordinality k(num, place)
               join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num
              order by k.place),
       pg_get_constraintdef(c.oid),
       f.relname::text,
       array(select a.attname::text
               from unnest(c.confkey) with ordinality k(num, place)
               join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.num
              order by k.place),
       coalesce(f.relnamespace = r.relnamespace, false)
  from pg_constraint c
  join pg_class r on r.oid = c.conrelid
  join pg_namespace m on m.oid = r.relnamespace
  left join pg_class f on f.oid = c.confrelid
 where m.nspname = $1::text
   and r.relkind in ('r', 'p')
union all
select r.relname::text,
       i.relname::text,
       'u',
       case when x.indexprs is null
            then array(select a.attname::text
                         from unnest(x.indkey[0:x.indnkeyatts - 1]) with ordinality k(num, place)
                         join pg_attribute a on a.attrelid = r.oid and a.attnum = k.num
                        order by k.place)
            else '{}' end,
       pg_get_indexdef(i.oid),
       null,
       '{}',
       false
  from pg_index x
  join pg_class i on i.oid = x.indexrelid
  join pg_class r on r.oid = x.indrelid
  join pg_namespace m on m.oid = r.relnamespace
 where m.nspname = $1::text
   and x.indisunique
   and not exists (select from pg_constraint c where c.conindid = i.oid and c.contype in ('p', 'u', 'x'))";

fn add_constraint(catalog: &mut Catalog, row: &Row) -> Result<(), tokio_postgres::Error> {
    let Some(table) = catalog.tables.get_mut(row.try_get::<_, &str>(0)?) else {
        return Ok(());
    };
    let name: String = row.try_get(1)?;
    let columns: Vec<String> = row.try_get(3)?;
    let to: Option<String> = row.try_get(5)?;
    let kind = match row.try_get(2)? {
        "p" => ConstraintKind::Primary,
        "u" => ConstraintKind::Unique,
        "f" => ConstraintKind::Foreign,
        "c" => ConstraintKind::Check,
        "x" => ConstraintKind::Exclusion,
        _ => ConstraintKind::Other,
    };
    if kind == ConstraintKind::Primary {
        table.key.clone_from(&columns);
    }
    if let (ConstraintKind::Foreign, Some(to), true) = (kind, &to, row.try_get(7)?) {
        table.foreign_keys.push(ForeignKey {
            name: name.clone(),
            columns: columns.clone(),
            to: to.clone(),
            to_columns: row.try_get(6)?,
        });
    }
    let definition = row.try_get(4)?;
    table.constraints.insert(
        name,
        Constraint {
            kind,
            columns,
            definition,
            to,
        },
    );
    Ok(())
}
