//! All attacks, by what they go for.

mod catalogue;
mod entry;
mod files;
mod links;
mod own;
mod roles;
mod server;
mod shadows;
mod shape;
mod tables;

use super::attack::Attack;
use crate::provision::identifier as sql;

/// Every attack, in the order they are run and listed.
pub fn all() -> impl Iterator<Item = &'static Attack> {
    [
        entry::ATTACKS,
        tables::ATTACKS,
        roles::ATTACKS,
        catalogue::ATTACKS,
        shadows::ATTACKS,
        links::ATTACKS,
        files::ATTACKS,
        server::ATTACKS,
        shape::ATTACKS,
        own::ATTACKS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::attack::Target;
    use super::all;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_kebab_case_and_each_is_used_once() {
        let mut seen = BTreeSet::new();
        for attack in all() {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(attack.name.chars().all(kebab), "{}", attack.name);
            assert!(seen.insert(attack.name), "{} twice", attack.name);
            assert_eq!(attack.name.starts_with("own-"), attack.target == Target::Own);
        }
    }
}
