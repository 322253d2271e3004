//! What a server is, and what its administrator may do.

use super::VERSION_MIN;
use super::error::Error;
use super::session::Session;

/// The server's version as a number (`150018`), if it is new enough.
pub(super) async fn version(session: &Session<'_>) -> Result<i32, Error> {
    let query = "select current_setting('server_version_num'), current_setting('server_version')";
    let rows = session.rows(session.cluster.home(), query).await?;
    let text = |place| rows.first().and_then(|row| row.get(place)).unwrap_or("?");
    match text(0).parse() {
        Ok(version) if version >= VERSION_MIN => Ok(version),
        _ => Err(Error::OldServer {
            cluster: session.cluster.name.clone(),
            version: text(1).to_owned(),
        }),
    }
}

/// Whether the administrator is a superuser; on a managed server it is not.
pub(super) async fn is_superuser(session: &Session<'_>) -> Result<bool, Error> {
    let condition = "(select rolsuper from pg_roles where rolname = current_user)";
    session.holds(session.cluster.home(), condition).await
}

/// The administrator must be a superuser, or have CREATEDB and CREATEROLE.
pub(super) async fn require_power(session: &Session<'_>) -> Result<(), Error> {
    let query = "select rolname, concat_ws(' and ', \
                   case when not rolcreatedb then 'CREATEDB' end, \
                   case when not rolcreaterole then 'CREATEROLE' end) \
                 from pg_roles \
                 where rolname = current_user and not rolsuper and not (rolcreatedb and rolcreaterole)";
    let rows = session.rows(session.cluster.home(), query).await?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    Err(Error::Powerless {
        cluster: session.cluster.name.clone(),
        role: row.get(0).unwrap_or_default().to_owned(),
        missing: row.get(1).unwrap_or_default().to_owned(),
    })
}
