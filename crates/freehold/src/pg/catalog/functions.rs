//! Functions and what they take and give, as pg_proc has them.

use tokio_postgres::{Client, Row};

use super::types::{Sort, Types};
use super::{Argument, Column, Filled, FunctionShape, Returns, RowShape, ValueType, Volatility, relations};

/// One function, before its types are known.
pub(super) struct Found {
    name: String,
    arguments: Vec<Declared>,
    /// How many of the last arguments taken have a default.
    defaults: usize,
    returns: u32,
    returns_set: bool,
    volatility: Volatility,
    comment: Option<String>,
}

/// One argument, whichever way it goes.
struct Declared {
    name: String,
    of_type: u32,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    In,
    InOut,
    Variadic,
    /// OUT, or a column of RETURNS TABLE.
    Out,
}

/// Reads the functions of `schema` that are no extension's, none of the library's, and of which a client could call one.
pub(super) async fn read(client: &Client, schema: &str) -> Result<Vec<Found>, tokio_postgres::Error> {
    let rows = client.query(FUNCTIONS, &[&schema]).await?;
    rows.iter().map(found).collect()
}

const FUNCTIONS: &str = "
select p.proname::text,
       coalesce(p.proallargtypes, p.proargtypes::oid[]),
       p.proargnames,
       p.proargmodes::text[],
       p.pronargdefaults,
       p.prorettype,
       p.proretset,
       p.provolatile::text,
       obj_description(p.oid, 'pg_proc')
  from pg_proc p
  join pg_namespace m on m.oid = p.pronamespace
 where m.nspname = $1::text
   and p.prokind = 'f'
   and not starts_with(p.proname::text, 'freehold_')
   and not exists (select from pg_depend d
                    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
 order by p.proname, p.pronargs, pg_get_function_identity_arguments(p.oid)";

fn found(row: &Row) -> Result<Found, tokio_postgres::Error> {
    let types: Vec<u32> = row.try_get(1)?;
    let names: Option<Vec<String>> = row.try_get(2)?;
    let modes: Option<Vec<String>> = row.try_get(3)?;
    let at = |list: &Option<Vec<String>>, place: usize| list.as_ref().and_then(|l| l.get(place)).cloned();
    let declared = |(place, of_type): (usize, u32)| Declared {
        name: at(&names, place).unwrap_or_default(),
        of_type,
        mode: match at(&modes, place).as_deref() {
            Some("b") => Mode::InOut,
            Some("v") => Mode::Variadic,
            Some("o" | "t") => Mode::Out,
            _ => Mode::In,
        },
    };
    let defaults: i16 = row.try_get(4)?;
    Ok(Found {
        name: row.try_get(0)?,
        arguments: types.into_iter().enumerate().map(declared).collect(),
        defaults: usize::try_from(defaults).unwrap_or(0),
        returns: row.try_get(5)?,
        returns_set: row.try_get(6)?,
        volatility: match row.try_get(7)? {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        comment: row.try_get(8)?,
    })
}

impl Found {
    /// The types its signature names.
    pub(super) fn types(&self) -> impl Iterator<Item = u32> {
        self.arguments.iter().map(|a| a.of_type).chain([self.returns])
    }

    /// Its shape; nothing for a trigger function, and others that no value of a client's fits or whose columns are not told.
    pub(super) fn shape(&self, schema: &str, columns: &[relations::Found], types: &Types) -> Option<FunctionShape> {
        Some(FunctionShape {
            schema: schema.to_owned(),
            name: self.name.clone(),
            arguments: self.taken(types)?,
            returns: self.given(columns, types)?,
            volatility: self.volatility,
            comment: self.comment.clone(),
        })
    }

    fn taken(&self, types: &Types) -> Option<Vec<Argument>> {
        let taken: Vec<&Declared> = self.arguments.iter().filter(|a| a.mode != Mode::Out).collect();
        let required = taken.len().saturating_sub(self.defaults);
        let argument = |(place, declared): (usize, &Declared)| {
            Some(Argument {
                name: declared.name.clone(),
                value: real(types, declared.of_type)?,
                has_default: place >= required,
                variadic: declared.mode == Mode::Variadic,
            })
        };
        taken.into_iter().enumerate().map(argument).collect()
    }

    fn given(&self, columns: &[relations::Found], types: &Types) -> Option<Returns> {
        let returned = types.get(self.returns)?;
        let out = self.out(types)?;
        let row = match (returned.sort, returned.relation) {
            (Sort::Void, _) => return Some(Returns::Nothing),
            (Sort::Pseudo, _) => return None,
            // A single OUT argument of a row type gives that type's columns, as PostgreSQL does.
            (Sort::Real, Some(relation)) => row_of(relation, columns, types),
            (Sort::Record, _) if out.is_empty() => return None,
            (Sort::Real, None) if out.iter().all(|c| c.name.is_empty()) => {
                let value = returned.value.clone();
                return Some(if self.returns_set {
                    Returns::Values(value)
                } else {
                    Returns::Value(value)
                });
            }
            (Sort::Record | Sort::Real, _) => RowShape {
                of: None,
                columns: named(out),
            },
        };
        Some(if self.returns_set {
            Returns::Rows(row)
        } else {
            Returns::Row(row)
        })
    }

    /// The columns that OUT and INOUT arguments and RETURNS TABLE name.
    fn out(&self, types: &Types) -> Option<Vec<Column>> {
        let given = self
            .arguments
            .iter()
            .filter(|a| matches!(a.mode, Mode::Out | Mode::InOut));
        let column = |declared: &Declared| {
            let value = real(types, declared.of_type)?;
            Some(Column {
                name: declared.name.clone(),
                type_name: value.name,
                cast: value.cast,
                kind: value.kind,
                not_null: false,
                default_expr: None,
                filled: Filled::ByWriter,
                base: value.base,
                labels: value.labels,
                length_max: types.get(declared.of_type)?.length_max(-1),
                comment: None,
            })
        };
        given.map(column).collect()
    }
}

/// The type, where values can have it.
fn real(types: &Types, oid: u32) -> Option<ValueType> {
    let found = types.get(oid)?;
    (found.sort == Sort::Real).then(|| found.value.clone())
}

/// The columns of a row type: those of a table or view of the schema are told by its name.
fn row_of(relation: u32, columns: &[relations::Found], types: &Types) -> RowShape {
    let of_relation = || columns.iter().filter(|c| c.relation == relation);
    match of_relation().find_map(|c| c.served.clone()) {
        Some(name) => RowShape {
            of: Some(name),
            columns: Vec::new(),
        },
        None => RowShape {
            of: None,
            columns: of_relation().filter_map(|c| c.column(types)).collect(),
        },
    }
}

/// Gives the columns without a name the one that PostgreSQL gives them: `column2` for the second.
fn named(mut columns: Vec<Column>) -> Vec<Column> {
    for (place, column) in columns.iter_mut().enumerate() {
        if column.name.is_empty() {
            column.name = format!("column{}", place + 1);
        }
    }
    columns
}
