//! What is refused before the parser sees it: the parser recurses, and nobody's input may choose our stack.

use super::lex::{Kind, tokens};

/// Longest migration read, in bytes: past it lies generated data, which has no place in the shape of tables.
const MIGRATION_BYTES_MAX: usize = 4 << 20;
/// Deepest nesting of brackets read; people stop at ten.
const NESTING_MAX: usize = 200;
/// Most tokens between two commas or semicolons, over all open brackets: the depth of a tree is never more, and the parser takes its square in time.
const CHAIN_MAX: usize = 2_000;

/// Why a migration is not read; none if it is.
pub(crate) fn refusal(sql: &str) -> Option<String> {
    if sql.len() > MIGRATION_BYTES_MAX {
        return Some(format!("it is longer than {} MiB", MIGRATION_BYTES_MAX >> 20));
    }
    let bodies = tokens(sql)
        .filter(|token| token.kind == Kind::Text)
        .map(|token| &sql[token.inner]);
    std::iter::once(sql).chain(bodies).find_map(depth)
}

fn depth(sql: &str) -> Option<String> {
    // Tokens of the current chain, one count per open bracket.
    let mut chains = vec![0_usize];
    let mut total = 0_usize;
    for token in tokens(sql) {
        match token.kind {
            Kind::Mark(b'(' | b'[') => chains.push(0),
            Kind::Mark(b')' | b']') if chains.len() > 1 => total -= chains.pop().unwrap_or_default(),
            Kind::Mark(b',' | b';') => {
                if let Some(chain) = chains.last_mut() {
                    total -= std::mem::take(chain);
                }
            }
            _ => {}
        }
        if let Some(chain) = chains.last_mut() {
            *chain += 1;
            total += 1;
        }
        if chains.len() > NESTING_MAX {
            return Some(format!("its brackets nest deeper than {NESTING_MAX}"));
        }
        if total > CHAIN_MAX {
            return Some(format!("one of its expressions has more than {CHAIN_MAX} parts"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_pass_and_deep_trees_do_not() {
        let rows = "(1, 'a'), ".repeat(50_000);
        assert_eq!(refusal(&format!("insert into t values {rows} (1, 'a');")), None);
        assert!(refusal(&"(".repeat(10_000)).is_some());
        assert!(refusal(&format!("select {} 1", "not ".repeat(10_000))).is_some());
        assert!(
            refusal(&format!(
                "create function f() language sql as $$ {} $$",
                "(".repeat(10_000)
            ))
            .is_some()
        );
    }
}
