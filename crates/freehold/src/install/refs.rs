//! References into other services: checked against the copy, and the values cached beside them.
//!
//! The check locks the copied row. A cached column that follows its source takes FOR SHARE, which a concurrent
//! refresh must wait for and which waits for a concurrent refresh: between the two no old value can slip in.

use freehold_manifest::model::{Cached, OnDelete, RefCheck, Reference, Refresh, Service, Table, TableName};

use super::{Contract, derived, key_text, trigger_function};
use crate::error::Error;
use crate::pg::catalog::{Catalog, TableShape};
use crate::pg::ident;

/// The triggers that check a table's references and fill its cached columns.
pub(super) fn triggers(
    service: &Service,
    table: &Table,
    shape: &TableShape,
    contracts: &[Contract],
) -> Result<String, Error> {
    let mut body = String::new();
    let mut watched: Vec<&str> = Vec::new();
    for reference in &table.refs {
        let cached: Vec<&Cached> = table
            .cached
            .iter()
            .filter(|c| c.reference == reference.column)
            .collect();
        if reference.check == RefCheck::None && cached.is_empty() {
            continue;
        }
        let Some(copy) = service.copy_of(&reference.to) else {
            return Err(Error::Install {
                service: service.name.clone(),
                problem: format!("{}.{} needs a copy of {}", table.name, reference.column, reference.to),
                remedy: "declare it under [copies], or say check = \"none\"".to_owned(),
            });
        };
        watched.push(&reference.column);
        watched.extend(
            cached
                .iter()
                .filter(|c| c.refresh == Refresh::OnChange)
                .map(|c| c.column.as_str()),
        );
        let source = Source {
            copy: &copy.name,
            from: ident::qualified(&shape.schema, &copy.name),
            key: ident::quote(single_key(service, contracts, &reference.to)?),
        };
        body += &check_and_fill(table, reference, &cached, &source);
    }
    if body.is_empty() {
        return Ok(String::new());
    }
    body += "  return new;\n";
    let name = derived("refs", &table.name);
    let on = ident::qualified(&shape.schema, &shape.name);
    let differs: Vec<String> = watched
        .iter()
        .map(|c| format!("old.{0} is distinct from new.{0}", ident::quote(c)))
        .collect();
    Ok(format!(
        "{function}\
         create trigger freehold_refs_insert before insert on {on} \
         for each row execute function freehold.{name}();\n\
         create trigger freehold_refs_update before update on {on} \
         for each row when ({differs}) execute function freehold.{name}();\n",
        function = trigger_function(&name, "found_row record;", &body),
        name = ident::quote(&name),
        differs = differs.join(" or "),
    ))
}

/// The local copy a reference points into.
struct Source<'a> {
    copy: &'a str,
    from: String,
    key: String,
}

fn check_and_fill(table: &Table, reference: &Reference, cached: &[&Cached], source: &Source<'_>) -> String {
    let column = ident::quote(&reference.column);
    let follows = cached.iter().any(|c| c.refresh == Refresh::OnChange);
    let lock = if follows { "share" } else { "key share" };
    let wanted: Vec<String> = cached
        .iter()
        .map(|c| format!("c.{}", ident::quote(&c.source)))
        .collect();
    let wanted = if wanted.is_empty() {
        "1".to_owned()
    } else {
        wanted.join(", ")
    };
    let fill: String = cached
        .iter()
        .map(|c| {
            let (to, source) = (ident::quote(&c.column), ident::quote(&c.source));
            match c.refresh {
                Refresh::OnChange => format!("      new.{to} := found_row.{source};\n"),
                Refresh::Never => format!(
                    "      if tg_op = 'INSERT' or new.{column} is distinct from old.{column} then\n\
                     \x20       new.{to} := coalesce(new.{to}, found_row.{source});\n\
                     \x20     end if;\n"
                ),
            }
        })
        .collect();
    // A row whose owner deleted it keeps its last cached values, whatever a writer says.
    let keep: String = cached
        .iter()
        .filter(|c| c.refresh == Refresh::OnChange)
        .map(|c| {
            let to = ident::quote(&c.column);
            format!("      new.{to} := old.{to};\n")
        })
        .collect();
    let keep = match keep.as_str() {
        "" => String::new(),
        some => format!("    elsif tg_op = 'UPDATE' and new.{column} is not distinct from old.{column} then\n{some}"),
    };
    let missing = match reference.check {
        RefCheck::None => String::new(),
        RefCheck::Copy => format!(
            "    elsif tg_op = 'INSERT' or new.{column} is distinct from old.{column} then\n\
             \x20     if exists (select from freehold.copy c where c.name = {copy} and c.state = 'empty') then\n\
             \x20       raise exception using errcode = 'FH007', table = {table}, column = {column_text},\n\
             \x20         message = {filling},\n\
             \x20         hint = 'try again in a moment';\n\
             \x20     end if;\n\
             \x20     raise exception using errcode = 'FH001', table = {table}, column = {column_text},\n\
             \x20       message = format({unknown}, new.{column}),\n\
             \x20       hint = {hint};\n",
            copy = ident::literal(source.copy),
            table = ident::literal(&table.name),
            column_text = ident::literal(&reference.column),
            filling = ident::literal(&format!("the copy of {} is still being filled", reference.to)),
            unknown = ident::literal(&format!("{} %s names no row of {}", reference.column, reference.to)),
            hint = ident::literal(&format!(
                "create it in service {} first; a new row is known here a moment later",
                reference.to.service
            )),
        ),
    };
    format!(
        "  if new.{column} is not null then\n\
         \x20   select {wanted} into found_row from {from} c where c.{key} = new.{column} for {lock};\n\
         \x20   if found then\n\
         {fill_or_nothing}{missing}{keep}\
         \x20   end if;\n\
         \x20 end if;\n",
        from = source.from,
        key = source.key,
        fill_or_nothing = if fill.is_empty() { "      null;\n" } else { &fill },
    )
}

/// The view `freehold.dangling`: rows whose reference was deleted by its owner, where the manifest asks to report them.
pub(super) fn dangling_view(service: &Service, shapes: &Catalog, contracts: &[Contract]) -> Result<String, Error> {
    let mut parts = Vec::new();
    for table in &service.owns {
        let Some(shape) = shapes.tables.get(&table.name) else {
            continue;
        };
        for reference in table.refs.iter().filter(|r| r.on_delete == OnDelete::Report) {
            let Some(copy) = service.copy_of(&reference.to) else {
                continue;
            };
            let column = ident::quote(&reference.column);
            let key = if shape.key.is_empty() {
                "null::text".to_owned()
            } else {
                key_text("t", &shape.key)
            };
            parts.push(format!(
                "select {table}::text as \"table\", {key} as key, {name}::text as \"column\", t.{column}::text as ref\n\
                 from {on} t\n\
                 where t.{column} is not null\n\
                 and not exists (select from {from} c where c.{id} = t.{column})",
                table = ident::literal(&table.name),
                name = ident::literal(&reference.column),
                on = ident::qualified(&shape.schema, &table.name),
                from = ident::qualified(&shape.schema, &copy.name),
                id = ident::quote(single_key(service, contracts, &reference.to)?),
            ));
        }
    }
    if parts.is_empty() {
        parts.push(
            "select null::text as \"table\", null::text as key, null::text as \"column\", null::text as ref where false"
                .to_owned(),
        );
    }
    Ok(format!(
        "create or replace view freehold.dangling as\n{};\n",
        parts.join("\nunion all\n")
    ))
}

/// The one key column of a referenced table: a reference is one column, so its target's key is too.
fn single_key<'c>(service: &Service, contracts: &'c [Contract], of: &TableName) -> Result<&'c str, Error> {
    match Contract::find(service, contracts, of)?.key.as_slice() {
        [single] => Ok(single),
        _ => Err(Error::Install {
            service: service.name.clone(),
            problem: format!("{of} is referenced by one column, but its key has several"),
            remedy: "reference a table with a single key column".to_owned(),
        }),
    }
}
