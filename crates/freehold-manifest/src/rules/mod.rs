//! The static rules: one rule, one file, one page in `docs/checks`.

use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::source::Sources;

/// A rule and its explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Kebab-case name, as in findings.
    pub name: &'static str,
    /// What it refuses, in one line.
    pub summary: &'static str,
    /// The whole page, in Markdown.
    pub page: &'static str,
}

/// A rule with its page.
macro_rules! rule {
    ($name:literal, $summary:literal) => {
        $crate::rules::Rule {
            name: $name,
            summary: $summary,
            page: include_str!(concat!("../../../../docs/checks/", $name, ".md")),
        }
    };
}

// The texts can be read.
pub(crate) mod invalid_value;
pub(crate) mod manifest_syntax;
pub(crate) mod migration_syntax;
pub(crate) mod missing_value;
pub(crate) mod unknown_key;
pub(crate) mod wrong_type;
// The services are there.
pub(crate) mod duplicate_service;
mod missing_service;
pub(crate) mod password_in_manifest;
mod port_clash;
pub(crate) mod reserved_name;
// Every table has one owner.
mod missing_table;
mod two_owners;
mod unowned_table;
// A table, view or function is what its manifest says.
mod append_only_mutable;
mod hidden_published;
mod history_clash;
pub(crate) mod library_column;
mod missing_key;
mod missing_root;
mod projection_table;
mod unknown_column;
mod unknown_function;
mod unknown_stream;
mod unknown_view;
mod view_as_owner;
// Who is asking sees what is theirs.
mod function_as_owner;
mod public_writable;
mod table_without_policy;
// What crosses the wall is declared on both sides.
mod cached_without_ref;
mod clear_not_null;
mod duplicate_copy;
mod local_ref;
mod ref_without_copy;
mod unknown_command;
mod unknown_event;
mod unknown_service;
mod unknown_table;
mod unpublished_column;
// What was promised is kept.
mod command_gone;
mod contract_stale;
mod event_gone;
mod payload_narrowed;
mod promises;
mod published_column_gone;
mod published_column_retyped;
mod published_key_changed;
mod published_table_gone;
pub(crate) mod unsafe_migration;
// What is heard is handled.
mod behaviour_without_program;
// Nothing else crosses it.
mod cross_service_foreign_key;
mod cross_service_query;

const RULES: &[Rule] = &[
    append_only_mutable::RULE,
    behaviour_without_program::RULE,
    cached_without_ref::RULE,
    clear_not_null::RULE,
    command_gone::RULE,
    contract_stale::RULE,
    cross_service_foreign_key::RULE,
    cross_service_query::RULE,
    duplicate_copy::RULE,
    duplicate_service::RULE,
    event_gone::RULE,
    function_as_owner::RULE,
    hidden_published::RULE,
    history_clash::RULE,
    invalid_value::RULE,
    library_column::RULE,
    local_ref::RULE,
    manifest_syntax::RULE,
    migration_syntax::RULE,
    missing_key::RULE,
    missing_root::RULE,
    missing_service::RULE,
    missing_table::RULE,
    missing_value::RULE,
    password_in_manifest::RULE,
    payload_narrowed::RULE,
    port_clash::RULE,
    projection_table::RULE,
    public_writable::RULE,
    published_column_gone::RULE,
    published_column_retyped::RULE,
    published_key_changed::RULE,
    published_table_gone::RULE,
    ref_without_copy::RULE,
    reserved_name::RULE,
    table_without_policy::RULE,
    two_owners::RULE,
    unknown_column::RULE,
    unknown_command::RULE,
    unknown_event::RULE,
    unknown_function::RULE,
    unknown_key::RULE,
    unknown_service::RULE,
    unknown_stream::RULE,
    unknown_table::RULE,
    unknown_view::RULE,
    unowned_table::RULE,
    unpublished_column::RULE,
    unsafe_migration::RULE,
    view_as_owner::RULE,
    wrong_type::RULE,
];

/// A check of the whole declaration; rules about single values are asked while parsing.
type Check = fn(&Landscape<'_>, &mut Vec<Diagnostic>);

const CHECKS: &[Check] = &[
    append_only_mutable::check,
    behaviour_without_program::check,
    cached_without_ref::check,
    clear_not_null::check,
    command_gone::check,
    contract_stale::check,
    cross_service_foreign_key::check,
    cross_service_query::check,
    duplicate_copy::check,
    event_gone::check,
    function_as_owner::check,
    hidden_published::check,
    history_clash::check,
    library_column::check,
    local_ref::check,
    missing_key::check,
    missing_root::check,
    missing_table::check,
    payload_narrowed::check,
    port_clash::check,
    projection_table::check,
    public_writable::check,
    published_column_gone::check,
    published_column_retyped::check,
    published_key_changed::check,
    published_table_gone::check,
    ref_without_copy::check,
    reserved_name::check,
    table_without_policy::check,
    two_owners::check,
    unknown_column::check,
    unknown_command::check,
    unknown_event::check,
    unknown_function::check,
    unknown_service::check,
    unknown_stream::check,
    unknown_table::check,
    unknown_view::check,
    unowned_table::check,
    unpublished_column::check,
    view_as_owner::check,
];

/// The rules about broken promises: what they say of a declaration is not said again by others.
const PROMISES: &[&str] = &[
    command_gone::RULE.name,
    event_gone::RULE.name,
    payload_narrowed::RULE.name,
    published_column_gone::RULE.name,
    published_column_retyped::RULE.name,
    published_key_changed::RULE.name,
    published_table_gone::RULE.name,
];

/// All rules, by name.
#[must_use]
pub fn all() -> &'static [Rule] {
    RULES
}

/// The rule of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// The name of the rule most like `name`, if any is alike: for "did you mean".
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    crate::nearest::nearest(name, RULES.iter().map(|rule| rule.name))
}

/// Asks every rule about the whole declaration.
pub(crate) fn check(landscape: &Landscape<'_>, sources: &Sources, found: &mut Vec<Diagnostic>) {
    missing_service::check(landscape, sources, found);
    for check in CHECKS {
        check(landscape, found);
    }
    promises::speak_first(found, PROMISES);
}
