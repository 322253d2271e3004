//! Copies: read-only tables of other services' rows, and the functions by which the library alone writes them.

use std::fmt::Write;

use freehold_manifest::model::{Copy, OnDelete, Refresh, Service};
use freehold_manifest::names::Names;

use super::{Contract, derived, shown};
use crate::error::Error;
use crate::pg::catalog::Catalog;
use crate::pg::ident;
use crate::plant;

/// Makes the copies the manifest names, drops those it no longer names, and writes their functions.
pub(super) fn install(
    service: &Service,
    names: &Names,
    contracts: &[Contract],
    shapes: &Catalog,
) -> Result<String, Error> {
    let wanted: Vec<String> = service.copies.iter().map(|c| ident::literal(&c.name)).collect();
    let kept: Vec<String> = service
        .copies
        .iter()
        .flat_map(|c| ["staging", "apply", "stage", "rebuild"].map(|what| ident::literal(&derived(what, &c.name))))
        .collect();
    // A copy is derived data: its owner still has every row.
    let mut sql = format!(
        "do $$\ndeclare\n  gone record;\nbegin\n\
         \x20 for gone in select c.name from freehold.copy c where c.name <> all (array[{wanted}]::text[]) loop\n\
         \x20   execute format('drop table if exists {schema}.%I', gone.name);\n\
         \x20   delete from freehold.tombstone t where t.copy = gone.name;\n\
         \x20   delete from freehold.cursor u using freehold.copy c\n\
         \x20   where c.name = gone.name and (u.subscription, u.producer, u.topic) = ('copies', c.producer, c.topic);\n\
         \x20   delete from freehold.copy c where c.name = gone.name;\n\
         \x20 end loop;\n\
         \x20 for gone in select p.oid::regprocedure as name from pg_proc p\n\
         \x20             where p.pronamespace = {freehold}::regnamespace and p.proname ~ '^(apply|stage|rebuild)_'\n\
         \x20               and p.proname <> all (array[{kept}]::text[]) loop\n\
         \x20   execute 'drop function ' || gone.name;\n\
         \x20 end loop;\n\
         \x20 for gone in select c.oid::regclass as name from pg_class c\n\
         \x20             where c.relnamespace = {freehold}::regnamespace and c.relkind = 'r' and c.relname ~ '^staging_'\n\
         \x20               and c.relname <> all (array[{kept}]::text[]) loop\n\
         \x20   execute 'drop table ' || gone.name;\n\
         \x20 end loop;\nend\n$$;\n",
        wanted = wanted.join(", "),
        schema = ident::quote(&names.schema),
        freehold = ident::literal(&ident::quote(&names.freehold)),
        kept = kept.join(", "),
    );
    for copy in &service.copies {
        let contract = Contract::find(service, contracts, &copy.of)?;
        let table = CopyTable::new(service, names, copy, contract)?;
        sql += &table.create(shapes);
        sql += &table.apply();
        sql += &table.stage();
        sql += &table.rebuild();
    }
    Ok(sql)
}

/// One copy with everything its SQL is written from.
struct CopyTable<'a> {
    service: &'a Service,
    copy: &'a Copy,
    contract: &'a Contract,
    schema: &'a str,
    /// Columns with their types, the key included.
    columns: Vec<(&'a str, &'a str)>,
}

impl<'a> CopyTable<'a> {
    fn new(service: &'a Service, names: &'a Names, copy: &'a Copy, contract: &'a Contract) -> Result<Self, Error> {
        let mut columns = Vec::new();
        let with_key = contract
            .key
            .iter()
            .filter(|k| !copy.columns.contains(k))
            .chain(&copy.columns);
        for column in with_key {
            let Some(type_name) = contract.type_of(column) else {
                return Err(Error::Install {
                    service: service.name.clone(),
                    problem: format!(
                        "copy {} wants {}.{column}, which its owner does not publish",
                        copy.name, copy.of
                    ),
                    remedy: format!(
                        "add it to publishes of {} in the manifest of {}",
                        copy.of.table, copy.of.service
                    ),
                });
            };
            // A copy has the version of each row in any case.
            if column != "version" {
                columns.push((column.as_str(), type_name));
            }
        }
        Ok(Self {
            service,
            copy,
            contract,
            schema: &names.schema,
            columns,
        })
    }

    fn on(&self) -> String {
        ident::qualified(self.schema, &self.copy.name)
    }

    fn function(&self, what: &str) -> String {
        format!("freehold.{}", ident::quote(&derived(what, &self.copy.name)))
    }

    fn list(&self, row: &str) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(c, _)| format!("{row}{}", ident::quote(c)))
            .collect();
        columns.join(", ")
    }

    fn same_key(&self, a: &str, b: &str) -> String {
        let pairs: Vec<String> = self
            .contract
            .key
            .iter()
            .map(|c| format!("{a}.{0} = {b}.{0}", ident::quote(c)))
            .collect();
        pairs.join(" and ")
    }

    fn key_list(&self) -> String {
        let key: Vec<String> = self.contract.key.iter().map(|c| ident::quote(c)).collect();
        key.join(", ")
    }

    fn set_excluded(&self) -> String {
        let mut set: Vec<String> = self
            .columns
            .iter()
            .filter(|(c, _)| !self.contract.key.iter().any(|k| k == c))
            .map(|(c, _)| format!("{0} = excluded.{0}", ident::quote(c)))
            .collect();
        set.push("version = excluded.version".to_owned());
        set.join(", ")
    }

    /// The table, its staging table and its row in `freehold.copy`.
    fn create(&self, shapes: &Catalog) -> String {
        let on = self.on();
        let staging = self.function("staging");
        let mut sql = String::new();
        let existing = shapes.tables.get(&self.copy.name);
        let definitions: Vec<String> = self
            .columns
            .iter()
            .map(|(c, t)| format!("{} {t}", ident::quote(c)))
            .collect();
        let key = self.key_list();
        let fits = existing.is_some_and(|shape| shape.key == self.contract.key);
        if existing.is_some() && !fits {
            let _ = writeln!(sql, "drop table {on};\ndrop table if exists {staging};");
        }
        let _ = writeln!(
            sql,
            "create table if not exists {on} ({columns}, version bigint not null, primary key ({key}));",
            columns = definitions.join(", "),
        );
        if let Some(shape) = existing.filter(|_| fits) {
            for column in &shape.columns {
                let name = ident::quote(&column.name);
                match self.columns.iter().find(|(c, _)| *c == column.name) {
                    None if column.name == "version" => {}
                    None => {
                        let _ = writeln!(sql, "alter table {on} drop column {name};");
                    }
                    Some((_, t)) if *t == column.type_name => {}
                    Some((_, t)) => {
                        let _ = writeln!(
                            sql,
                            "alter table {on} alter column {name} type {t} using {name}::text::{t};"
                        );
                    }
                }
            }
            for (column, t) in &self.columns {
                if shape.column(column).is_none() {
                    let _ = writeln!(sql, "alter table {on} add column {} {t};", ident::quote(column));
                }
            }
        }
        // The staging table is empty between rebuilds, so it is made anew in the copy's present shape.
        let _ = writeln!(
            sql,
            "drop table if exists {staging};\n\
             create unlogged table {staging} (like {on} including indexes);\n\
             comment on table {on} is {comment};",
            comment = ident::literal(&format!(
                "Copy of {}, kept true by its events. Read-only: the owner has the rows.",
                self.copy.of
            )),
        );
        let names: Vec<String> = self.columns.iter().map(|(c, _)| ident::literal(c)).collect();
        // A new column is known for no row yet: the copy counts as empty until its rows are read again.
        let _ = writeln!(
            sql,
            "insert into freehold.copy as c (name, producer, topic, columns)\n\
             values ({name}, {producer}, {topic}, array[{columns}])\n\
             on conflict (name) do update\n\
             set producer = excluded.producer,\n\
             \x20   topic = excluded.topic,\n\
             \x20   columns = excluded.columns,\n\
             \x20   state = case when excluded.topic = c.topic and excluded.columns <@ c.columns then c.state else 'empty' end;",
            name = ident::literal(&self.copy.name),
            producer = ident::literal(&self.copy.of.service),
            topic = ident::literal(&self.copy.of.to_string()),
            columns = names.join(", "),
        );
        sql
    }

    /// Applies a folded batch: one row per key, the newest. The newer version wins, a deletion leaves a tombstone.
    fn apply(&self) -> String {
        let on = self.on();
        let name = ident::literal(&self.copy.name);
        let list = self.list("");
        let definitions: Vec<String> = self
            .columns
            .iter()
            .map(|(c, t)| format!("{} {t}", ident::quote(c)))
            .collect();
        let follow = self.follow();
        let newer = match plant::is("no-version-gate") {
            false => "c.version < excluded.version",
            true => "true",
        };
        format!(
            "create or replace function {function}(data json, keys text[], versions bigint[], removed boolean[])\n\
             returns void language plpgsql security definer set search_path = pg_catalog, pg_temp{shown}\n\
             as $freehold$\n{declare}begin\n\
             \x20 with incoming as materialized (\n\
             \x20   select * from rows from (\n\
             \x20     json_to_recordset(data) as ({definitions}), unnest(keys), unnest(versions), unnest(removed)\n\
             \x20   ) as i({list}, freehold_key, freehold_version, freehold_removed)\n\
             \x20 ),\n\
             \x20 written as (\n\
             \x20   insert into {on} as c ({list}, version)\n\
             \x20   select {incoming}, i.freehold_version from incoming i\n\
             \x20   where not i.freehold_removed\n\
             \x20     and not exists (select from freehold.tombstone t\n\
             \x20                     where t.copy = {name} and t.key = i.freehold_key and t.version >= i.freehold_version)\n\
             \x20   on conflict ({key}) do update set {set}\n\
             \x20   where {newer}\n\
             \x20   returning {key_of_c}\n\
             \x20 ),\n\
             \x20 gone as (\n\
             \x20   delete from {on} c using incoming i\n\
             \x20   where i.freehold_removed and {same_key} and c.version < i.freehold_version\n\
             \x20   returning {key_of_c}\n\
             \x20 ),\n\
             \x20 buried as (\n\
             \x20   select freehold.bury({name}, array_agg(i.freehold_key), array_agg(i.freehold_version)) from incoming i\n\
             \x20   where i.freehold_removed having count(*) > 0\n\
             \x20 )\n\
             \x20 {collect}\
             {follow}end\n$freehold$;\n",
            function = self.function("apply"),
            shown = shown(),
            declare = self.declare(),
            definitions = definitions.join(", "),
            incoming = self.list("i."),
            key = self.key_list(),
            key_of_c = self.list_key("c."),
            set = self.set_excluded(),
            same_key = self.same_key("c", "i"),
            collect = self.collect("buried"),
        )
    }

    /// Takes rows of a snapshot into the staging table.
    fn stage(&self) -> String {
        let definitions: Vec<String> = self
            .columns
            .iter()
            .map(|(c, t)| format!("{} {t}", ident::quote(c)))
            .collect();
        format!(
            "create or replace function {function}(data json, versions bigint[])\n\
             returns void language sql security definer set search_path = pg_catalog, pg_temp{shown}\n\
             as $freehold$\n\
             \x20 insert into {staging} ({list}, version)\n\
             \x20 select * from rows from (json_to_recordset(data) as ({definitions}), unnest(versions)) as i({list}, freehold_version)\n\
             $freehold$;\n",
            function = self.function("stage"),
            shown = shown(),
            staging = self.function("staging"),
            list = self.list(""),
            definitions = definitions.join(", "),
        )
    }

    /// Makes the copy equal to the staged snapshot, touching only rows that differ.
    fn rebuild(&self) -> String {
        let on = self.on();
        let name = ident::literal(&self.copy.name);
        let staging = self.function("staging");
        let list = self.list("");
        format!(
            "create or replace function {function}()\n\
             returns void language plpgsql security definer set search_path = pg_catalog, pg_temp\n\
             as $freehold$\n{declare}begin\n\
             \x20 with gone as (\n\
             \x20   delete from {on} c where not exists (select from {staging} s where {same_staged})\n\
             \x20   returning {key_of_c}\n\
             \x20 ),\n\
             \x20 written as (\n\
             \x20   insert into {on} as c ({list}, version)\n\
             \x20   select {list}, version from {staging}\n\
             \x20   on conflict ({key}) do update set {set}\n\
             \x20   where row({all_of_c}, c.version)::text is distinct from row({all_excluded}, excluded.version)::text\n\
             \x20   returning {key_of_c}\n\
             \x20 )\n\
             \x20 {collect}\
             {follow}\
             \x20 delete from freehold.tombstone t where t.copy = {name};\n\
             \x20 delete from {staging};\n\
             \x20 update freehold.copy set state = 'live' where name = {name};\n\
             end\n$freehold$;\n",
            function = self.function("rebuild"),
            declare = self.declare(),
            same_staged = self.same_key("s", "c"),
            key_of_c = self.list_key("c."),
            key = self.key_list(),
            set = self.set_excluded(),
            all_of_c = self.list("c."),
            all_excluded = self.list("excluded."),
            collect = self.collect("written"),
            follow = self.follow(),
        )
    }

    fn list_key(&self, row: &str) -> String {
        let key: Vec<String> = self
            .contract
            .key
            .iter()
            .map(|c| format!("{row}{}", ident::quote(c)))
            .collect();
        key.join(", ")
    }

    /// The array type of the key, when rows here hold it in a reference.
    fn followed_key(&self) -> Option<&str> {
        let [key] = self.contract.key.as_slice() else {
            return None;
        };
        let referenced = self
            .service
            .owns
            .iter()
            .flat_map(|t| &t.refs)
            .any(|r| r.to == self.copy.of);
        referenced.then(|| self.contract.type_of(key)).flatten()
    }

    fn declare(&self) -> String {
        match self.followed_key() {
            Some(t) => format!("declare\n  changed_keys {t}[];\n  gone_keys {t}[];\n"),
            None => "declare\n  buried_rows bigint;\n".to_owned(),
        }
    }

    /// Ends the statement whose last CTE is `last`, keeping the touched keys when something here follows them.
    fn collect(&self, last: &str) -> String {
        match (self.followed_key(), self.contract.key.as_slice()) {
            (Some(_), [key]) => {
                let key = ident::quote(key);
                format!(
                    "select (select array_agg(w.{key}) from written w), (select array_agg(g.{key}) from gone g)\n\
                     \x20 into changed_keys, gone_keys from (select count(*) from {last}) b;\n"
                )
            }
            _ => format!("select count(*) into buried_rows from {last} b;\n"),
        }
    }

    /// What rows here do when the copied rows changed or went: a new statement each, so that it sees rows that were
    /// being written while the copy was locked.
    fn follow(&self) -> String {
        if self.followed_key().is_none() {
            return String::new();
        }
        let mut sql = String::new();
        let key = self.list_key("c.");
        for table in &self.service.owns {
            let owned = ident::qualified(self.schema, &table.name);
            for reference in table.refs.iter().filter(|r| r.to == self.copy.of) {
                let column = ident::quote(&reference.column);
                let gone = match reference.on_delete {
                    OnDelete::Keep | OnDelete::Report => None,
                    OnDelete::Clear => Some(format!("update {owned} set {column} = null")),
                    OnDelete::Cascade => Some(format!("delete from {owned}")),
                };
                if let Some(statement) = gone {
                    let _ = write!(
                        sql,
                        "  if gone_keys is not null then\n    {statement} where {column} = any (gone_keys);\n  end if;\n"
                    );
                }
                let cached: Vec<_> = table
                    .cached
                    .iter()
                    .filter(|c| c.reference == reference.column && c.refresh == Refresh::OnChange)
                    .collect();
                if cached.is_empty() {
                    continue;
                }
                let set: Vec<String> = cached
                    .iter()
                    .map(|c| format!("{} = c.{}", ident::quote(&c.column), ident::quote(&c.source)))
                    .collect();
                let differs: Vec<String> = cached
                    .iter()
                    .map(|c| {
                        format!(
                            "t.{} is distinct from c.{}",
                            ident::quote(&c.column),
                            ident::quote(&c.source)
                        )
                    })
                    .collect();
                let _ = write!(
                    sql,
                    "  if changed_keys is not null then\n\
                     \x20   update {owned} t set {set} from {on} c\n\
                     \x20   where {key} = any (changed_keys) and t.{column} = {key} and ({differs});\n\
                     \x20 end if;\n",
                    set = set.join(", "),
                    on = self.on(),
                    differs = differs.join(" or "),
                );
            }
        }
        sql
    }
}
