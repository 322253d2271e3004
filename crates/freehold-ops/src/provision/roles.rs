//! The roles of a service: who they are, what they may hold, how long they may take.

use super::sql::{identifier, literal};
use super::statement::Statement;
use crate::secrets::Login;
use freehold_manifest::names::Names;

/// Connections of the API and handlers of one service, all its instances together: no service can use up a server of
/// 100 connections alone.
const APP_CONNECTIONS_MAX: u32 = 40;
/// Migrations run one at a time; two more for the attacks of the isolation check meanwhile.
const MIGRATOR_CONNECTIONS_MAX: u32 = 3;
/// Checks and backups run beside the service, not in its place.
const READER_CONNECTIONS_MAX: u32 = 10;

/// A request that takes longer has lost its caller.
const APP_STATEMENT_TIMEOUT: &str = "30s";
/// An open transaction holds locks and keeps dead rows; one without a statement for so long was forgotten.
const APP_IDLE_IN_TRANSACTION_TIMEOUT: &str = "60s";
/// Waiting longer than this for a row is an error to be retried, not a queue.
const APP_LOCK_TIMEOUT: &str = "10s";
/// A check or backup must not queue behind a migration and stop everyone behind itself.
const READER_LOCK_TIMEOUT: &str = "10s";

/// The attributes no role of a service may have.
const POWERS: [(&str, &str); 5] = [
    ("rolsuper", "nosuperuser"),
    ("rolcreatedb", "nocreatedb"),
    ("rolcreaterole", "nocreaterole"),
    ("rolreplication", "noreplication"),
    ("rolbypassrls", "nobypassrls"),
];

/// The four roles of a service on its server, without passwords.
pub(super) fn of_service(names: &Names) -> Vec<Statement> {
    let mut wanted = owner(&names.owner);
    for login in Login::ALL {
        wanted.extend(login_role(login.role(names), connections_max(login)));
    }
    wanted.push(Statement::new(
        format!("grant {} to {}", identifier(&names.owner), identifier(&names.migrator)),
        is_member(&names.migrator, &names.owner),
    ));
    wanted
}

/// A role that owns and cannot log in. An administrator who is no superuser becomes a member, to create in its name:
/// before PostgreSQL 16 any role with CREATEROLE may do that, since 16 the one who created the role.
pub(super) fn owner(name: &str) -> Vec<Statement> {
    let role = identifier(name);
    let mut wanted = vec![Statement::new(format!("create role {role} nologin"), exists(name))];
    wanted.push(Statement::new(
        format!("alter role {role} nologin"),
        every(name, "not rolcanlogin"),
    ));
    wanted.extend(powerless(name));
    wanted.push(Statement::new(
        format!("grant {role} to current_user"),
        format!(
            "(select rolsuper from pg_roles where rolname = current_user) or pg_has_role(current_user, {}, 'usage')",
            literal(name)
        ),
    ));
    wanted
}

/// A role that logs in. NOINHERIT: a membership that strays in gives nothing without a `SET ROLE`.
fn login_role(name: &str, connections_max: u32) -> Vec<Statement> {
    let role = identifier(name);
    let mut wanted = vec![
        Statement::new(
            format!("create role {role} login noinherit connection limit {connections_max}"),
            exists(name),
        ),
        Statement::new(
            format!("alter role {role} login noinherit connection limit {connections_max}"),
            every(
                name,
                &format!("rolcanlogin and not rolinherit and rolconnlimit = {connections_max}"),
            ),
        ),
    ];
    wanted.extend(powerless(name));
    wanted
}

/// One statement per attribute: only an administrator who has it may name it, so none is named without need.
fn powerless(name: &str) -> impl Iterator<Item = Statement> {
    POWERS.iter().map(move |(column, without)| {
        Statement::new(
            format!("alter role {} {without}", identifier(name)),
            every(name, &format!("not {column}")),
        )
    })
}

/// What holds for the service's roles in its database.
pub(super) fn settings(names: &Names) -> Vec<Statement> {
    let search_path = identifier(&names.schema);
    let app = [
        ("search_path", search_path.as_str()),
        ("statement_timeout", APP_STATEMENT_TIMEOUT),
        ("idle_in_transaction_session_timeout", APP_IDLE_IN_TRANSACTION_TIMEOUT),
        ("lock_timeout", APP_LOCK_TIMEOUT),
    ];
    let reader = [
        ("search_path", search_path.as_str()),
        ("default_transaction_read_only", "on"),
        ("lock_timeout", READER_LOCK_TIMEOUT),
    ];
    let migrator = [("search_path", search_path.as_str())];
    let per_role: [(&str, &[(&str, &str)]); 3] = [
        (&names.app, &app),
        (&names.reader, &reader),
        (&names.migrator, &migrator),
    ];
    per_role
        .iter()
        .flat_map(|(role, settings)| {
            settings
                .iter()
                .map(|(key, value)| setting(role, &names.database, key, value))
        })
        .collect()
}

fn setting(role: &str, database: &str, key: &str, value: &str) -> Statement {
    let (shown, kept) = match value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
        // PostgreSQL keeps a name with quotes only where it needs them.
        Some(name) => (
            value.to_owned(),
            format!("{} || quote_ident({})", literal(&format!("{key}=")), literal(name)),
        ),
        None => (literal(value), literal(&format!("{key}={value}"))),
    };
    Statement::new(
        format!(
            "alter role {} in database {} set {key} = {shown}",
            identifier(role),
            identifier(database)
        ),
        format!(
            "exists (select from pg_db_role_setting s \
             join pg_roles r on r.oid = s.setrole \
             join pg_database d on d.oid = s.setdatabase \
             where r.rolname = {} and d.datname = {} and {kept} = any (s.setconfig))",
            literal(role),
            literal(database)
        ),
    )
}

fn connections_max(login: Login) -> u32 {
    match login {
        Login::App => APP_CONNECTIONS_MAX,
        Login::Migrator => MIGRATOR_CONNECTIONS_MAX,
        Login::Reader => READER_CONNECTIONS_MAX,
    }
}

fn exists(role: &str) -> String {
    format!("exists (select from pg_roles where rolname = {})", literal(role))
}

/// Also holds while the role is not there: its creation brings what is wanted.
fn every(role: &str, condition: &str) -> String {
    format!(
        "not exists (select from pg_roles where rolname = {} and not ({condition}))",
        literal(role)
    )
}

fn is_member(member: &str, of: &str) -> String {
    format!(
        "exists (select from pg_auth_members m \
         join pg_roles r on r.oid = m.roleid \
         join pg_roles p on p.oid = m.member \
         where r.rolname = {} and p.rolname = {})",
        literal(of),
        literal(member)
    )
}
