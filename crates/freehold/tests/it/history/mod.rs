//! `history = true`: every version of a row is kept, shown and can be brought back.

mod kept;
mod restored;
mod served;

use crate::fixture::{Folder, Stage};

/// Notes that publish nothing, and goods that do.
pub(crate) const STORE: Folder<'_> = Folder {
    name: "store",
    manifest: r#"
[owns.notes]
summary = "What is written."
history = true
hidden  = ["secret"]
[owns.goods]
summary   = "What is sold."
history   = true
publishes = ["shelf", "place", "name"]
[owns.parts]
summary = "What goods are made of."
history = true
"#,
    migration: "
create table notes (
  id      integer primary key,
  text    text not null,
  tags    text[],
  written timestamptz default '2026-01-02 03:04:05+02',
  secret  text default 'nobody knows',
  length  integer generated always as (length(text)) stored
);
create table goods (shelf text, place integer, name text, price numeric(8, 2), primary key (shelf, place));
create table parts (
  id    bigint generated always as identity primary key,
  shelf text not null,
  place integer not null,
  foreign key (shelf, place) references goods on delete cascade on update cascade
);",
};

pub(crate) async fn open() -> Stage {
    Stage::open(&[STORE]).await
}

/// Versions and operations of a row, in order.
pub(crate) const STORY: &str = "select version || ' ' || operation || coalesce(' ' || (state ->> 'text'), '')
   from notes_history where id = 1 order by version";
