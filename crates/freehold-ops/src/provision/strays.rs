//! What others granted across the walls, found in the catalogue: revoked, refused or reported.

use super::databases::Database;
use super::error::Error;
use super::session::Session;
use super::sql::{identifier, literal, literals};
use super::statement::Statement;
use freehold_manifest::names::Names;

/// Extensions that lead out of a database: to other databases, or to the server's files.
const WAYS_OUT: [&str; 4] = ["dblink", "postgres_fdw", "file_fdw", "adminpack"];
/// Since this version a membership is revoked in the name of the one who granted it.
const GRANTED_BY_SINCE: i32 = 160_000;

/// All roles of these services.
fn roles(services: &[Names]) -> Vec<&str> {
    services
        .iter()
        .flat_map(|n| [&n.owner, &n.migrator, &n.app, &n.reader])
        .map(String::as_str)
        .collect()
}

/// Memberships of the services' roles, save the migrator's in its own owner: a role that is a member of nothing
/// cannot become anyone, neither another service nor `pg_read_all_data`.
pub(super) async fn memberships(
    session: &Session<'_>,
    services: &[Names],
    version: i32,
) -> Result<Vec<Statement>, Error> {
    let expected: Vec<String> = services
        .iter()
        .map(|n| format!("({}, {})", literal(&n.owner), literal(&n.migrator)))
        .collect();
    if expected.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!(
        "select r.rolname, p.rolname, g.rolname from pg_auth_members m \
         join pg_roles r on r.oid = m.roleid \
         join pg_roles p on p.oid = m.member \
         left join pg_roles g on g.oid = m.grantor \
         where p.rolname in ({}) and (r.rolname, p.rolname) not in ({}) \
         order by 1, 2, 3",
        literals(&roles(services)),
        expected.join(", ")
    );
    let rows = session.rows(session.cluster.home(), &query).await?;
    let revoke = |row: &tokio_postgres::SimpleQueryRow| {
        let (role, member) = (row.get(0)?, row.get(1)?);
        let by = match row.get(2) {
            Some(grantor) if version >= GRANTED_BY_SINCE => {
                format!(" granted by {}", identifier(grantor))
            }
            _ => String::new(),
        };
        let (role, member) = (identifier(role), identifier(member));
        Some(Statement::needed(format!("revoke {role} from {member}{by}")))
    };
    Ok(rows.iter().filter_map(revoke).collect())
}

/// Privileges on the database of anyone but its owner, the administrator and its guests' CONNECT. On a database of
/// ours only roles of the system are looked at, so that an operator's own monitoring role stays.
pub(super) async fn on_database(
    session: &Session<'_>,
    database: &Database,
    all: &[Names],
) -> Result<Vec<Statement>, Error> {
    let query = format!(
        "select distinct r.rolname from pg_database d, aclexplode(d.datacl) a \
         join pg_roles r on r.oid = a.grantee \
         where d.datname = {} and a.grantee <> d.datdba and r.rolname in ({}) \
           and (a.privilege_type <> 'CONNECT' or r.rolname not in ({})) \
         order by 1",
        literal(&database.name),
        literals(&roles(all)),
        literals(&database.guests())
    );
    let strangers = session.texts(session.cluster.home(), &query).await?;
    let guests = database.guests();
    Ok(strangers
        .iter()
        .map(|role| {
            let what = if guests.contains(&role.as_str()) {
                "create, temporary"
            } else {
                "all"
            };
            Statement::needed(format!(
                "revoke {what} on database {} from {}",
                identifier(&database.name),
                identifier(role)
            ))
        })
        .collect())
}

/// Privileges inside a service's schemas that belong to another service, to PUBLIC on tables, or that let a role
/// other than the owner create.
pub(super) async fn in_database(
    session: &Session<'_>,
    database: &Database,
    names: &Names,
    all: &[Names],
) -> Result<Vec<Statement>, Error> {
    let schemas = literals(&[&names.schema, &names.freehold, &names.shadow]);
    let own = literals(&roles(std::slice::from_ref(names)));
    let others: Vec<&str> = roles(all)
        .into_iter()
        .filter(|role| !roles(std::slice::from_ref(names)).contains(role))
        .collect();
    let others = literals(&others);
    // Column privileges fall with those of their table.
    let query = format!(
        "select distinct format('revoke %s on schema %I from %I', \
                 case when r.rolname in ({own}) then 'create' else 'all' end, n.nspname, r.rolname) \
         from pg_namespace n, aclexplode(n.nspacl) a join pg_roles r on r.oid = a.grantee \
         where n.nspname in ({schemas}) and a.grantee <> n.nspowner \
           and (r.rolname in ({others}) or (r.rolname in ({own}) and a.privilege_type = 'CREATE')) \
         union \
         select format('revoke all on table %I.%I from %s', n.nspname, c.relname, \
                 case when a.grantee = 0 then 'public' else quote_ident(r.rolname) end) \
         from pg_class c join pg_namespace n on n.oid = c.relnamespace, \
         lateral (select grantee from aclexplode(c.relacl) union \
                  select x.grantee from pg_attribute t, aclexplode(t.attacl) x where t.attrelid = c.oid) a \
         left join pg_roles r on r.oid = a.grantee \
         where n.nspname in ({schemas}) and (a.grantee = 0 or r.rolname in ({others})) \
         union \
         select format('revoke all on routine %s from %I', p.oid::regprocedure, r.rolname) \
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace, \
         aclexplode(p.proacl) a join pg_roles r on r.oid = a.grantee \
         where n.nspname in ({schemas}) and r.rolname in ({others}) \
         order by 1"
    );
    let found = session.texts(&database.name, &query).await?;
    Ok(found.into_iter().map(Statement::needed).collect())
}

/// Foreign servers and wrappers a service's role may use; server-side file and program functions given to PUBLIC.
pub(super) async fn ways_out(session: &Session<'_>, database: &Database) -> Result<Vec<Statement>, Error> {
    let logins = literals(&database.guests());
    let query = format!(
        "select format('revoke all on foreign data wrapper %I from %s', w.fdwname, \
                 case when a.grantee = 0 then 'public' else quote_ident(r.rolname) end) \
         from pg_foreign_data_wrapper w, aclexplode(w.fdwacl) a left join pg_roles r on r.oid = a.grantee \
         where a.grantee = 0 or r.rolname in ({logins}) \
         union \
         select format('revoke all on foreign server %I from %s', s.srvname, \
                 case when a.grantee = 0 then 'public' else quote_ident(r.rolname) end) \
         from pg_foreign_server s, aclexplode(s.srvacl) a left join pg_roles r on r.oid = a.grantee \
         where a.grantee = 0 or r.rolname in ({logins}) \
         union \
         select format('revoke all on function %s from %s', p.oid::regprocedure, \
                 case when a.grantee = 0 then 'public' else quote_ident(r.rolname) end) \
         from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a \
         left join pg_roles r on r.oid = a.grantee \
         where p.pronamespace = 'pg_catalog'::regnamespace \
           and p.proname in ('lo_import', 'lo_export', 'pg_read_file', 'pg_read_binary_file', 'pg_stat_file', \
                             'pg_ls_dir', 'pg_ls_logdir', 'pg_ls_waldir', 'pg_hba_file_rules', \
                             'pg_reload_conf', 'pg_stat_reset') \
           and (a.grantee = 0 or r.rolname in ({logins})) \
         order by 1"
    );
    let found = session.texts(&database.name, &query).await?;
    Ok(found.into_iter().map(Statement::needed).collect())
}

/// The first extension that leads out of the database.
pub(super) async fn extension(session: &Session<'_>, database: &Database) -> Result<Option<String>, Error> {
    let query = format!(
        "select extname from pg_extension where extname in ({}) order by 1",
        literals(&WAYS_OUT)
    );
    let found = session.texts(&database.name, &query).await?;
    Ok(found.into_iter().next())
}
