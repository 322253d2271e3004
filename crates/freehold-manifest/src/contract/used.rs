//! Who uses what a service promises, and where they say so.

use crate::declared::{At, DeclaredService};
use crate::diagnostic::Place;
use crate::landscape::Landscape;
use crate::model::TableName;

/// A declaration of another service that relies on a promise.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) service: String,
    /// What it does: `copies`.
    pub(crate) does: &'static str,
    pub(crate) place: Place,
}

impl Consumer {
    fn new<T>(service: &DeclaredService<'_>, does: &'static str, at: &At<T>) -> Self {
        Self {
            service: service.name.clone(),
            does,
            place: service.place(&at.span, format!("`{}` {does} it", service.name)),
        }
    }
}

/// `product` (copies, caches) and `order` (copies).
pub(crate) fn said(consumers: &[Consumer]) -> String {
    let mut services: Vec<(&str, Vec<&str>)> = Vec::new();
    for consumer in consumers {
        match services.iter_mut().find(|(name, _)| *name == consumer.service) {
            Some((_, does)) if does.contains(&consumer.does) => {}
            Some((_, does)) => does.push(consumer.does),
            None => services.push((&consumer.service, vec![consumer.does])),
        }
    }
    let each = services
        .iter()
        .map(|(name, does)| format!("`{name}` ({})", does.join(", ")));
    each.collect::<Vec<_>>().join(" and ")
}

/// Who relies on a published column: copies that hold it, columns that repeat it, handlers that hear of the rows.
pub(crate) fn of_column(landscape: &Landscape<'_>, table: &TableName, column: &str) -> Vec<Consumer> {
    let mut found = Vec::new();
    for service in others(landscape, &table.service) {
        let copies = service.copies.iter().filter(|copy| is(copy.of.as_ref(), table));
        let copied = copies.flat_map(|copy| copy.columns.items.iter().filter(|item| item.value == column));
        found.extend(copied.map(|item| Consumer::new(service, "copies", item)));
        for owned in &service.owns {
            let refs = owned.refs.iter().filter(|reference| is(reference.to.as_ref(), table));
            for reference in refs {
                let froms = owned.cached.iter().filter_map(|cached| cached.from.as_ref());
                let cached =
                    froms.filter(|from| from.value.reference == reference.column.value && from.value.source == column);
                found.extend(cached.map(|from| Consumer::new(service, "caches", from)));
            }
        }
        found.extend(hearing(service, table, &["", ".changed"]));
    }
    found
}

/// Who relies on a published table at all.
pub(crate) fn of_table(landscape: &Landscape<'_>, table: &TableName) -> Vec<Consumer> {
    let mut found = of_key(landscape, table);
    for service in others(landscape, &table.service) {
        found.extend(hearing(service, table, &["", ".changed", ".deleted"]));
    }
    found
}

/// Who finds rows of a published table by its key: copies and references.
pub(crate) fn of_key(landscape: &Landscape<'_>, table: &TableName) -> Vec<Consumer> {
    let mut found = Vec::new();
    for service in others(landscape, &table.service) {
        let ofs = service.copies.iter().filter_map(|copy| copy.of.as_ref());
        let copies = ofs.filter(|of| &of.value == table);
        found.extend(copies.map(|of| Consumer::new(service, "copies", of)));
        let refs = service.owns.iter().flat_map(|owned| &owned.refs);
        let tos = refs.filter_map(|reference| reference.to.as_ref());
        let referring = tos.filter(|to| &to.value == table);
        found.extend(referring.map(|to| Consumer::new(service, "refers to", to)));
    }
    found
}

/// Who hears a domain event.
pub(crate) fn of_event(landscape: &Landscape<'_>, owner: &str, event: &str) -> Vec<Consumer> {
    others(landscape, owner)
        .flat_map(|service| {
            let topics = service.subscribes.items.iter().filter(|topic| topic.value == event);
            topics.map(|topic| Consumer::new(service, "hears", topic))
        })
        .collect()
}

/// Whether `sender` sends a command; itself included, for a command may be for later.
pub(crate) fn of_command(landscape: &Landscape<'_>, command: &str, sender: &str) -> Vec<Consumer> {
    let sender = landscape.service(sender);
    let sent = sender.into_iter().flat_map(|service| {
        let sent = service.sends.items.iter().filter(|sent| sent.value == command);
        sent.map(|sent| Consumer::new(service, "sends", sent))
    });
    sent.collect()
}

fn others<'s, 'a>(landscape: &'s Landscape<'a>, owner: &str) -> impl Iterator<Item = &'s DeclaredService<'a>> {
    landscape.services.iter().filter(move |service| service.name != owner)
}

fn is(found: Option<&At<TableName>>, table: &TableName) -> bool {
    found.is_some_and(|found| &found.value == table)
}

fn hearing(service: &DeclaredService<'_>, table: &TableName, kinds: &[&str]) -> Vec<Consumer> {
    let topics: Vec<String> = kinds.iter().map(|kind| format!("{table}{kind}")).collect();
    let heard = service
        .subscribes
        .items
        .iter()
        .filter(|topic| topics.contains(&topic.value));
    heard.map(|topic| Consumer::new(service, "hears", topic)).collect()
}
