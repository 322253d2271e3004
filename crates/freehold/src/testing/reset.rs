//! A database put back as it was: every table's rows are saved once, and restored before each cell in one call.

use tokio_postgres::Client;

use crate::error::Result;
use crate::pg::ident;

/// Where the saved rows are, in the service's own database.
const SAVED: &str = "freehold_saved";

/// Saves every row of these schemas.
///
/// `client` is a superuser. Triggers that guard append-only tables no longer bind a session with
/// `session_replication_role = replica`, which only a superuser may set; they bind every other session as before.
pub(super) async fn save(client: &Client, schemas: &[&str]) -> Result<()> {
    client
        .batch_execute(&format!("drop schema if exists {SAVED} cascade; create schema {SAVED}"))
        .await?;
    let guards = client
        .query(
            "select format('alter table %s enable trigger %I', t.tgrelid::regclass, t.tgname)
             from pg_trigger t
             join pg_class c on c.oid = t.tgrelid
             where t.tgenabled = 'A' and c.relnamespace::regnamespace::text = any ($1)",
            &[&schemas],
        )
        .await?;
    for guard in &guards {
        client.batch_execute(guard.get(0)).await?;
    }
    let tables = client
        .query(
            "select c.oid::regclass::text,
                    string_agg(quote_ident(a.attname), ', ' order by a.attnum)
             from pg_class c
             join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             where c.relnamespace::regnamespace::text = any ($1) and c.relkind = 'r'
             group by c.oid
             order by c.oid",
            &[&schemas],
        )
        .await?;
    let mut body = String::new();
    for (n, table) in tables.iter().enumerate() {
        let (name, columns): (&str, &str) = (table.get(0), table.get(1));
        let saved = format!("{SAVED}.{}", ident::quote(&format!("table_{n}")));
        client
            .batch_execute(&format!("create table {saved} as table {name}"))
            .await?;
        let filled = client
            .query_one(&format!("select exists (select from {saved})"), &[])
            .await?;
        body += &format!("delete from {name};\n");
        if filled.get(0) {
            body += &format!("insert into {name} ({columns}) overriding system value select {columns} from {saved};\n");
        }
    }
    client
        .batch_execute(&format!(
            "create function {SAVED}.restore() returns void language plpgsql\n\
             set session_replication_role = replica\nas $restore$\nbegin\n{body}end\n$restore$"
        ))
        .await?;
    Ok(())
}

/// Puts every saved row back, and takes every other away.
pub(super) async fn restore(client: &Client) -> Result<()> {
    client.batch_execute(&format!("select {SAVED}.restore()")).await?;
    Ok(())
}
