//! What a value is does not depend on how its writer's session shows it.

use crate::fixture::{Folder, Stage, run, texts};

use super::assert_equal;

/// As an old driver, a dump or a person may have left them.
const STRANGE: &str = "
set datestyle = 'sql, dmy';
set intervalstyle = 'sql_standard';
set extra_float_digits = -10;
set bytea_output = 'escape';
set timezone = 'Asia/Kathmandu';
set lc_monetary = 'C';
set xmloption = 'document';
";

const SAMPLES: Folder<'_> = Folder {
    name: "lab",
    manifest: r#"
[owns.samples]
summary   = "Values that are shown in many ways."
publishes = ["at", "day", "span", "period", "ratio", "body", "spans", "periods"]
"#,
    migration: "
create table samples (
  at timestamptz primary key, day date, span interval, period tstzrange, ratio float8, body bytea, spans interval[], periods daterange[]
);
",
};

const READER: Folder<'_> = Folder {
    name: "reader",
    manifest: r#"
[owns.notes]
summary = "Of its own."
[copies.samples]
of      = "lab.samples"
columns = ["at", "day", "span", "period", "ratio", "body", "spans", "periods"]
"#,
    migration: "create table notes (id int primary key);",
};

const ROWS: &str =
    "select row(at, day, span, period, ratio, body, spans, periods, version)::text from samples order by at";

#[tokio::test]
async fn the_settings_of_a_writer_do_not_change_what_is_copied() {
    let stage = Stage::open(&[SAMPLES, READER]).await;
    let (lab, reader) = (stage.home("lab"), stage.home("reader"));
    let served = lab.serve().await;
    let _followed = reader.follow("lab", &served.url);
    let strange = lab.app().await;
    run(&strange, STRANGE).await;
    let plain = lab.app().await;
    for (writer, at) in [
        (&strange, "04/03/2024 10:00 Europe/Berlin"),
        (&plain, "2024-03-05 10:00 Europe/Berlin"),
    ] {
        run(
            writer,
            &format!(
                "insert into samples
                 select '{at}', make_date(2024, 3, 4), make_interval(days => -1, hours => 2, secs => 3.5),
                        tstzrange(make_timestamptz(2024, 3, 4, 5, 6, 7, 'UTC'), null), 0.1::float8 + 0.2::float8, decode('00ff5c', 'hex'),
                        array[make_interval(months => 14, days => -3)], array[daterange(make_date(2024, 2, 1), make_date(2024, 3, 4))]"
            ),
        )
        .await;
    }
    reader.caught_up(lab).await;
    assert_equal(lab, reader, ROWS).await;
    // A key that is a moment has one text, whoever deletes it.
    run(
        &plain,
        "delete from samples where day is not null and at < '2024-03-05'",
    )
    .await;
    run(&strange, "delete from samples").await;
    reader.caught_up(lab).await;
    assert!(texts(&reader.sql, ROWS).await.is_empty());
    let keys = "select count(distinct key)::text from freehold.log";
    assert_eq!(texts(&lab.sql, keys).await, ["2"], "one text of each key");
}

#[tokio::test]
async fn a_snapshot_does_not_depend_on_the_settings_of_the_role() {
    let stage = Stage::open(&[SAMPLES, READER]).await;
    let (lab, reader) = (stage.home("lab"), stage.home("reader"));
    run(
        &lab.sql,
        "insert into samples values (now(), '2024-03-04', '-1 day 2 hours', '[2024-03-04 10:00, 2024-03-05)', 0.1::float8 + 0.2::float8,
           '\\x00ff', '{-1 day 2 hours}', '{\"[2024-02-01, 2024-03-04)\"}')",
    )
    .await;
    // Of this database alone: roles are shared by the tests.
    for home in [lab, reader] {
        let name = texts(&home.sql, "select current_database()::text").await.remove(0);
        for setting in STRANGE.lines().filter_map(|line| line.strip_prefix("set ")) {
            let role = &home.names.app;
            run(
                &home.sql,
                &format!("alter role {role} in database {name} set {setting}"),
            )
            .await;
        }
    }
    let served = lab.serve().await;
    let _followed = reader.follow("lab", &served.url);
    reader.caught_up(lab).await;
    assert_equal(lab, reader, ROWS).await;
}
