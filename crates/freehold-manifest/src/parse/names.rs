//! The shapes of names: identifiers, `service.table`, `service.event`.

use super::reader::Reader;
use crate::declared::At;
use crate::model::{Placement, TableName};
use crate::names::Names;

/// PostgreSQL cuts longer names, in bytes.
const NAME_MAX: usize = 63;

/// Whether it is `[a-z][a-z0-9_]*` and fits PostgreSQL.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.len() <= NAME_MAX
}

/// Whether it is `<service>.<word>`: a command written whole.
pub(super) fn is_whole_name(name: &str) -> bool {
    name.split_once('.')
        .is_some_and(|(service, word)| is_identifier(service) && is_identifier(word))
}

impl Reader<'_> {
    /// Reports a name that is not an identifier.
    pub(super) fn identifier(&mut self, name: &At<String>, what: &str) {
        if is_identifier(&name.value) {
            return;
        }
        if name.value.len() > NAME_MAX {
            let message = format!("the {what} is {} bytes long", name.value.len());
            self.invalid(&name.span, message, "PostgreSQL keeps 63 bytes of a name", None);
            return;
        }
        let message = format!("`{}` cannot be a {what}", name.value);
        let better = identifier_like(&name.value).map(|better| format!("write `{better}`"));
        self.invalid(
            &name.span,
            message,
            "expected lowercase letters, digits and `_`, a letter first",
            better,
        );
    }

    /// Reports a service whose role names do not fit PostgreSQL.
    pub(super) fn role_names(&mut self, system: &str, service: &At<String>) {
        let names = Names::new(system, &service.value, Placement::Database);
        let longest = [names.owner, names.migrator, names.app, names.reader]
            .into_iter()
            .max_by_key(String::len)
            .unwrap_or_default();
        if longest.len() <= NAME_MAX || !is_identifier(&service.value) || !is_identifier(system) {
            return;
        }
        let message = format!("the role `{longest}` is {} bytes long", longest.len());
        let help = format!(
            "shorten the name of the system or of the service by {} bytes",
            longest.len() - NAME_MAX
        );
        self.invalid(
            &service.span,
            message,
            "PostgreSQL keeps 63 bytes of a name",
            Some(help),
        );
    }

    /// `service.table`.
    pub(super) fn table_name(&mut self, text: &At<String>, what: &str) -> Option<At<TableName>> {
        let parts: Vec<&str> = text.value.split('.').collect();
        if let [service, table] = parts[..]
            && is_identifier(service)
            && is_identifier(table)
        {
            let value = TableName {
                service: service.to_owned(),
                table: table.to_owned(),
            };
            return Some(At {
                value,
                span: text.span.clone(),
            });
        }
        let message = format!("{what} cannot be `{}`", text.value);
        self.invalid(&text.span, message, "expected `<service>.<table>`", None);
        None
    }
}

/// What the person may have meant: `Order-Items` → `order_items`.
fn identifier_like(name: &str) -> Option<String> {
    let mut better = String::new();
    for c in name.chars() {
        match c {
            'A'..='Z' => better.push(c.to_ascii_lowercase()),
            'a'..='z' | '0'..='9' | '_' => better.push(c),
            '-' | ' ' | '.' => better.push('_'),
            _ => return None,
        }
    }
    is_identifier(&better).then_some(better)
}
