//! What the application role and the reader may touch, by the manifest and nothing else.

use std::fmt::Write;

use freehold_manifest::model::{History, Mode, Service};
use freehold_manifest::names::Names;
use tokio_postgres::Client;

use super::derived;
use crate::pg::ident;

/// The library's functions that a service process calls; what they touch is written by nobody else.
const CALLED_BY_APP: &[&str] = &[
    "subject()",
    "is_service()",
    "emit(text, text, json)",
    "hold_lease(text, text, integer)",
    "sequence(integer)",
    "broken_link(bigint, bigint)",
    "advance(text, text, integer, bigint, text[], bigint[], bigint[], bytea[])",
    "place_cursor(text, text, text, integer, bigint, bigint, bytea)",
    "begin_cursor(text, text, text, integer)",
    "send(text, text, text, json)",
    "keep_saga(uuid, text, json, json, text, text[], text[], text[], integer[], text[], text[], text[], text[], text[], text[], bigint[], text, text[], text[])",
    "answer(uuid, text, text, text, text, json, text, uuid, text, text)",
    "append(text, text, bigint, text[], integer[], json[])",
    "append(text, text, bigint, text, json, integer)",
    "order_events(integer)",
    "events_of(text, bigint, bigint)",
    "events_between(text, bigint, bigint)",
    "head_of(text)",
    "take_checkpoint(text, text)",
    "move_checkpoint(text, text, bigint, bigint)",
    "halt_projection(text, text)",
    "projection_lock(text)",
    "begin_rebuild(text)",
    "end_rebuild(text, bigint)",
];

/// What handlers, sagas and requests keep: the service's own bookkeeping, which nobody outside it relies on.
const KEPT_BY_APP: &[(&str, &str)] = &[
    ("obeyed", "insert"),
    ("parked_key", "insert, update, delete"),
    ("parked", "insert, delete"),
    ("skipped", "insert"),
    ("due", "insert, update, delete"),
    ("saga", "insert, update"),
    ("saga_history", "insert"),
    ("saga_definition", "insert, update"),
    ("idempotency", "insert, delete"),
    ("sessions_ended", "insert, update, delete"),
    ("stream_snapshot", "insert, update"),
    ("witness", "insert"),
];

/// Whether the application role and the reader may use every view and function of the service's schema, and nobody else
/// may: a migration that makes one anew takes the rights with it, and the manifest does not change by that.
///
/// What an extension owns is not ours to give.
pub(super) async fn are_whole(client: &Client, names: &Names) -> Result<bool, tokio_postgres::Error> {
    let row = client
        .query_one(
            "select not exists (
                      select from pg_class c, unnest(array[$2::text, $3::text]) role
                       where c.relnamespace = n.oid
                         and c.relkind in ('v', 'm')
                         and pg_has_role(c.relowner, 'usage')
                         and not has_table_privilege(role::name, c.oid, 'select'))
                and not exists (
                      select from pg_proc p, unnest(array[$2::text, $3::text]) role
                       where p.pronamespace = n.oid
                         and p.prokind <> 'p'
                         and pg_has_role(p.proowner, 'usage')
                         and (not has_function_privilege(role::name, p.oid, 'execute')
                              or has_function_privilege('public', p.oid, 'execute')))
               from pg_namespace n
              where n.nspname = $1::text",
            &[&names.schema, &names.app, &names.reader],
        )
        .await?;
    row.try_get(0)
}

/// Revokes what earlier manifests gave, then grants what this one gives.
pub(super) fn install(service: &Service, names: &Names) -> String {
    let (app, reader) = (ident::quote(&names.app), ident::quote(&names.reader));
    let schema = ident::quote(&names.schema);
    let freehold = ident::quote(&names.freehold);
    let mut sql = format!(
        "revoke all on all tables in schema {schema}, {freehold} from public, {app}, {reader};\n\
         revoke all on all sequences in schema {schema}, {freehold} from public, {app}, {reader};\n\
         revoke all on all functions in schema {schema}, {freehold} from public, {app}, {reader};\n\
         grant usage on schema {schema}, {freehold} to {app}, {reader};\n\
         grant select on all tables in schema {schema}, {freehold} to {reader};\n\
         grant select on all sequences in schema {schema} to {reader};\n\
         grant usage, select on all sequences in schema {schema} to {app};\n\
         grant execute on all functions in schema {schema} to {app}, {reader};\n\
         grant select on all tables in schema {freehold} to {app};\n"
    );
    for table in &service.owns {
        let may = match table.mode {
            _ if matches!(table.history, History::Of(_)) => "select",
            // A projection is written by the fold, which is the service's own.
            Mode::ReadWrite | Mode::Projection => "select, insert, update, delete",
            Mode::AppendOnly => "select, insert",
        };
        let on = ident::qualified(&names.schema, &table.name);
        let _ = writeln!(sql, "grant {may} on {on} to {app};");
    }
    for copy in &service.copies {
        let on = ident::qualified(&names.schema, &copy.name);
        let _ = writeln!(sql, "grant select on {on} to {app};");
        for called in ["apply", "stage", "rebuild"] {
            let function = ident::quote(&derived(called, &copy.name));
            let _ = writeln!(sql, "grant execute on function freehold.{function} to {app};");
        }
    }
    for function in CALLED_BY_APP {
        let _ = writeln!(sql, "grant execute on function freehold.{function} to {app};");
    }
    // Policies that the service wrote for everybody are asked for the reader too.
    let _ = writeln!(
        sql,
        "grant execute on function freehold.subject(), freehold.is_service() to {reader};"
    );
    for (table, may) in KEPT_BY_APP {
        let _ = writeln!(sql, "grant {may} on freehold.{table} to {app};");
    }
    // Views of the service's own, served or not: readable like the tables they show, and nothing more.
    let _ = writeln!(
        sql,
        "do $$\ndeclare\n  v record;\nbegin\n\
         \x20 for v in select c.oid::regclass as name from pg_class c join pg_namespace n on n.oid = c.relnamespace\n\
         \x20          where n.nspname = {schema_text} and c.relkind in ('v', 'm') loop\n\
         \x20   execute format('grant select on %s to {app}', v.name);\n\
         \x20 end loop;\nend\n$$;",
        schema_text = ident::literal(&names.schema),
    );
    sql
}
