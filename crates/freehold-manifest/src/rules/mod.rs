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
pub(crate) mod library_column;
mod missing_key;
mod missing_root;
mod unknown_column;
mod unknown_function;
mod unknown_view;
mod view_as_owner;
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
    cross_service_foreign_key::RULE,
    cross_service_query::RULE,
    duplicate_copy::RULE,
    duplicate_service::RULE,
    hidden_published::RULE,
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
    port_clash::RULE,
    ref_without_copy::RULE,
    reserved_name::RULE,
    two_owners::RULE,
    unknown_column::RULE,
    unknown_command::RULE,
    unknown_event::RULE,
    unknown_function::RULE,
    unknown_key::RULE,
    unknown_service::RULE,
    unknown_table::RULE,
    unknown_view::RULE,
    unowned_table::RULE,
    unpublished_column::RULE,
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
    cross_service_foreign_key::check,
    cross_service_query::check,
    duplicate_copy::check,
    hidden_published::check,
    library_column::check,
    local_ref::check,
    missing_key::check,
    missing_root::check,
    missing_table::check,
    port_clash::check,
    ref_without_copy::check,
    reserved_name::check,
    two_owners::check,
    unknown_column::check,
    unknown_command::check,
    unknown_event::check,
    unknown_function::check,
    unknown_service::check,
    unknown_table::check,
    unknown_view::check,
    unowned_table::check,
    unpublished_column::check,
    view_as_owner::check,
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
}
