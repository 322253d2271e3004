//! Policies, followed from statement to statement: which tables have some.

use squawk_syntax::ast::{AlterPolicy, AstNode, CreatePolicy, DropPolicy, OnTable};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::columns::{child, text};
use super::names::fold;
use super::{Schema, SqlName, SqlTable};

/// `create policy`.
pub(super) fn create(schema: &mut Schema, node: &SyntaxNode) {
    let Some(policy) = CreatePolicy::cast(node.clone()) else {
        return;
    };
    if let Some(name) = policy.policy()
        && let Some(table) = table(schema, policy.on_table())
    {
        table.policies.push(fold(&text(name.syntax())));
    }
}

/// `alter policy … rename to`.
pub(super) fn alter(schema: &mut Schema, node: &SyntaxNode) {
    let Some(policy) = AlterPolicy::cast(node.clone()) else {
        return;
    };
    let old = child(node, SyntaxKind::POLICY_REF).map(|name| fold(&text(&name)));
    let new = node.descendants().find(|n| n.kind() == SyntaxKind::POLICY);
    if let (Some(old), Some(new)) = (old, new)
        && let Some(table) = table(schema, policy.on_table())
        && let Some(known) = table.policies.iter_mut().find(|known| **known == old)
    {
        *known = fold(&text(&new));
    }
}

/// `drop policy`.
pub(super) fn drop_policy(schema: &mut Schema, node: &SyntaxNode) {
    let Some(policy) = DropPolicy::cast(node.clone()) else {
        return;
    };
    if let Some(name) = policy.policy_ref()
        && let Some(table) = table(schema, policy.on_table())
    {
        let name = fold(&text(name.syntax()));
        table.policies.retain(|known| *known != name);
    }
}

fn table(schema: &mut Schema, on: Option<OnTable>) -> Option<&mut SqlTable> {
    let name = SqlName::of(on?.table_name_ref()?.syntax())?;
    schema.tables.iter_mut().find(|table| table.name.is_same(&name))
}
