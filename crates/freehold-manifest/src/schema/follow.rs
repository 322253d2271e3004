//! One statement after the other, as the database would run them.

use squawk_syntax::ast::{self, AlterTableAction, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::columns::{self, Keys, child, column_names, text, trimmed};
use super::names::fold;
use super::tables::TableRole;
use super::{RowSecurity, Schema, SqlName, SqlPlace, SqlTable, changes, functions, policies, views};

/// Applies a statement to the schema.
pub(crate) fn statement(schema: &mut Schema, file: usize, node: &SyntaxNode) {
    changes::of_statement(schema, file, node);
    match node.kind() {
        SyntaxKind::CREATE_TABLE | SyntaxKind::CREATE_FOREIGN_TABLE => create_table(schema, file, node),
        SyntaxKind::CREATE_TABLE_AS => create_unknown(schema, file, node),
        SyntaxKind::SELECT_INTO => {
            if let Some(into) = child(node, SyntaxKind::INTO_CLAUSE) {
                create_unknown(schema, file, &into);
            }
        }
        SyntaxKind::CREATE_VIEW | SyntaxKind::CREATE_MATERIALIZED_VIEW => views::create(schema, file, node),
        SyntaxKind::DROP_VIEW | SyntaxKind::DROP_MATERIALIZED_VIEW => views::drop_views(schema, node),
        SyntaxKind::ALTER_VIEW => views::alter(schema, node),
        SyntaxKind::CREATE_FUNCTION => functions::create(schema, file, node),
        SyntaxKind::DROP_FUNCTION | SyntaxKind::DROP_ROUTINE => functions::drop_functions(schema, node),
        SyntaxKind::ALTER_FUNCTION => functions::alter(schema, node),
        SyntaxKind::CREATE_POLICY => policies::create(schema, node),
        SyntaxKind::ALTER_POLICY => policies::alter(schema, node),
        SyntaxKind::DROP_POLICY => policies::drop_policy(schema, node),
        SyntaxKind::ALTER_TABLE => alter_table(schema, file, node),
        SyntaxKind::DROP_TABLE => {
            for name in node.children().filter(|n| n.kind() == SyntaxKind::TABLE_NAME_REF) {
                if let Some(name) = SqlName::of(&name) {
                    drop_table(schema, &name);
                }
            }
        }
        _ => {}
    }
}

fn new_table(name: SqlName, node: &SyntaxNode, at: SqlPlace) -> SqlTable {
    let temporary = node.children().any(|n| n.kind() == SyntaxKind::TEMP);
    let partition = child(node, SyntaxKind::PARTITION_OF).is_some();
    SqlTable {
        name,
        columns: Vec::new(),
        columns_known: true,
        key: Vec::new(),
        key_name: None,
        role: if temporary || partition {
            TableRole::Part
        } else {
            TableRole::Ordinary
        },
        row_security: RowSecurity::Disabled,
        policies: Vec::new(),
        at,
    }
}

/// The name a statement creates, unless it exists.
fn created(schema: &mut Schema, file: usize, node: &SyntaxNode) -> Option<SqlTable> {
    let name_node = node.descendants().find(|n| n.kind() == SyntaxKind::TABLE_NAME)?;
    let name = SqlName::of(&name_node)?;
    schema.created.insert(name.name.clone());
    if position(schema, &name).is_some() {
        return None;
    }
    let at = SqlPlace {
        file,
        span: trimmed(&name_node),
    };
    Some(new_table(name, node, at))
}

fn create_table(schema: &mut Schema, file: usize, node: &SyntaxNode) {
    let Some(mut table) = created(schema, file, node) else {
        return;
    };
    let mut keys = Keys::new();
    for inherited in [SyntaxKind::INHERITS, SyntaxKind::PARTITION_OF, SyntaxKind::OF_TYPE] {
        table.columns_known &= child(node, inherited).is_none();
    }
    let arguments = child(node, SyntaxKind::TABLE_ARG_LIST);
    for argument in arguments.iter().flat_map(|list| list.children()) {
        match argument.kind() {
            SyntaxKind::COLUMN => columns::add_column(&mut table, &mut keys, file, &argument),
            SyntaxKind::LIKE_CLAUSE => table.columns_known = false,
            _ => columns::add_constraint(&mut table, &mut keys, file, &argument),
        }
    }
    schema.tables.push(table);
    schema.foreign_keys.append(&mut keys);
}

/// A table whose columns are a query's.
fn create_unknown(schema: &mut Schema, file: usize, node: &SyntaxNode) {
    if let Some(mut table) = created(schema, file, node) {
        table.columns_known = false;
        schema.tables.push(table);
    }
}

fn position(schema: &Schema, name: &SqlName) -> Option<usize> {
    schema.tables.iter().position(|table| table.name.is_same(name))
}

fn drop_table(schema: &mut Schema, name: &SqlName) {
    if let Some(at) = position(schema, name) {
        schema.tables.remove(at);
        schema
            .foreign_keys
            .retain(|key| key.table != name.name && key.to.name != name.name);
    }
}

fn alter_table(schema: &mut Schema, file: usize, node: &SyntaxNode) {
    let Some(alter) = ast::AlterTable::cast(node.clone()) else {
        return;
    };
    let name = alter
        .table_relation_name()
        .and_then(|relation| child(relation.syntax(), SyntaxKind::TABLE_NAME_REF));
    let Some(name) = name.as_ref().and_then(SqlName::of) else {
        return;
    };
    let Some(at) = position(schema, &name) else {
        for action in alter.actions() {
            if let Some(new) = child(action.syntax(), SyntaxKind::TABLE_NAME)
                .as_ref()
                .and_then(SqlName::of)
            {
                views::rename(schema, &name, &new);
            }
        }
        return;
    };
    for action in alter.actions() {
        act(schema, at, file, &action);
    }
}

fn act(schema: &mut Schema, at: usize, file: usize, action: &AlterTableAction) {
    let node = action.syntax();
    let Schema {
        tables,
        foreign_keys,
        created,
        ..
    } = schema;
    let Some(table) = tables.get_mut(at) else {
        return;
    };
    match action {
        AlterTableAction::AddColumn(_) => columns::add_column(table, foreign_keys, file, node),
        AlterTableAction::AddConstraint(_) => {
            for constraint in node.children() {
                columns::add_constraint(table, foreign_keys, file, &constraint);
            }
        }
        AlterTableAction::DropColumn(_) => {
            let dropped = column_names(node);
            table.columns.retain(|column| !dropped.contains(&column.name));
            if table.key.iter().any(|key| dropped.contains(key)) {
                table.key.clear();
            }
            let name = &table.name.name;
            foreign_keys.retain(|key| &key.table != name || !key.columns.iter().any(|c| dropped.contains(c)));
        }
        AlterTableAction::AlterColumn(_) => alter_column(table, node),
        AlterTableAction::DropConstraint(_) => {
            let names: Vec<String> = node.children().map(|n| fold(&text(&n))).collect();
            if table.key_name.as_ref().is_some_and(|name| names.contains(name)) {
                table.key.clear();
            }
            let of = &table.name.name;
            foreign_keys.retain(|key| &key.table != of || !key.name.as_ref().is_some_and(|name| names.contains(name)));
        }
        AlterTableAction::RenameColumn(_) => {
            let old = column_names(node).into_iter().next();
            let new = child(node, SyntaxKind::COLUMN_NAME);
            if let (Some(old), Some(new)) = (old, new) {
                let renamed = SqlPlace {
                    file,
                    span: trimmed(&new),
                };
                rename_column(table, foreign_keys, &old, &fold(&text(&new)), renamed);
            }
        }
        AlterTableAction::TableRenameTo(_) => {
            let Some(new) = child(node, SyntaxKind::TABLE_NAME).as_ref().and_then(SqlName::of) else {
                return;
            };
            for key in foreign_keys.iter_mut() {
                if key.table == table.name.name {
                    key.table.clone_from(&new.name);
                }
                if key.to.name == table.name.name {
                    key.to.name.clone_from(&new.name);
                }
            }
            created.insert(new.name.clone());
            table.name.name = new.name;
            table.at = SqlPlace {
                file,
                span: trimmed(node),
            };
        }
        AlterTableAction::SetSchema(_) => table.name.schema = node.children().next().map(|n| fold(&text(&n))),
        AlterTableAction::AttachPartition(_) => {
            let part = node.descendants().find(|n| n.kind() == SyntaxKind::TABLE_NAME_REF);
            if let Some(at) = part
                .as_ref()
                .and_then(SqlName::of)
                .and_then(|name| position(schema, &name))
            {
                schema.tables[at].role = TableRole::Part;
            }
        }
        AlterTableAction::EnableRls(_) => table.row_security = RowSecurity::Enabled,
        AlterTableAction::DisableRls(_) => table.row_security = RowSecurity::Disabled,
        AlterTableAction::InheritTable(_) | AlterTableAction::OfType(_) => table.columns_known = false,
        _ => {}
    }
}

fn alter_column(table: &mut SqlTable, node: &SyntaxNode) {
    let Some(name) = column_names(node).into_iter().next() else {
        return;
    };
    let Some(column) = table.columns.iter_mut().find(|column| column.name == name) else {
        return;
    };
    for change in node.children() {
        match change.kind() {
            SyntaxKind::SET_NOT_NULL => column.not_null = true,
            SyntaxKind::DROP_NOT_NULL => column.not_null = false,
            SyntaxKind::SET_TYPE => {
                if let Some(ty) = change.children().find(|n| ast::Type::can_cast(n.kind())) {
                    column.ty = columns::type_text(&ty);
                }
            }
            _ => {}
        }
    }
}

fn rename_column(table: &mut SqlTable, keys: &mut Keys, old: &str, new: &str, at: SqlPlace) {
    if let Some(column) = table.columns.iter_mut().find(|column| column.name == old) {
        new.clone_into(&mut column.name);
        column.at = at;
    }
    let of_keys = keys
        .iter_mut()
        .filter(|key| key.table == table.name.name)
        .flat_map(|key| &mut key.columns);
    for name in table.key.iter_mut().chain(of_keys) {
        if name == old {
            new.clone_into(name);
        }
    }
}
