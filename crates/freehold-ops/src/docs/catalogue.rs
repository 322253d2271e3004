//! `events.md`: every message that leaves a service.

use freehold_manifest::contract::Contract;
use freehold_manifest::model::{Mode, System};

use super::topics::{self, Sort, Topic};
use super::{GENERATED, table};

/// The whole page.
pub(super) fn page(system: &System, contracts: &[Contract]) -> String {
    let topics = topics::of(system);
    let mut text = format!(
        "{GENERATED}\n\n# Events of {}\n\nMessages of one key arrive in the order in which they were committed; a message takes effect once.\n",
        system.name
    );
    let sorts = [
        (
            "Rows",
            "A published table sends its published columns with each change of one of them.",
            Sort::Rows,
        ),
        (
            "Facts",
            "What happened, in the past tense. The key is what the service's code gives.",
            Sort::Facts,
        ),
        (
            "Commands",
            "What one service asks of another, from a saga or for later.",
            Sort::Commands,
        ),
        ("Replies", "What came of a command.", Sort::Replies),
    ];
    for (title, what, sort) in sorts {
        let of_sort: Vec<&Topic> = topics.iter().filter(|topic| topic.sort == sort).collect();
        if of_sort.is_empty() {
            continue;
        }
        text.push_str(&format!("\n## {title}\n\n{what}\n"));
        match sort {
            Sort::Rows => of_sort
                .iter()
                .for_each(|topic| text.push_str(&rows(system, contracts, topic))),
            Sort::Facts => text.push_str(&format!("\n{}", facts(contracts, &of_sort))),
            Sort::Commands => text.push_str(&format!("\n{}", commands(system))),
            Sort::Replies => text.push_str(&format!("\n{}", replies(&of_sort))),
        }
    }
    if topics.is_empty() {
        text.push_str("\nNo service publishes anything.\n");
    }
    text
}

/// The events of one table.
fn rows(system: &System, contracts: &[Contract], topic: &Topic) -> String {
    let (service, name) = topic.name.split_once('.').unwrap_or_default();
    let promised = contracts.iter().find(|contract| contract.service == service);
    let promised = promised.and_then(|contract| contract.table(name));
    let owned = system.service(service).and_then(|service| service.table(name));
    let key = promised.map_or(String::new(), |table| table.key.join(", "));
    let kinds = match owned.map(|table| table.mode) {
        Some(Mode::AppendOnly) => format!("`{}.changed`, once per row: rows never change", topic.name),
        _ => format!("`{0}.changed`, `{0}.deleted`", topic.name),
    };
    let mut text = format!("\n### `{}`\n\n", topic.name);
    if let Some(summary) = owned.map(|table| &table.summary).filter(|summary| !summary.is_empty()) {
        text.push_str(&format!("{summary}\n\n"));
    }
    let facts = [
        vec!["Events".to_owned(), kinds],
        vec!["Published by".to_owned(), format!("`{}`", topic.speaker)],
        vec!["Key".to_owned(), format!("`{key}`: one row's events stay in order")],
        vec!["Heard by".to_owned(), heard(topic)],
    ];
    text.push_str(&table(&["", ""], &facts));
    let columns = promised.map(|table| table.columns.as_slice()).unwrap_or_default();
    let columns: Vec<Vec<String>> = columns
        .iter()
        .map(|column| {
            let ty = column.ty.as_str();
            let known = if ty.is_empty() {
                "not known".to_owned()
            } else {
                format!("`{ty}`")
            };
            vec![format!("`{}`", column.name), known]
        })
        .collect();
    text.push_str(&format!("\n{}", table(&["Payload column", "Type"], &columns)));
    text
}

fn facts(contracts: &[Contract], topics: &[&Topic]) -> String {
    let payload = |topic: &Topic| {
        let speaker = contracts.iter().find(|contract| contract.service == topic.speaker);
        let Some(fields) = speaker.and_then(|contract| contract.payload(&topic.name)) else {
            return "not declared".to_owned();
        };
        let each = fields.iter().map(|field| format!("`{}` {}", field.name, field.ty));
        each.collect::<Vec<_>>().join(", ")
    };
    let row = |topic: &&Topic| {
        vec![
            format!("`{}`", topic.name),
            format!("`{}`", topic.speaker),
            payload(topic),
            heard(topic),
        ]
    };
    let rows: Vec<Vec<String>> = topics.iter().map(row).collect();
    table(&["Event and topic", "Published by", "Payload", "Heard by"], &rows)
}

fn commands(system: &System) -> String {
    let obeyed = system
        .services
        .iter()
        .flat_map(|service| service.commands.iter().map(move |command| (service, command)));
    let rows: Vec<Vec<String>> = obeyed
        .map(|(service, command)| {
            vec![
                format!("`{}`", command.name),
                format!("`{}.commands`", service.name),
                super::codes(&command.from),
                format!("`{}`", service.name),
            ]
        })
        .collect();
    table(&["Command", "Topic", "Sent by", "Obeyed by"], &rows)
}

fn replies(topics: &[&Topic]) -> String {
    let rows: Vec<Vec<String>> = topics
        .iter()
        .map(|topic| {
            vec![
                format!("`{}`", topic.name),
                format!("`{}`", topic.speaker),
                heard(topic),
            ]
        })
        .collect();
    table(&["Topic", "Sent by", "Heard by"], &rows)
}

fn heard(topic: &Topic) -> String {
    if topic.hearers.is_empty() {
        return "nobody in this system".to_owned();
    }
    let each = topic
        .hearers
        .iter()
        .map(|hearer| format!("`{}`: {}", hearer.service, hearer.how));
    each.collect::<Vec<_>>().join("; ")
}
