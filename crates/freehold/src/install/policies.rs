//! Row level security: the service's own policies decide who sees what, the library adds two for its own work, and nothing is
//! served to signed-in users that has none.

use freehold_manifest::model::{Auth, History, ServedTo, Service, Table};
use freehold_manifest::names::Names;
use tokio_postgres::Client;

use crate::error::Error;
use crate::pg::ident;

/// The library's policies on every table of the service with row level security: its own work sees all rows, and so does the
/// reader, which checks them. Both are added to what the service's policies allow; a restrictive policy holds them too.
pub(super) fn install(names: &Names) -> String {
    let (app, reader) = (ident::quote(&names.app), ident::quote(&names.reader));
    format!(
        "do $$\ndeclare\n  t record;\nbegin\n\
         \x20 for t in select c.oid::regclass as name from pg_class c join pg_namespace n on n.oid = c.relnamespace\n\
         \x20          where n.nspname = {schema} and c.relkind in ('r', 'p') and c.relrowsecurity loop\n\
         \x20   execute format('create policy freehold_service on %s to {app}\n\
         \x20     using (freehold.is_service()) with check (freehold.is_service())', t.name);\n\
         \x20   execute format('create policy freehold_reader on %s for select to {reader} using (true)', t.name);\n\
         \x20 end loop;\nend\n$$;\n",
        schema = ident::literal(&names.schema),
    )
}

/// Whose tokens the service asks for, where it can look it up.
pub(super) fn issuer(auth: Option<&Auth>) -> String {
    let mut sql = String::from("delete from freehold.issuer;\n");
    if let Some(auth) = auth {
        sql += &format!(
            "insert into freehold.issuer (issuer) values ({});\n",
            ident::literal(&auth.issuer)
        );
    }
    sql
}

/// Whether every table with row level security has the library's policies: a migration may have enabled it since.
pub(super) async fn are_whole(client: &Client, names: &Names) -> Result<bool, tokio_postgres::Error> {
    let row = client
        .query_one(
            "select not exists (
                      select from pg_class c
                       where c.relnamespace = n.oid
                         and c.relkind in ('r', 'p')
                         and c.relrowsecurity <> (
                               2 = (select count(*) from pg_policy p
                                     where p.polrelid = c.oid
                                       and p.polname in ('freehold_service', 'freehold_reader'))))
               from pg_namespace n
              where n.nspname = $1::text",
            &[&names.schema],
        )
        .await?;
    row.try_get(0)
}

/// Refuses what would open to one user what belongs to another: a table that is served to signed-in users without row level
/// security or without a policy, a view that reads past it. The catalogue is asked, not the migrations: what a later statement took
/// away is not there.
///
/// In every system, row level security that holds the owner too (`force`) is refused: the library's triggers run as the owner.
pub(super) async fn check(client: &Client, service: &Service, names: &Names, auth: Option<&Auth>) -> Result<(), Error> {
    for row in client.query(RELATIONS, &[&names.schema]).await? {
        let name: &str = row.get(0);
        let found = Found {
            enabled: row.get(1),
            forced: row.get(2),
            policies: row.get(3),
            invoker: row.get(4),
        };
        if let Some((problem, remedy)) = found.wrong(service, name, auth) {
            return Err(Error::Install {
                service: service.name.clone(),
                problem,
                remedy,
            });
        }
    }
    Ok(())
}

/// What the catalogue says of a table or view.
struct Found {
    enabled: bool,
    forced: bool,
    /// How many of the service's own.
    policies: i64,
    /// Of a view: whether it reads with the rights of who asks.
    invoker: bool,
}

impl Found {
    /// What is wrong with it, and what to do.
    fn wrong(&self, service: &Service, name: &str, auth: Option<&Auth>) -> Option<(String, String)> {
        if self.forced {
            let problem =
                format!("row level security of {name} is forced on its owner, as whom the library's triggers run");
            return Some((
                problem,
                format!("write `alter table {name} no force row level security` in a migration"),
            ));
        }
        auth?;
        // The policy of a history is the library's own, and follows the table's.
        let by_service = |table: &&Table| !matches!(table.history, History::Of(_));
        let table = service.table(name).filter(by_service).map(|table| table.served);
        let view = service
            .views
            .iter()
            .find(|view| view.name == name)
            .map(|view| view.served);
        if view == Some(ServedTo::SignedIn) && !self.invoker {
            let problem = format!(
                "view {name} is served to signed-in users and reads its tables as their owner, past all policies"
            );
            let remedy = format!("write `alter view {name} set (security_invoker = true)` in a migration");
            return Some((problem, remedy));
        }
        if table != Some(ServedTo::SignedIn) || (self.enabled && self.policies > 0) {
            return None;
        }
        let (lacks, remedy) = match self.enabled {
            true => ("policy", format!("create policy … on {name} …")),
            false => (
                "row level security",
                format!("alter table {name} enable row level security"),
            ),
        };
        let problem = format!("table {name} is served to signed-in users and has no {lacks}");
        let remedy =
            format!("write `{remedy}` in a migration, or say `public = true` or `served = false` in the manifest");
        Some((problem, remedy))
    }
}

const RELATIONS: &str = r"
select c.relname::text,
       c.relrowsecurity,
       c.relforcerowsecurity,
       (select count(*) from pg_policy p
         where p.polrelid = c.oid
           and p.polname not like 'freehold\_%'),
       coalesce((select o.option_value::boolean
                   from pg_options_to_table(c.reloptions) o
                  where o.option_name = 'security_invoker'), false)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = $1::text
   and c.relkind in ('r', 'p', 'v')
 order by c.relname";
