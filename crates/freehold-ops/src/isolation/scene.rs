//! One pair of services, and the words attacks are written in.

use super::attack::Ground;
use super::territory::{Relation, Territory};
use freehold_manifest::model::Placement;

/// Who attacks whom, where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) placement: Placement,
    pub(super) neighbours: Neighbours,
    pub(super) server: Server,
    pub(super) attacker: &'a Territory,
    pub(super) victim: &'a Territory,
}

/// Whether the two are on one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Neighbours {
    OneServer,
    TwoServers,
}

/// Whose the attacker's server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Ours,
    Foreign,
}

impl<'a> Scene<'a> {
    /// The service whose database an attack is made from.
    pub(super) fn ground(&self, ground: Ground) -> &'a Territory {
        match (ground, self.neighbours) {
            (Ground::Home, _) | (Ground::Server, Neighbours::OneServer) => self.attacker,
            (Ground::There, _) | (Ground::Server, Neighbours::TwoServers) => self.victim,
        }
    }

    /// All tables of the victim.
    pub(super) fn prey(&self) -> impl Iterator<Item = &'a Relation> {
        self.victim.relations.iter()
    }

    /// The first table of the victim's own.
    pub(super) fn prize(&self) -> Option<&'a Relation> {
        self.victim.first_own()
    }

    /// A table the attacker may write, for attacks that need one.
    pub(super) fn tool(&self) -> Option<&'a Relation> {
        self.attacker.first_own()
    }
}
