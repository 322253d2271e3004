//! Streams and projections as the manifest declares them.

use std::fmt::Write;

use freehold_manifest::model::{Audience, Follows, Projection, Service, Timing};
use freehold_manifest::names::Names;
use tokio_postgres::Client;

use crate::error::Error;
use crate::pg::ident;

/// The events that `freehold.append` accepts, and the projections. After the grants: shadows are granted as their tables are.
pub(super) fn install(service: &Service, names: &Names) -> String {
    let (mut streams, mut events, mut topics) = (Vec::new(), Vec::new(), Vec::new());
    for stream in &service.streams {
        for event in &stream.events {
            streams.push(ident::literal(&stream.name));
            events.push(ident::literal(event));
            topics.push(match stream.audience {
                Audience::Published => ident::literal(&format!("{}.{}", service.name, stream.name)),
                Audience::Private => "null".to_owned(),
            });
        }
    }
    let mut sql = format!(
        "delete from freehold.stream_type;\n\
         insert into freehold.stream_type (stream, event, topic)\n\
         select * from unnest(array[{}]::text[], array[{}]::text[], array[{}]::text[]);\n\
         select freehold.forget_projections({});\n",
        streams.join(", "),
        events.join(", "),
        topics.join(", "),
        array(service.projections.iter().map(|projection| projection.name.as_str())),
    );
    for projection in &service.projections {
        let timing = match projection.timing {
            Timing::WithAppend => "with_append",
            Timing::AfterAppend => "after_append",
        };
        let (follows, sources) = match &projection.follows {
            Follows::Streams(streams) => ("streams", streams),
            Follows::Topics(topics) => ("log", topics),
        };
        let fold = match &projection.fold {
            Some(fold) => ident::literal(&ident::qualified(&names.schema, fold)),
            None => "null".to_owned(),
        };
        let _ = writeln!(
            sql,
            "select freehold.declare_projection({}, '{timing}', '{follows}', {}, {fold}, {}, {}, {});",
            ident::literal(&projection.name),
            array(sources.iter().map(String::as_str)),
            ident::literal(&names.schema),
            ident::literal(&names.shadow),
            array(projection.tables.iter().map(String::as_str)),
        );
    }
    sql
}

fn array<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let quoted: Vec<String> = texts.map(ident::literal).collect();
    format!("array[{}]::text[]", quoted.join(", "))
}

/// Refuses folds that the database does not have, or that could not be led to a shadow, and tables without a key, to which rows
/// could not be brought back.
pub(super) async fn check(client: &Client, service: &Service, names: &Names) -> Result<(), Error> {
    for projection in &service.projections {
        if let Some(fold) = &projection.fold {
            check_fold(client, service, names, projection, fold).await?;
        }
        check_tables(client, service, names, projection).await?;
    }
    Ok(())
}

async fn check_fold(
    client: &Client,
    service: &Service,
    names: &Names,
    projection: &Projection,
    fold: &str,
) -> Result<(), Error> {
    let row = client
        .query_opt(
            "select p.prosqlbody is not null,
                    exists (select from unnest(p.proconfig) c where c like 'search_path=%')
             from pg_proc p
             join pg_namespace n on n.oid = p.pronamespace
             where n.nspname = $1
               and p.proname = $2
               and p.prokind = 'f'
               and p.pronargs = 1
               and p.proargtypes[0] = 'json'::regtype",
            &[&names.schema, &fold],
        )
        .await?;
    let refused = |problem: String, remedy: &str| {
        Err(Error::Install {
            service: service.name.clone(),
            problem,
            remedy: remedy.to_owned(),
        })
    };
    let name = &projection.name;
    match row.map(|row| (row.get::<_, bool>(0), row.get::<_, bool>(1))) {
        None => refused(
            format!("projection {name} is folded by {fold}(json), which the database does not have"),
            "write a migration that creates it",
        ),
        Some((true, _)) => refused(
            format!("{fold}, the fold of projection {name}, is bound to its tables: its body is not a text"),
            "write its body as `as $$ … $$`, so that a rebuild can lead it to other tables",
        ),
        Some((_, true)) => refused(
            format!("{fold}, the fold of projection {name}, sets its own search_path"),
            "take the setting away, so that a rebuild can lead it to other tables",
        ),
        Some((false, false)) => Ok(()),
    }
}

async fn check_tables(client: &Client, service: &Service, names: &Names, projection: &Projection) -> Result<(), Error> {
    let without_key = client
        .query_opt(
            "select t.name
             from unnest($2::text[]) as t(name)
             where not exists (
               select from pg_index i
               where i.indrelid = to_regclass(format('%I.%I', $1::text, t.name)) and i.indisprimary
             )
             limit 1",
            &[&names.schema, &projection.tables],
        )
        .await?;
    let Some(row) = without_key else {
        return Ok(());
    };
    Err(Error::Install {
        service: service.name.clone(),
        problem: format!(
            "table {} of projection {} has no primary key",
            row.get::<_, &str>(0),
            projection.name
        ),
        remedy: "give it one in a migration: a rebuild brings rows back by it".to_owned(),
    })
}
