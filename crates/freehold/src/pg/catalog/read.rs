//! Reads the whole catalog of a schema.

use tokio_postgres::Client;

use super::types::Types;
use super::{Catalog, constraints, functions, relations};
use crate::pg::Error;

/// Reads the shape of every ordinary and partitioned table, every view and every function of `schema`.
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
    let mut types = Types::default();
    let functions = functions::read(client, schema).await?;
    types
        .learn(client, functions.iter().flat_map(functions::Found::types))
        .await?;
    let rows = types.relations();
    let columns = relations::columns(client, schema, &rows).await?;
    types
        .learn(client, columns.iter().map(relations::Found::of_type))
        .await?;

    let mut catalog = relations::read(client, schema, &columns, &types).await?;
    constraints::read(client, schema, &mut catalog).await?;
    relations::read_triggers(client, schema, &mut catalog).await?;
    for function in functions {
        let Some(shape) = function.shape(schema, &columns, &types) else {
            continue;
        };
        catalog.functions.entry(shape.name.clone()).or_default().push(shape);
    }
    Ok(Some(catalog))
}
