//! Types, as pg_type has them.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::{Kind, ValueType};

/// The types met so far, by oid.
#[derive(Default)]
pub(super) struct Types {
    known: BTreeMap<u32, Type>,
}

/// What the catalog says about one type.
pub(super) struct Type {
    /// How it is shown to readers of the catalog.
    pub(super) value: ValueType,
    /// The modifier a domain gives its base type: the length of a `varchar`, plus four. -1 without one.
    pub(super) modifier: i32,
    /// Of a row type, the relation whose rows it describes; a composite type has one of its own.
    pub(super) relation: Option<u32>,
    /// What it is in a signature.
    pub(super) sort: Sort,
}

/// What a type is in a function's signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Values have it.
    Real,
    /// `void`.
    Void,
    /// `record`: the columns stand elsewhere.
    Record,
    /// `trigger`, `internal`, `anyelement` and others that no value sent by a client can have.
    Pseudo,
}

impl Types {
    /// Reads those of `oids` that are not known yet.
    pub(super) async fn learn(
        &mut self,
        client: &Client,
        oids: impl Iterator<Item = u32>,
    ) -> Result<(), tokio_postgres::Error> {
        let new: BTreeSet<u32> = oids.filter(|oid| !self.known.contains_key(oid)).collect();
        let new: Vec<u32> = new.into_iter().collect();
        for row in client.query(TYPES, &[&new]).await? {
            let value = ValueType {
                name: row.try_get(1)?,
                cast: row.try_get(2)?,
                kind: match row.try_get(3)? {
                    "boolean" => Kind::Boolean,
                    "json" => Kind::Json,
                    "array" => Kind::Array,
                    "composite" => Kind::Composite,
                    "text" => Kind::Text,
                    _ => Kind::Scalar,
                },
                base: row.try_get(4)?,
                labels: row.try_get(5)?,
            };
            let found = Type {
                value,
                modifier: row.try_get(6)?,
                relation: row.try_get(7)?,
                sort: match row.try_get(8)? {
                    "void" => Sort::Void,
                    "record" => Sort::Record,
                    "pseudo" => Sort::Pseudo,
                    _ => Sort::Real,
                },
            };
            self.known.insert(row.try_get(0)?, found);
        }
        Ok(())
    }

    pub(super) fn get(&self, oid: u32) -> Option<&Type> {
        self.known.get(&oid)
    }

    /// The relations whose rows the row types among them describe.
    pub(super) fn relations(&self) -> Vec<u32> {
        self.known.values().filter_map(|t| t.relation).collect()
    }
}

impl Type {
    /// The most characters of a value of this type, where a column gives it `modifier` (-1 for none).
    pub(super) fn length_max(&self, modifier: i32) -> Option<i32> {
        /// What PostgreSQL adds to a length to make a modifier of it: the four bytes of a value's header.
        const HEADER: i32 = 4;
        let modifier = modifier.max(self.modifier);
        let has_length = matches!(self.value.base.as_str(), "varchar" | "bpchar");
        (has_length && modifier >= HEADER).then(|| modifier - HEADER)
    }
}

/// `way` leads from a type through domains and arrays to what they are made of. The base is the first on it that is no
/// domain; the labels are those of the last.
const TYPES: &str = "
with recursive way as (
  select t.oid as start, 0 as step, t.oid, t.typtype, t.typbasetype, t.typtypmod, false as in_array,
         case when t.typcategory = 'A' then t.typelem else 0 end as element
    from pg_type t
   where t.oid = any($1::oid[])
  union all
  select way.start, way.step + 1, u.oid, u.typtype, u.typbasetype, u.typtypmod, way.in_array or way.typtype <> 'd',
         case when u.typcategory = 'A' then u.typelem else 0 end
    from way
    join pg_type u on u.oid = case when way.typtype = 'd' then way.typbasetype else way.element end
)
select t.oid,
       format_type(t.oid, null),
       case when n.nspname = 'pg_catalog' then format_type(t.oid, -1)
            else quote_ident(n.nspname) || '.' || quote_ident(t.typname) end,
       case when b.typcategory = 'B' then 'boolean'
            when b.typname in ('json', 'jsonb') then 'json'
            when b.typcategory = 'A' and b.typelem <> 0 then 'array'
            when b.typtype = 'c' then 'composite'
            when b.typcategory = 'S' then 'text'
            else 'scalar' end,
       b.typname::text,
       array(select e.enumlabel::text
               from way w
               join pg_enum e on e.enumtypid = w.oid
              where w.start = t.oid
              order by e.enumsortorder),
       (select max(w.typtypmod) from way w where w.start = t.oid and not w.in_array),
       nullif(b.typrelid, 0),
       case when b.oid = 'void'::regtype then 'void'
            when b.oid = 'record'::regtype then 'record'
            when b.typtype = 'p' then 'pseudo'
            else 'real' end
  from pg_type t
  join pg_namespace n on n.oid = t.typnamespace
  join way on way.start = t.oid and way.typtype <> 'd' and not way.in_array
  join pg_type b on b.oid = way.oid";
