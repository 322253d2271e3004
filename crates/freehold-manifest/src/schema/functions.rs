//! Functions, followed from statement to statement: their names, and enough of their arguments to tell overloads apart.

use squawk_syntax::ast::{self, AlterFunctionAction, AstNode, ParamMode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::columns::{child, text, trimmed, type_text};
use super::names::fold;
use super::{Rights, Schema, SqlName, SqlPlace};

/// A function.
#[derive(Debug, Clone)]
pub(crate) struct SqlFunction {
    pub(crate) name: SqlName,
    /// The types of what it takes, by one name each.
    takes: Vec<String>,
    pub(crate) caller: Caller,
    /// With whose rights it runs.
    pub(crate) rights: Rights,
    pub(crate) at: SqlPlace,
}

/// Who calls a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Any statement.
    Statement,
    /// A trigger only.
    Trigger,
}

/// Types that have two names, and the one compared here.
const ALIASES: &[(&str, &str)] = &[
    ("bigint", "int8"),
    ("bool", "boolean"),
    ("character varying", "varchar"),
    ("decimal", "numeric"),
    ("double precision", "float8"),
    ("int", "integer"),
    ("int4", "integer"),
    ("real", "float4"),
    ("smallint", "int2"),
    ("timestamp with time zone", "timestamptz"),
    ("timestamp without time zone", "timestamp"),
];

/// `create [or replace] function`.
pub(super) fn create(schema: &mut Schema, file: usize, node: &SyntaxNode) {
    let Some(function) = ast::CreateFunction::cast(node.clone()) else {
        return;
    };
    let Some(name_node) = child(node, SyntaxKind::FUNCTION_NAME) else {
        return;
    };
    let Some(name) = SqlName::of(&name_node) else {
        return;
    };
    let returned = function.ret_type().and_then(|returns| returns.func_type());
    let returned = returned.map(|of| type_text(of.syntax()));
    let function = SqlFunction {
        takes: takes(node),
        caller: match returned.as_deref() {
            Some("trigger" | "event_trigger") => Caller::Trigger,
            _ => Caller::Statement,
        },
        rights: rights(node).unwrap_or(Rights::Invoker),
        at: SqlPlace {
            file,
            span: trimmed(&name_node),
        },
        name,
    };
    schema
        .functions
        .retain(|known| !known.name.is_same(&function.name) || known.takes != function.takes);
    schema.functions.push(function);
}

/// `drop function`, `drop routine`.
pub(super) fn drop_functions(schema: &mut Schema, node: &SyntaxNode) {
    let must_exist = child(node, SyntaxKind::IF_EXISTS).is_none();
    let dropped = node
        .descendants()
        .filter(|n| matches!(n.kind(), SyntaxKind::FUNCTION_SIG | SyntaxKind::ROUTINE_SIG));
    for signature in dropped {
        if let Some(at) = meant(schema, &signature, must_exist) {
            schema.functions.remove(at);
        }
    }
}

/// `alter function`.
pub(super) fn alter(schema: &mut Schema, node: &SyntaxNode) {
    let Some(signature) = child(node, SyntaxKind::FUNCTION_SIG) else {
        return;
    };
    let Some(function) = meant(schema, &signature, true).and_then(|at| schema.functions.get_mut(at)) else {
        return;
    };
    for action in node.children().filter_map(AlterFunctionAction::cast) {
        let node = action.syntax();
        match action {
            AlterFunctionAction::FunctionRenameTo(_) => {
                if let Some(new) = child(node, SyntaxKind::FUNCTION_NAME).and_then(|new| SqlName::of(&new)) {
                    function.name.name = new.name;
                }
            }
            AlterFunctionAction::FuncOptionList(_) => function.rights = rights(node).unwrap_or(function.rights),
            AlterFunctionAction::SetSchema(_) => function.name.schema = node.children().next().map(|n| fold(&text(&n))),
            _ => {}
        }
    }
}

/// What `security …` says; none if it says nothing.
fn rights(node: &SyntaxNode) -> Option<Rights> {
    node.descendants().find_map(|option| match option.kind() {
        SyntaxKind::SECURITY_DEFINER_FUNC_OPTION => Some(Rights::Owner),
        SyntaxKind::SECURITY_INVOKER_FUNC_OPTION => Some(Rights::Invoker),
        _ => None,
    })
}

/// Which function a signature means; none if that cannot be told, and then nothing is done.
///
/// One that must exist and is the only one of its name is meant, however its types are written.
fn meant(schema: &Schema, signature: &SyntaxNode, must_exist: bool) -> Option<usize> {
    let name = signature
        .children()
        .find(|n| matches!(n.kind(), SyntaxKind::FUNCTION_NAME_REF | SyntaxKind::ROUTINE_NAME_REF))
        .and_then(|name| SqlName::of(&name))?;
    let named: Vec<usize> = (0..schema.functions.len())
        .filter(|at| schema.functions[*at].name.is_same(&name))
        .collect();
    let only = match named[..] {
        [only] => Some(only),
        _ => None,
    };
    if child(signature, SyntaxKind::PARAM_LIST).is_none() {
        return only;
    }
    let takes = takes(signature);
    let exact = named.into_iter().find(|at| schema.functions[*at].takes == takes);
    exact.or(only.filter(|_| must_exist))
}

/// The types of the arguments that go in.
fn takes(node: &SyntaxNode) -> Vec<String> {
    let Some(list) = child(node, SyntaxKind::PARAM_LIST) else {
        return Vec::new();
    };
    let goes_in = |param: &ast::Param| !matches!(param.mode(), Some(ParamMode::ParamOut(_)));
    list.children()
        .filter_map(ast::Param::cast)
        .filter(goes_in)
        .map(|param| {
            let of = param.func_type().map(|of| type_text(of.syntax())).unwrap_or_default();
            let plain = without_length(of.trim_start_matches("pg_catalog."));
            let known = ALIASES.iter().find(|(alias, _)| *alias == plain);
            known.map_or(plain, |(_, name)| (*name).to_owned())
        })
        .collect()
}

/// `varchar(10)` → `varchar`: two functions cannot differ in lengths alone.
fn without_length(of: &str) -> String {
    match (of.find('('), of.find(')')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}{}", of[..open].trim_end(), &of[close + 1..])
        }
        _ => of.to_owned(),
    }
}
