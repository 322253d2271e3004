//! What the API serves besides tables is there: views with the columns the manifest names, and functions.

use freehold_manifest::model::{Link, Service, View};
use freehold_manifest::names::Names;
use tokio_postgres::Client;

use super::history;
use super::rows::shape_of;
use crate::error::Error;
use crate::pg::catalog::{Catalog, TableShape};
use crate::pg::ident;

/// What to do about something that is listed and not there.
const REMEDY: &str = "write a migration that creates it, or take it out of the manifest";

/// Refuses a manifest that lists views, columns or functions which the database does not have.
pub(super) fn check(service: &Service, shapes: &Catalog) -> Result<(), Error> {
    for view in &service.views {
        let name = &view.name;
        let Some(shape) = shapes.views.get(name) else {
            let problem = format!("view {name} is served by the manifest but not in the database");
            return Err(refused(service, problem, REMEDY));
        };
        check_columns(service, view, shape)?;
        for link in &view.links {
            check_link(service, view, link, shapes)?;
        }
    }
    for function in &service.functions {
        let name = &function.name;
        // The installation makes those of histories.
        if !history::is_restore(service, name) && !shapes.functions.contains_key(name) {
            let problem = format!(
                "function {name} is served by the manifest but not among those of the database that a client could call"
            );
            return Err(refused(service, problem, REMEDY));
        }
    }
    Ok(())
}

fn check_columns(service: &Service, view: &View, shape: &TableShape) -> Result<(), Error> {
    let key = view.key.iter().map(|column| (column, "key"));
    let hidden = view.hidden.iter().map(|column| (column, "hidden"));
    let links = view.links.iter().map(|link| (&link.column, "links"));
    let absent = key
        .chain(hidden)
        .chain(links)
        .find(|(column, _)| shape.column(column).is_none());
    let Some((column, by)) = absent else {
        return Ok(());
    };
    let problem = format!(
        "view {} has no column {column}, named by {by} in the manifest",
        view.name
    );
    Err(refused(
        service,
        problem,
        "correct the manifest, or give the view that column in a migration",
    ))
}

/// A link leads to one row at most.
fn check_link(service: &Service, view: &View, link: &Link, shapes: &Catalog) -> Result<(), Error> {
    let to = shape_of(shapes, service, &link.table)?;
    if to.is_unique(std::slice::from_ref(&link.to)) {
        return Ok(());
    }
    let problem = format!(
        "{} of view {} leads to {}.{}, which is not the only column of a key there",
        link.column, view.name, link.table, link.to
    );
    Err(refused(
        service,
        problem,
        "let it lead to a primary key or a unique column",
    ))
}

/// Refuses links between columns that PostgreSQL cannot compare; the transaction is lost then.
///
/// Operators of the service's own types stand in its schema, so this is asked with it in the search path.
pub(super) async fn check_comparable(client: &Client, service: &Service, names: &Names) -> Result<(), Error> {
    if service.views.iter().all(|view| view.links.is_empty()) {
        return Ok(());
    }
    let path = format!("set local search_path = pg_catalog, {}", ident::quote(&names.schema));
    client.batch_execute(&path).await?;
    for view in &service.views {
        for link in &view.links {
            let asked = format!(
                "select from {} v join {} t on v.{} = t.{}",
                ident::qualified(&names.schema, &view.name),
                ident::qualified(&names.schema, &link.table),
                ident::quote(&link.column),
                ident::quote(&link.to),
            );
            let Err(error) = client.prepare(&asked).await else {
                continue;
            };
            let Some(reason) = error.as_db_error() else {
                return Err(error.into());
            };
            let problem = format!(
                "{} of view {} cannot be compared with {}.{}: {}",
                link.column,
                view.name,
                link.table,
                link.to,
                reason.message()
            );
            return Err(refused(
                service,
                problem,
                "cast it in the view to the type of the table's column",
            ));
        }
    }
    client.batch_execute("set local search_path = pg_catalog").await?;
    Ok(())
}

fn refused(service: &Service, problem: String, remedy: &str) -> Error {
    Error::Install {
        service: service.name.clone(),
        problem,
        remedy: remedy.to_owned(),
    }
}
