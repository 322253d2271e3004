//! Views, followed from statement to statement: their columns as far as the query tells them, and whose rights they read with.

use squawk_syntax::ast::{self, AlterViewAction, AstNode, Expr, SelectVariant};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::columns::{child, column_names, text, trimmed};
use super::names::fold;
use super::{Schema, SqlName, SqlPlace};

/// A view.
#[derive(Debug, Clone)]
pub(crate) struct SqlView {
    pub(crate) name: SqlName,
    /// In the order of the view; none if not all of them can be told.
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) sort: ViewSort,
    pub(crate) rights: Rights,
    pub(crate) at: SqlPlace,
}

/// Whether a view is its query, or what the query once gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewSort {
    /// A plain one.
    Plain,
    /// A materialised one.
    Materialised,
}

/// With whose rights a view reads, or a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Those of whoever asks (`security_invoker`, `security invoker`).
    Invoker,
    /// Those of its owner.
    Owner,
}

/// `create [or replace] view`, `create materialized view`.
pub(super) fn create(schema: &mut Schema, file: usize, node: &SyntaxNode) {
    let Some(name_node) = child(node, SyntaxKind::VIEW) else {
        return;
    };
    let Some(name) = SqlName::of(&name_node) else {
        return;
    };
    schema.created.insert(name.name.clone());
    if node.descendants().any(|n| n.kind() == SyntaxKind::TEMP) {
        return;
    }
    let plain = ast::CreateView::cast(node.clone());
    let at = SqlPlace {
        file,
        span: trimmed(&name_node),
    };
    let view = SqlView {
        columns: plain.as_ref().and_then(columns),
        sort: match plain {
            Some(_) => ViewSort::Plain,
            None => ViewSort::Materialised,
        },
        rights: child(node, SyntaxKind::WITH_PARAMS)
            .and_then(|with| rights(&with))
            .unwrap_or(Rights::Owner),
        name,
        at,
    };
    match position(schema, &view.name) {
        Some(known) => {
            if let Some(known) = schema.views.get_mut(known) {
                *known = view;
            }
        }
        None => schema.views.push(view),
    }
}

/// `drop view`, `drop materialized view`.
pub(super) fn drop_views(schema: &mut Schema, node: &SyntaxNode) {
    for name in node.children().filter(|n| n.kind() == SyntaxKind::VIEW_REF) {
        if let Some(at) = SqlName::of(&name).and_then(|name| position(schema, &name)) {
            schema.views.remove(at);
        }
    }
}

/// `alter view`.
pub(super) fn alter(schema: &mut Schema, node: &SyntaxNode) {
    let found = child(node, SyntaxKind::VIEW_REF)
        .and_then(|name| SqlName::of(&name))
        .and_then(|name| position(schema, &name));
    let Some(at) = found else {
        return;
    };
    let Schema { views, created, .. } = schema;
    let Some(view) = views.get_mut(at) else {
        return;
    };
    for action in node.children().filter_map(AlterViewAction::cast) {
        let node = action.syntax();
        match action {
            AlterViewAction::ViewRenameTo(_) => {
                if let Some(new) = child(node, SyntaxKind::VIEW).and_then(|new| SqlName::of(&new)) {
                    created.insert(new.name.clone());
                    view.name.name = new.name;
                }
            }
            AlterViewAction::RenameColumn(_) => {
                let old = column_names(node).into_iter().next();
                let new = child(node, SyntaxKind::COLUMN_NAME).map(|new| fold(&text(&new)));
                let columns = view.columns.iter_mut().flatten();
                if let (Some(old), Some(new)) = (old, new)
                    && let Some(column) = columns.into_iter().find(|column| **column == old)
                {
                    *column = new;
                }
            }
            AlterViewAction::SetOptions(_) => view.rights = rights(node).unwrap_or(view.rights),
            AlterViewAction::ResetOptions(_) if rights(node).is_some() => view.rights = Rights::Owner,
            AlterViewAction::SetSchema(_) => view.name.schema = node.children().next().map(|n| fold(&text(&n))),
            _ => {}
        }
    }
}

/// `alter table … rename to`, which PostgreSQL takes for a view too.
pub(super) fn rename(schema: &mut Schema, old: &SqlName, new: &SqlName) {
    if let Some(view) = position(schema, old).and_then(|at| schema.views.get_mut(at)) {
        view.name.name.clone_from(&new.name);
        schema.created.insert(new.name.clone());
    }
}

fn position(schema: &Schema, name: &SqlName) -> Option<usize> {
    schema.views.iter().position(|view| view.name.is_same(name))
}

/// What `with (…)` says about rights; none if it says nothing.
fn rights(node: &SyntaxNode) -> Option<Rights> {
    let options = node.descendants().filter_map(ast::AttributeOption::cast);
    let invoker = options.into_iter().find(|option| {
        option
            .name()
            .is_some_and(|name| fold(&text(name.syntax())) == "security_invoker")
    })?;
    let value = invoker
        .attribute_value()
        .map(|value| text(value.syntax()).trim_matches('\'').to_lowercase());
    match value.as_deref() {
        Some("false" | "off" | "no" | "0") => Some(Rights::Owner),
        _ => Some(Rights::Invoker),
    }
}

/// The columns of a view; none if not all of them can be told.
fn columns(view: &ast::CreateView) -> Option<Vec<String>> {
    let listed: Vec<String> = view
        .column_list()
        .iter()
        .flat_map(ast::ColumnList::column_names)
        .map(|name| fold(&text(name.syntax())))
        .collect();
    if view.recursive_token().is_some() {
        return Some(listed);
    }
    // The list may be shorter than what the query gives; the rest keeps the query's names.
    let given = given(&view.query()?)?;
    let rest = given.into_iter().skip(listed.len());
    listed.into_iter().map(Some).chain(rest).collect()
}

/// The columns that a query gives, none for a name that only the server knows; none for all if not even their number is told.
fn given(query: &SelectVariant) -> Option<Vec<Option<String>>> {
    match query {
        SelectVariant::Select(select) => select
            .select_clause()?
            .target_list()?
            .targets()
            .map(|target| {
                if target.star_token().is_some() {
                    return None;
                }
                let expression = target.expr()?;
                if matches!(&expression, Expr::FieldExpr(field) if field.star_token().is_some()) {
                    return None;
                }
                match target.as_name() {
                    Some(name) => Some(Some(fold(&text(name.name()?.syntax())))),
                    None => Some(name_of(&expression)),
                }
            })
            .collect(),
        SelectVariant::ParenSelect(inner) => given(&inner.select()?),
        SelectVariant::CompoundSelect(compound) => given(&compound.lhs()?),
        SelectVariant::SelectInto(_) | SelectVariant::Table(_) | SelectVariant::Values(_) => None,
    }
}

/// The name a column has without `as`, where it follows from the expression alone.
fn name_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::NameRef(name) => Some(fold(&text(name.syntax()))),
        Expr::FieldExpr(field) => Some(fold(&text(field.field()?.syntax()))),
        Expr::ParenExpr(inner) => name_of(&inner.expr()?),
        // A cast has the name of a column; that of anything else it may be called by its type.
        Expr::CastExpr(cast) => match cast.expr()? {
            column @ (Expr::NameRef(_) | Expr::FieldExpr(_)) => name_of(&column),
            _ => None,
        },
        _ => None,
    }
}
