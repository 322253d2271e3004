//! Tables and views and their columns, as pg_class and pg_attribute have them.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Row, types::Type as Builtin};

use super::types::Types;
use super::{AfterTriggers, Catalog, Column, Filled, TableShape};

/// One column, before its type is known.
pub(super) struct Found {
    /// The relation it belongs to.
    pub(super) relation: u32,
    /// That relation's name, where it is a table or a view of the schema.
    pub(super) served: Option<String>,
    of_type: u32,
    modifier: i32,
    name: String,
    type_name: String,
    not_null: bool,
    default_expr: Option<String>,
    filled: Filled,
    comment: Option<String>,
}

impl Found {
    pub(super) fn of_type(&self) -> u32 {
        self.of_type
    }

    /// The column, or nothing where its type went away while the catalog was read.
    pub(super) fn column(&self, types: &Types) -> Option<Column> {
        let found = types.get(self.of_type)?;
        Some(Column {
            name: self.name.clone(),
            type_name: self.type_name.clone(),
            cast: found.value.cast.clone(),
            kind: found.value.kind,
            not_null: self.not_null,
            default_expr: self.default_expr.clone(),
            filled: self.filled,
            base: found.value.base.clone(),
            labels: found.value.labels.clone(),
            length_max: found.length_max(self.modifier),
            comment: self.comment.clone(),
        })
    }
}

/// Reads the columns of the tables and views of `schema`, and of `others`, in the order of each relation.
pub(super) async fn columns(
    client: &Client,
    schema: &str,
    others: &[u32],
) -> Result<Vec<Found>, tokio_postgres::Error> {
    let rows = client.query(COLUMNS, &[&schema, &others]).await?;
    rows.iter().map(found).collect()
}

fn found(row: &Row) -> Result<Found, tokio_postgres::Error> {
    Ok(Found {
        relation: row.try_get(0)?,
        served: row.try_get(1)?,
        name: row.try_get(2)?,
        of_type: row.try_get(3)?,
        modifier: row.try_get(4)?,
        type_name: row.try_get(5)?,
        not_null: row.try_get(6)?,
        default_expr: row.try_get(7)?,
        filled: match row.try_get(8)? {
            "expression" => Filled::ByExpression,
            "always" => Filled::ByIdentity,
            "default" => Filled::ByDefaultIdentity,
            _ => Filled::ByWriter,
        },
        comment: row.try_get(9)?,
    })
}

/// Reads the tables and views of `schema`; `columns` are those that [`columns`] found.
pub(super) async fn read(
    client: &Client,
    schema: &str,
    columns: &[Found],
    types: &Types,
) -> Result<Catalog, tokio_postgres::Error> {
    let mut by_relation: BTreeMap<u32, Vec<&Found>> = BTreeMap::new();
    for column in columns {
        by_relation.entry(column.relation).or_default().push(column);
    }
    let mut catalog = Catalog::default();
    for row in client.query(RELATIONS, &[&schema]).await? {
        // A table without columns has nothing to serve.
        let Some(columns) = by_relation.get(&row.try_get(0)?) else {
            continue;
        };
        let name: String = row.try_get(1)?;
        let has_version = |c: &&Found| c.name == "version" && c.of_type == Builtin::INT8.oid();
        let shape = TableShape {
            schema: schema.to_owned(),
            name: name.clone(),
            columns: columns.iter().filter_map(|c| c.column(types)).collect(),
            has_version: columns.iter().any(has_version),
            comment: row.try_get(3)?,
            row_security: row.try_get(4)?,
            ..TableShape::default()
        };
        let shapes = match row.try_get(2)? {
            "v" => &mut catalog.views,
            _ => &mut catalog.tables,
        };
        shapes.insert(name, shape);
    }
    Ok(catalog)
}

/// Adds to the tables of `catalog` which of their writes run triggers of the service's own.
pub(super) async fn read_triggers(
    client: &Client,
    schema: &str,
    catalog: &mut Catalog,
) -> Result<(), tokio_postgres::Error> {
    for row in client.query(AFTER_TRIGGERS, &[&schema]).await? {
        if let Some(table) = catalog.tables.get_mut(row.try_get::<_, &str>(0)?) {
            table.after_triggers = AfterTriggers {
                insert: row.try_get(1)?,
                update: row.try_get(2)?,
            };
        }
    }
    Ok(())
}

const RELATIONS: &str = "
select r.oid, r.relname::text, r.relkind::text, obj_description(r.oid, 'pg_class'), r.relrowsecurity
  from pg_class r
  join pg_namespace m on m.oid = r.relnamespace
 where m.nspname = $1::text
   and r.relkind in ('r', 'p', 'v')";

const COLUMNS: &str = "
select r.oid,
       case when m.nspname = $1::text and r.relkind in ('r', 'p', 'v') then r.relname::text end,
       a.attname::text,
       a.atttypid,
       a.atttypmod,
       format_type(a.atttypid, a.atttypmod),
       a.attnotnull,
       case when a.attidentity <> ''
            then 'nextval(' || quote_literal(pg_get_serial_sequence(quote_ident(m.nspname) || '.' || quote_ident(r.relname), a.attname)) || ')'
            when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
       case when a.attgenerated <> '' then 'expression'
            when a.attidentity = 'a' then 'always'
            when a.attidentity = 'd' then 'default'
            else 'writer' end,
       col_description(r.oid, a.attnum)
  from pg_class r
  join pg_namespace m on m.oid = r.relnamespace
  join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where (m.nspname = $1::text and r.relkind in ('r', 'p', 'v'))
    or r.oid = any($2::oid[])
 order by r.oid, a.attnum";

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
