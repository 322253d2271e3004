//! Smaller questions, one step each: of one that fails, the smallest that still fails is shown.

use super::question::{Clause, Embed, Item, Node, Question};
use super::scene::Scene;

/// Questions that lack one part of this one each.
pub(super) fn smaller(question: &Question, scene: &Scene) -> Vec<Question> {
    let nodes = nodes(&question.node);
    let mut found: Vec<Question> = nodes
        .into_iter()
        .map(|node| Question {
            node,
            ..question.clone()
        })
        .collect();
    if question.counted {
        found.push(Question {
            counted: false,
            ..question.clone()
        });
    }
    found.retain(|q| q.node.is_sound(q.table, scene));
    found
}

fn nodes(node: &Node) -> Vec<Node> {
    let mut found = Vec::new();
    let mut add = |change: &dyn Fn(&mut Node)| {
        let mut smaller = node.clone();
        change(&mut smaller);
        found.push(smaller);
    };
    for place in 0..node.select.len() {
        add(&|n| drop(n.select.remove(place)));
    }
    for place in 0..node.filters.len() {
        add(&|n| drop(n.filters.remove(place)));
    }
    for place in 0..node.order.len() {
        // What is grouped by is sorted by.
        if !node.is_aggregated() {
            add(&|n| drop(n.order.remove(place)));
        }
    }
    if node.limit.is_some() {
        add(&|n| n.limit = None);
    }
    if node.offset.is_some() {
        add(&|n| n.offset = None);
    }
    for (place, clause) in node.filters.iter().enumerate() {
        for other in clauses(clause) {
            add(&|n| n.filters[place] = other.clone());
        }
    }
    for (place, item) in node.select.iter().enumerate() {
        for other in items(item) {
            add(&|n| n.select[place] = other.clone());
        }
    }
    found
}

fn clauses(clause: &Clause) -> Vec<Clause> {
    match clause {
        Clause::Test(filter) => {
            let mut plain = filter.clone();
            let negated = std::mem::take(&mut plain.negated);
            if negated { vec![Clause::Test(plain)] } else { vec![] }
        }
        Clause::Related { .. } => vec![],
        Clause::Tree {
            or,
            negated,
            clauses: of,
        } => {
            let mut found = of.clone();
            let tree = |negated, clauses| Clause::Tree {
                or: *or,
                negated,
                clauses,
            };
            if *negated {
                found.push(tree(false, of.clone()));
            }
            for place in 0..of.len() {
                let mut fewer = of.clone();
                let one = fewer.remove(place);
                if !fewer.is_empty() {
                    found.push(tree(*negated, fewer));
                }
                for other in clauses(&one) {
                    let mut changed = of.clone();
                    changed[place] = other;
                    found.push(tree(*negated, changed));
                }
            }
            found
        }
    }
}

fn items(item: &Item) -> Vec<Item> {
    match item {
        Item::All => vec![],
        Item::Count { alias, .. } => alias
            .iter()
            .map(|_| Item::Count {
                alias: None,
                cast: None,
            })
            .collect(),
        Item::Column(chosen) => {
            let mut found = Vec::new();
            let mut add = |change: &dyn Fn(&mut super::question::Chosen)| {
                let mut smaller = chosen.clone();
                change(&mut smaller);
                found.push(Item::Column(smaller));
            };
            if chosen.alias.is_some() {
                add(&|c| c.alias = None);
            }
            if chosen.cast.is_some() {
                add(&|c| c.cast = None);
            }
            for place in 0..chosen.field.path.len() {
                add(&|c| drop(c.field.path.remove(place)));
            }
            found
        }
        Item::Embed(embed) => {
            let with = |node| Item::Embed(Embed { node, ..embed.clone() });
            let mut found: Vec<Item> = nodes(&embed.node).into_iter().map(with).collect();
            if embed.spread {
                found.push(Item::Embed(Embed {
                    spread: false,
                    ..embed.clone()
                }));
            }
            found
        }
    }
}
