//! The topics of a system: who speaks on each, what about, and who hears.

use freehold_manifest::model::{Service, System, TableName};

/// A topic of a service's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    /// Its name: `user.users`.
    pub(super) name: String,
    /// The service whose log it is in.
    pub(super) speaker: String,
    pub(super) sort: Sort,
    /// Who hears it, and why, in declared order.
    pub(super) hearers: Vec<Hearer>,
}

/// What travels on a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Changed and deleted rows of a published table.
    Rows,
    /// Domain events.
    Facts,
    /// Commands to one service.
    Commands,
    /// Answers to one service.
    Replies,
}

impl Sort {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Facts => "fact",
            Self::Commands => "commands",
            Self::Replies => "replies",
        }
    }
}

/// A service that hears a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hearer {
    pub(super) service: String,
    /// What for: `copy products (id, name)`.
    pub(super) how: String,
}

/// Every topic of every service, in declared order.
pub(super) fn of(system: &System) -> Vec<Topic> {
    let topics = system.services.iter().flat_map(|service| {
        let names = service.topics().into_iter();
        names.map(move |name| topic(system, service, name))
    });
    topics.collect()
}

fn topic(system: &System, speaker: &Service, name: String) -> Topic {
    let sort = match name.rsplit_once('.') {
        _ if speaker.publishes.contains(&name) => Sort::Facts,
        Some((_, "commands")) => Sort::Commands,
        Some((_, "replies")) => Sort::Replies,
        _ => Sort::Rows,
    };
    let others = system.services.iter().filter(|other| other.name != speaker.name);
    Topic {
        hearers: others
            .filter_map(|other| {
                let how = how(speaker, other, &name, sort);
                (!how.is_empty()).then(|| Hearer {
                    service: other.name.clone(),
                    how: how.join("; "),
                })
            })
            .collect(),
        speaker: speaker.name.clone(),
        sort,
        name,
    }
}

fn how(speaker: &Service, other: &Service, topic: &str, sort: Sort) -> Vec<String> {
    let mut how = Vec::new();
    if let (Sort::Rows, Some((service, table))) = (sort, topic.split_once('.')) {
        let of = TableName {
            service: service.to_owned(),
            table: table.to_owned(),
        };
        if let Some(copy) = other.copy_of(&of) {
            how.push(format!("copy `{}` ({})", copy.name, copy.columns.join(", ")));
        }
    }
    if other.hears(&speaker.name).iter().any(|heard| heard == topic) {
        how.push(match sort {
            Sort::Commands => "obeys".to_owned(),
            Sort::Replies => "waits for answers".to_owned(),
            Sort::Rows | Sort::Facts => "handler".to_owned(),
        });
    }
    how
}
