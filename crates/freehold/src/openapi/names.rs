//! Names within the document: of components, and of operations.

use std::collections::BTreeSet;

/// A name as a component may have it: everything but letters, digits, `_`, `-` and `.` becomes `_`.
pub(super) fn component(name: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars().map(|c| if kept(c) { c } else { '_' }).collect()
}

/// Names that were given, so that none is given twice.
#[derive(Debug, Default)]
pub(super) struct Given(BTreeSet<String>);

impl Given {
    /// The name, or the first of `name_2`, `name_3` … that is free.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let name = component(name);
        let mut candidate = name.clone();
        let mut number = 1_usize;
        while !self.0.insert(candidate.clone()) {
            number += 1;
            candidate = format!("{name}_{number}");
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_once() {
        let mut given = Given::default();
        assert_eq!(given.unique("a b"), "a_b");
        assert_eq!(given.unique("a_b"), "a_b_2");
        assert_eq!(given.unique("a/b"), "a_b_3");
    }
}
