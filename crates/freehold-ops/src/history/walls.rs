//! What guards the rows, as the catalogue has it, against what this release installs.

use std::collections::BTreeSet;

use anyhow::Result;
use freehold::install::{self, Wall};
use freehold_manifest::model::{History, Mode};

use super::report::{Finding, What};
use super::verify::Judged;

/// The library's tables that nobody but its functions writes.
const LIBRARY: [&str; 6] = ["log", "log_head", "topic", "outbox", "kept", "witness"];

/// Looks at the triggers, rules, rights and owners of everything that must not change.
///
/// # Errors
/// What the database says.
pub(super) async fn look(of: &Judged<'_>, found: &mut Vec<Finding>) -> Result<()> {
    triggers(of, found).await?;
    relations(of, found).await?;
    grants(of, found).await
}

/// A trigger as it is.
struct Trigger {
    enabled: String,
    fires: i16,
    always: bool,
    function: String,
    schema: String,
    body: String,
}

async fn triggers(of: &Judged<'_>, found: &mut Vec<Finding>) -> Result<()> {
    let walls = install::walls(of.service, of.shapes, &of.names.freehold)?;
    for wall in &walls {
        let rows = of
            .database
            .rows(
                "select t.tgenabled::text, t.tgtype, t.tgqual is null and t.tgattr::text = '',
                        p.proname::text, n.nspname::text, p.prosrc
                 from pg_trigger t
                 join pg_class c on c.oid = t.tgrelid
                 join pg_namespace m on m.oid = c.relnamespace
                 join pg_proc p on p.oid = t.tgfoid
                 join pg_namespace n on n.oid = p.pronamespace
                 where m.nspname = $1 and c.relname = $2 and t.tgname = $3 and not t.tgisinternal",
                &[&of.names.schema, &wall.table, &wall.trigger],
            )
            .await?;
        let trigger = rows.first().map(|row| Trigger {
            enabled: row.get(0),
            fires: row.get(1),
            always: row.get(2),
            function: row.get(3),
            schema: row.get(4),
            body: row.get(5),
        });
        let wrong = match trigger {
            None => Some("is not there".to_owned()),
            Some(trigger) => wrong(&trigger, wall, &of.names.freehold),
        };
        if let Some(wrong) = wrong {
            let detail = format!("trigger {} {wrong}", wall.trigger);
            found.push(Finding::of_table(What::Trigger, &wall.table, detail));
        }
    }
    Ok(())
}

fn wrong(trigger: &Trigger, wall: &Wall, freehold: &str) -> Option<String> {
    if trigger.enabled != "A" {
        return Some("is not always on".to_owned());
    }
    if trigger.fires != wall.fires || !trigger.always {
        return Some("does not fire whenever it should".to_owned());
    }
    if trigger.schema != freehold || trigger.function != wall.function {
        return Some(format!("calls {}.{}", trigger.schema, trigger.function));
    }
    (trigger.body != wall.body).then(|| {
        format!(
            "calls {}, which does not do what would be installed now: run `freehold migrate`, and if nothing was new, \
             somebody changed it",
            trigger.function
        )
    })
}

async fn relations(of: &Judged<'_>, found: &mut Vec<Finding>) -> Result<()> {
    let guarded = of.service.owns.iter().filter(|t| t.mode == Mode::AppendOnly);
    let guarded: Vec<&str> = guarded.map(|t| t.name.as_str()).collect();
    let rows = of
        .database
        .rows(
            "select c.relname::text,
                    case when m.nspname = $1 then 'data' else 'library' end,
                    pg_get_userbyid(c.relowner)::text,
                    exists (select from pg_rewrite w where w.ev_class = c.oid)
             from pg_class c
             join pg_namespace m on m.oid = c.relnamespace
             where c.relkind in ('r', 'p')
               and ((m.nspname = $1 and c.relname = any($2)) or (m.nspname = $3 and c.relname = any($4)))
             order by 2, 1",
            &[&of.names.schema, &guarded, &of.names.freehold, &&LIBRARY[..]],
        )
        .await?;
    for row in rows {
        let (name, place, owner): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let table = shown(name, place);
        if owner != of.names.owner {
            let detail = format!("it belongs to {owner} and not to {}", of.names.owner);
            found.push(Finding::of_table(What::Owner, &table, detail));
        }
        if row.get(3) {
            let detail = "a rule rewrites what is asked of it";
            found.push(Finding::of_table(What::Rule, &table, detail));
        }
    }
    let member = of
        .database
        .row(
            "select pg_has_role($1::text, $2::text, 'member')",
            &[&of.names.app, &of.names.owner],
        )
        .await?;
    if member.get(0) {
        found.push(Finding {
            what: What::Owner,
            table: None,
            position: None,
            key: None,
            detail: format!("{} may become {}", of.names.app, of.names.owner),
        });
    }
    Ok(())
}

/// Rights on tables, their columns and the log's partitions that the installation does not give.
async fn grants(of: &Judged<'_>, found: &mut Vec<Finding>) -> Result<()> {
    let guarded = of.service.owns.iter().filter(|t| t.mode == Mode::AppendOnly);
    let guarded: Vec<&str> = guarded.map(|t| t.name.as_str()).collect();
    let rows = of
        .database
        .rows(
            "select distinct c.relname::text,
                    case when m.nspname = $1 then 'data' else 'library' end,
                    case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee)::text end,
                    x.privilege_type::text
             from pg_class c
             join pg_namespace m on m.oid = c.relnamespace
             cross join lateral (
               select a.grantee, a.privilege_type from aclexplode(c.relacl) a
               union all
               select a.grantee, a.privilege_type
               from pg_attribute t, aclexplode(t.attacl) a
               where t.attrelid = c.oid
             ) x
             where c.relkind in ('r', 'p')
               and ((m.nspname = $1 and c.relname = any($2))
                    or (m.nspname = $3 and (c.relname = any($4) or c.relispartition)))
               and x.grantee <> c.relowner
             order by 2, 1, 3, 4",
            &[&of.names.schema, &guarded, &of.names.freehold, &&LIBRARY[..]],
        )
        .await?;
    let appended: BTreeSet<&str> = of
        .service
        .owns
        .iter()
        .filter(|t| t.mode == Mode::AppendOnly && !matches!(t.history, History::Of(_)))
        .map(|t| t.name.as_str())
        .collect();
    for row in rows {
        let (name, place, role, right): (&str, &str, &str, &str) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let given = match right {
            "SELECT" => role == of.names.app || role == of.names.reader,
            "INSERT" if place == "data" => role == of.names.app && appended.contains(name),
            "INSERT" => role == of.names.app && name == "witness",
            _ => false,
        };
        if !given {
            let detail = format!("{role} may {} it", right.to_lowercase());
            found.push(Finding::of_table(What::Grant, &shown(name, place), detail));
        }
    }
    Ok(())
}

fn shown(name: &str, place: &str) -> String {
    match place {
        "library" => format!("freehold.{name}"),
        _ => name.to_owned(),
    }
}
