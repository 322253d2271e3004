//! The contract as a file.

use std::fmt::Write;

use super::{Contract, PublishedColumn};

impl Contract {
    /// The text of `contract.toml`; the same contract gives the same text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# What `{}` promises other services. Written by `freehold check --accept`; to be committed, not edited.\n\
             service   = \"{}\"\n\
             migration = {}\n\
             events    = {}\n",
            self.service,
            self.service,
            self.migration,
            list(&self.events)
        );
        // Writing to a string does not fail.
        if !self.commands.is_empty() {
            text.push_str("\n[commands]\n");
        }
        for command in &self.commands {
            let _ = writeln!(text, "\"{}\" = {}", command.name, list(&command.from));
        }
        for (event, fields) in &self.payloads {
            let _ = writeln!(text, "\n[payloads.\"{event}\"]");
            columns(&mut text, fields);
        }
        for table in &self.tables {
            let _ = writeln!(text, "\n[tables.{}]\nkey = {}", table.name, list(&table.key));
            let _ = writeln!(text, "\n[tables.{}.columns]", table.name);
            columns(&mut text, &table.columns);
        }
        text
    }
}

fn columns(text: &mut String, columns: &[PublishedColumn]) {
    for column in columns {
        let _ = writeln!(text, "{} = {}", key(&column.name), quoted(&column.ty));
    }
}

fn list(values: &[String]) -> String {
    let each: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", each.join(", "))
}

/// Columns may have any name that SQL lets them have.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
