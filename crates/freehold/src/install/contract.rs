//! What an owner lets others see of a table: its key, and the published columns with their types.

use freehold_manifest::model::{Mode, Service, TableName};
use tokio_postgres::Client;

use super::rows;
use crate::error::Error;

/// The public side of a published table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// The table.
    pub table: TableName,
    /// The key's columns, in order.
    pub key: Vec<String>,
    /// The published columns with the type a copy gives them: a domain by its base type, an enum and any type of
    /// the owner's own making as text, arrays of such as text[], a row type as jsonb.
    pub columns: Vec<(String, String)>,
}

impl Contract {
    /// The contract of `of`, or the error that says who must publish it.
    pub(super) fn find<'c>(service: &Service, contracts: &'c [Self], of: &TableName) -> Result<&'c Self, Error> {
        contracts.iter().find(|c| &c.table == of).ok_or_else(|| Error::Install {
            service: service.name.clone(),
            problem: format!("{of} is copied but its owner publishes no such table"),
            remedy: format!("publish its columns in the manifest of {}", of.service),
        })
    }

    /// The type a copy gives to a column.
    pub(super) fn type_of(&self, column: &str) -> Option<&str> {
        self.columns
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, type_name)| type_name.as_str())
    }
}

/// Reads the contracts of a service from its own database.
///
/// # Errors
/// [`Error::Postgres`] when the server cannot be asked.
pub async fn contract(client: &Client, schema: &str, service: &Service) -> Result<Vec<Contract>, Error> {
    let mut contracts = Vec::new();
    for table in service.owns.iter().filter(|t| !t.publishes.is_empty()) {
        let mut columns: Vec<(String, String)> = client
            .query(COLUMNS, &[&schema, &table.name, &table.publishes])
            .await?
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        // What the library keeps is there once it is installed, which may be after this.
        for (column, kept) in rows::KEPT.iter().filter(|_| table.mode == Mode::ReadWrite) {
            if table.publishes.iter().any(|c| c == column) && !columns.iter().any(|(c, _)| c == column) {
                columns.push(((*column).to_owned(), (*kept).to_owned()));
            }
        }
        let key = client
            .query(KEY, &[&schema, &table.name])
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect();
        contracts.push(Contract {
            table: TableName {
                service: service.name.clone(),
                table: table.name.clone(),
            },
            key,
            columns,
        });
    }
    Ok(contracts)
}

const COLUMNS: &str = "
select a.attname::text,
       case when b.typtype = 'c' then 'jsonb'
            when b.typcategory = 'A' and n.nspname <> 'pg_catalog' then 'text[]'
            when b.typtype = 'e' or n.nspname <> 'pg_catalog' then 'text'
            else format_type(b.oid, -1) end
  from pg_attribute a
  join pg_class r on r.oid = a.attrelid
  join pg_namespace m on m.oid = r.relnamespace
  join lateral (
       with recursive base as (
         select t.oid, t.typbasetype from pg_type t where t.oid = a.atttypid
         union all
         select u.oid, u.typbasetype from base join pg_type u on u.oid = base.typbasetype
       )
       select p.* from base join pg_type p on p.oid = base.oid where base.typbasetype = 0
  ) b on true
  join pg_namespace n on n.oid = b.typnamespace
 where m.nspname = $1
   and r.relname = $2
   and a.attname = any($3)
   and a.attnum > 0
   and not a.attisdropped
 order by a.attnum";

const KEY: &str = "
select a.attname::text
  from pg_index i
  join pg_class r on r.oid = i.indrelid
  join pg_namespace m on m.oid = r.relnamespace
  join unnest(i.indkey::int2[]) with ordinality k(num, place) on true
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.num
 where m.nspname = $1
   and r.relname = $2
   and i.indisprimary
 order by k.place";
