//! The statements that read the catalog.

use tokio_postgres::{Client, Row};

use super::{AfterTriggers, Catalog, Column, Constraint, ConstraintKind, Filled, ForeignKey, Kind, TableShape};
use crate::pg::Error;

/// Reads the shape of every ordinary and partitioned table of `schema`.
///
/// Runs in a read-only transaction of its own, with an empty search path so that defaults and types come out
/// qualified; the connection must not be in a transaction already.
///
/// # Errors
/// [`Error::NoSchema`] when there is no such schema, [`Error::Catalog`] when the server cannot be asked.
pub async fn load(client: &Client, schema: &str) -> Result<Catalog, Error> {
    let wrap = |source| Error::Catalog {
        schema: schema.to_owned(),
        source,
    };
    client
        .batch_execute("begin read only; set local search_path = pg_catalog")
        .await
        .map_err(wrap)?;
    let found = read(client, schema).await;
    client.batch_execute("rollback").await.map_err(wrap)?;
    found.map_err(wrap)?.ok_or_else(|| Error::NoSchema {
        schema: schema.to_owned(),
    })
}

/// As [`load`], inside the caller's transaction, whose search path is `pg_catalog`.
pub(crate) async fn read_within(client: &Client, schema: &str) -> Result<Catalog, Error> {
    let found = read(client, schema).await;
    found
        .map_err(|source| Error::Catalog {
            schema: schema.to_owned(),
            source,
        })?
        .ok_or_else(|| Error::NoSchema {
            schema: schema.to_owned(),
        })
}

async fn read(client: &Client, schema: &str) -> Result<Option<Catalog>, tokio_postgres::Error> {
    let known = client
        .query_opt("select from pg_namespace where nspname = $1::text", &[&schema])
        .await?;
    if known.is_none() {
        return Ok(None);
    }
    let mut catalog = Catalog::default();
    for row in client.query(COLUMNS, &[&schema]).await? {
        add_column(&mut catalog, schema, &row)?;
    }
    for row in client.query(CONSTRAINTS, &[&schema]).await? {
        add_constraint(&mut catalog, &row)?;
    }
    for row in client.query(AFTER_TRIGGERS, &[&schema]).await? {
        if let Some(table) = catalog.tables.get_mut(row.try_get::<_, &str>(0)?) {
            table.after_triggers = AfterTriggers {
                insert: row.try_get(1)?,
                update: row.try_get(2)?,
            };
        }
    }
    Ok(Some(catalog))
}

const COLUMNS: &str = "
select r.relname::text,
       a.attname::text,
       format_type(a.atttypid, a.atttypmod),
       case when n.nspname = 'pg_catalog' then format_type(t.oid, -1)
            else quote_ident(n.nspname) || '.' || quote_ident(t.typname) end,
       case when b.typcategory = 'B' then 'boolean'
            when b.typname in ('json', 'jsonb') then 'json'
            when b.typcategory = 'A' and b.typelem <> 0 then 'array'
            when b.typtype = 'c' then 'composite'
            when b.typcategory = 'S' then 'text'
            else 'scalar' end,
       a.attnotnull,
       case when a.attidentity <> ''
            then 'nextval(' || quote_literal(pg_get_serial_sequence(quote_ident(m.nspname) || '.' || quote_ident(r.relname), a.attname)) || ')'
            when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
       case when a.attgenerated <> '' then 'expression'
            when a.attidentity = 'a' then 'always'
            when a.attidentity = 'd' then 'default'
            else 'writer' end,
       a.attname = 'version' and a.atttypid = 'int8'::regtype
  from pg_class r
  join pg_namespace m on m.oid = r.relnamespace
  join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
  join pg_namespace n on n.oid = t.typnamespace
  join lateral (
       with recursive base as (
         select t.oid, t.typbasetype
         union all
         select u.oid, u.typbasetype from base join pg_type u on u.oid = base.typbasetype
       )
       select p.* from base join pg_type p on p.oid = base.oid where base.typbasetype = 0
  ) b on true
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where m.nspname = $1::text
   and r.relkind in ('r', 'p')
 order by r.relname, a.attnum";

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

/// Of `tgtype`, 2 is BEFORE, 64 INSTEAD OF, 4 INSERT and 16 UPDATE; AFTER is the absence of the first two.
const AFTER_TRIGGERS: &str = "
select r.relname::text,
       bool_or(t.tgtype & 4 <> 0),
       bool_or(t.tgtype & 16 <> 0)
  from pg_trigger t
  join pg_class r on r.oid = t.tgrelid
  join pg_namespace m on m.oid = r.relnamespace
 where m.nspname = $1::text
   and not t.tgisinternal
   and not t.tginitdeferred
   and not starts_with(t.tgname::text, 'freehold_')
   and t.tgenabled in ('O', 'A')
   and t.tgtype & 66 = 0
 group by r.relname";

fn add_column(catalog: &mut Catalog, schema: &str, row: &Row) -> Result<(), tokio_postgres::Error> {
    let name: String = row.try_get(0)?;
    let table = catalog.tables.entry(name.clone()).or_insert_with(|| TableShape {
        schema: schema.to_owned(),
        name,
        ..TableShape::default()
    });
    table.has_version |= row.try_get::<_, bool>(8)?;
    table.columns.push(Column {
        name: row.try_get(1)?,
        type_name: row.try_get(2)?,
        cast: row.try_get(3)?,
        kind: match row.try_get(4)? {
            "boolean" => Kind::Boolean,
            "json" => Kind::Json,
            "array" => Kind::Array,
            "composite" => Kind::Composite,
            "text" => Kind::Text,
            _ => Kind::Scalar,
        },
        not_null: row.try_get(5)?,
        default_expr: row.try_get(6)?,
        filled: match row.try_get(7)? {
            "expression" => Filled::ByExpression,
            "always" => Filled::ByIdentity,
            "default" => Filled::ByDefaultIdentity,
            _ => Filled::ByWriter,
        },
    });
    Ok(())
}

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
