//! What a placement cannot exclude: said, not hidden.

use freehold_manifest::model::Placement;
use serde::Serialize;

/// Something a service can see or do beyond its walls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Remainder {
    /// What.
    pub what: &'static str,
    /// Why, and what would exclude it.
    pub why: &'static str,
}

const fn rest(what: &'static str, why: &'static str) -> Remainder {
    Remainder { what, why }
}

/// True of every server.
const ANYWHERE: &[Remainder] = &[rest(
    "what the owner does",
    "a migration runs as the owner and may change its own service's history; the hash chain shows it, nothing prevents it",
)];

/// What services on one server share.
const ONE_SERVER: &[Remainder] = &[
    rest(
        "names of databases and roles",
        "pg_database and pg_roles are shared and readable by all; use placement server, and no secrets in names",
    ),
    rest(
        "presence of other services' sessions",
        "pg_stat_activity shows their database, role and connection state to all, without the statements; use placement server",
    ),
    rest(
        "load and space",
        "processor, memory, disk, connections and the write-ahead log are shared: a noisy neighbour is felt; use placement server",
    ),
    rest(
        "one superuser, one backup of the server",
        "who administers the server reaches every database on it; use placement server",
    ),
    rest(
        "own limits and password",
        "a role may change its own settings and password: timeouts guard against mistakes, not against the service itself",
    ),
];

/// What services in one database share besides.
const ONE_DATABASE: &[Remainder] = &[
    rest(
        "connecting to the shared database",
        "all services live in it; use placement database",
    ),
    rest(
        "names of other services' tables, columns and functions, and the text of their functions",
        "pg_class, pg_attribute and pg_proc are readable by everyone in the database; use placement database",
    ),
    rest(
        "advisory locks",
        "their numbers are one space per database: a service can hold another's lock; use placement database",
    ),
    rest(
        "notification channels",
        "anyone in the database may NOTIFY and LISTEN on any channel; use placement database",
    ),
    rest(
        "ids of large objects",
        "they are one space per database; the contents stay their owner's; use placement database",
    ),
    rest(
        "old snapshots",
        "a long transaction of one service keeps dead rows of all the others; use placement database",
    ),
];

/// A server that is not ours.
pub(super) const FOREIGN_SERVER: Remainder = rest(
    "connecting to databases template1 and postgres",
    "the server is not ours and they may be needed by others; if not, run `revoke all on database … from public`",
);

/// What `placement` cannot exclude.
pub(super) fn of(placement: Placement) -> Vec<Remainder> {
    let lists: &[&[Remainder]] = match placement {
        Placement::Server => &[ANYWHERE],
        Placement::Database => &[ANYWHERE, ONE_SERVER],
        Placement::Schema => &[ANYWHERE, ONE_SERVER, ONE_DATABASE],
    };
    lists.concat()
}
