//! What takes a program: its name, the commands it sends, the commands it obeys.

use toml_edit::Item;

use super::fields::Fields;
use super::is_identifier;
use super::names::is_whole_name;
use super::reader::Reader;
use crate::declared::{At, DeclaredCommand, Listed};

/// The command itself: it runs the services that have no program.
const FREEHOLD: &str = "freehold";

impl Reader<'_> {
    /// Reports a program that is not the bare name of an executable.
    pub(super) fn executable(&mut self, program: &At<String>) {
        let name = &program.value;
        let mut bytes = name.bytes();
        let shaped = bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if shaped && name != FREEHOLD {
            return;
        }
        let (label, help) = if shaped {
            let help = "a service without behaviour of its own names no program: remove the line";
            ("the command itself", Some(help))
        } else if name.contains(['/', '\\']) {
            let help = "write its name alone: it is looked for in FREEHOLD_PROGRAMS, beside `freehold` and in PATH";
            ("a path", Some(help))
        } else if name.contains(char::is_whitespace) {
            let help = "write its name alone: it is told by its environment, not by arguments";
            ("expected a name without arguments", Some(help))
        } else {
            ("expected letters, digits, `-` and `_`, a letter or digit first", None)
        };
        let message = format!("`{name}` cannot be a program");
        self.invalid(&program.span, message, label, help.map(str::to_owned));
    }
}

/// `program` of a service.
pub(super) fn program(reader: &mut Reader<'_>, root: &Fields<'_>) -> Option<At<String>> {
    root.get("program")?;
    let Some(program) = reader.string(root, "program") else {
        // Some program is meant: nobody need hear besides that there is none.
        return Some(At {
            value: String::new(),
            span: root.key_span("program"),
        });
    };
    reader.executable(&program);
    Some(program)
}

/// `sends`.
pub(super) fn sends(reader: &mut Reader<'_>, root: &Fields<'_>) -> Listed {
    let mut sends = reader.strings(root, "sends");
    reader.distinct(&mut sends, "`sends`");
    let (shaped, misshaped) = std::mem::take(&mut sends.items)
        .into_iter()
        .partition::<Vec<_>, _>(|command| is_whole_name(&command.value));
    sends.items = shaped;
    for command in misshaped {
        let message = format!("`{}` is not a command", command.value);
        reader.invalid(&command.span, message, "expected `<service>.<imperative>`", None);
        sends.complete = false;
    }
    sends
}

/// `[commands]` of `service`; `whole` becomes false if one could not be read.
pub(super) fn commands(
    reader: &mut Reader<'_>,
    root: &Fields<'_>,
    service: &str,
    whole: &mut bool,
) -> Vec<DeclaredCommand> {
    let Some(all) = reader.table(root, "commands") else {
        *whole &= root.get("commands").is_none();
        return Vec::new();
    };
    let mut commands = Vec::new();
    for name in all.keys() {
        match command(reader, &all, service, name) {
            Some(command) => commands.push(command),
            None => *whole = false,
        }
    }
    commands
}

fn command(reader: &mut Reader<'_>, all: &Fields<'_>, service: &str, name: At<String>) -> Option<DeclaredCommand> {
    if !is_named(reader, all, service, &name) {
        return None;
    }
    let fields = reader.table(all, &name.value)?;
    reader.only(&fields, &["from"]);
    if fields.get("from").is_none() {
        reader.missing(&fields, "from", "from = [\"order\"]");
        return None;
    }
    let mut from = reader.strings(&fields, "from");
    reader.distinct(&mut from, &fields.path("from"));
    if from.items.is_empty() && from.complete {
        let message = format!("{} is empty", fields.path("from"));
        let help = "name the services that send it, or remove the command".to_owned();
        reader.invalid(&fields.key_span("from"), message, "nobody may send it", Some(help));
    }
    for sender in &from.items {
        reader.identifier(sender, "service name");
        from.complete &= is_identifier(&sender.value);
    }
    from.items.retain(|sender| is_identifier(&sender.value));
    Some(DeclaredCommand { name, from })
}

/// Whether a key of `[commands]` is the whole name of a command of `service`; if not, says so.
fn is_named(reader: &mut Reader<'_>, all: &Fields<'_>, service: &str, name: &At<String>) -> bool {
    let nested = nested(all, &name.value);
    if !nested.is_empty() {
        for imperative in nested {
            let whole = format!("{}.{}", name.value, imperative.value);
            let message = format!("the command `{whole}` is written without quotes");
            let help = format!("write `\"{whole}\" = {{ from = [\"order\"] }}` under `[commands]`");
            let label = "without quotes, a dot begins a table in a table";
            reader.invalid(&imperative.span, message, label, Some(help));
        }
        return false;
    }
    let (owner, imperative) = name.value.split_once('.').unwrap_or(("", &name.value));
    if owner == service && is_identifier(imperative) {
        return true;
    }
    let message = format!("`{service}` cannot obey `{}`", name.value);
    let help = if is_identifier(owner) && owner != service {
        Some(format!(
            "only `{owner}` obeys commands of `{owner}`; to send it, list it in `sends`"
        ))
    } else {
        (owner.is_empty() && is_identifier(imperative))
            .then(|| format!("write the whole name, in quotes: `\"{service}.{imperative}\"`"))
    };
    let label = format!("expected `\"{service}.<imperative>\"`");
    reader.invalid(&name.span, message, &label, help);
    false
}

/// The tables inside an entry: there are some where a name was written without quotes, as TOML takes its dot for a step.
fn nested(all: &Fields<'_>, name: &str) -> Vec<At<String>> {
    if name.contains('.') {
        return Vec::new();
    }
    let Some(table) = all.get(name).and_then(Item::as_table_like) else {
        return Vec::new();
    };
    let inner = all.child(name, table);
    let mut keys = inner.keys();
    keys.retain(|key| inner.get(&key.value).is_some_and(Item::is_table_like));
    keys
}
