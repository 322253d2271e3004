//! What PostgREST sends to PostgreSQL for the same request: the transaction, the settings in it, and the statement, in the
//! shape of its versions 12 and 13. A stand-in: pgbench sends it, so that HTTP, the reading of the request and the
//! planning of the statement cost nothing.

use super::asked::{Asked, LIMIT, Script, variables};

/// What stands at the end of every statement: headers and status that functions may have set.
const RESPONSE: &str = "nullif(current_setting('response.headers', true), '') AS response_headers, \
     nullif(current_setting('response.status', true), '') AS response_status, '' AS response_inserted";

pub(super) fn script(asked: Asked, role: &str) -> Script {
    let (access, method) = match asked {
        Asked::Key | Asked::List => ("READ ONLY", "GET"),
        Asked::Patch => ("READ WRITE", "PATCH"),
        Asked::Post(_) => ("READ WRITE", "POST"),
    };
    let table = asked.table();
    let before = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED {access};\n\
         select set_config('search_path', '\"public\"', true), set_config('role', '{role}', true), \
         set_config('request.jwt.claims', '{{\"role\":\"{role}\"}}', true), \
         set_config('request.method', '{method}', true), set_config('request.path', '/{table}', true), \
         set_config('request.headers', '{{\"host\":\"bench\"}}', true), set_config('request.cookies', '{{}}', true);\n"
    );
    let mut variables = variables(asked);
    if asked == Asked::List {
        variables.push_str(&format!("\\set limit {LIMIT}\n\\set offset 0\n"));
    }
    Script {
        variables,
        before,
        main: one_line(&main(asked)),
        after: "COMMIT;\n".to_owned(),
    }
}

fn main(asked: Asked) -> String {
    match asked {
        Asked::Key => read(
            r#"SELECT "public"."quiet_things".* FROM "public"."quiet_things"
               WHERE "public"."quiet_things"."id" = md5((:key)::text)::uuid"#,
        ),
        Asked::List => read(
            r#"SELECT "public"."quiet_things"."id", "public"."quiet_things"."name", "public"."quiet_things"."price",
                 row_to_json("quiet_things_makers_1".*)::jsonb AS "makers"
               FROM "public"."quiet_things"
               LEFT JOIN LATERAL (
                 SELECT "makers_1"."name" FROM "public"."makers" AS "makers_1"
                 WHERE "makers_1"."id" = "public"."quiet_things"."maker_id"
               ) AS "quiet_things_makers_1" ON TRUE
               WHERE "public"."quiet_things"."maker_id" = :maker
               ORDER BY "public"."quiet_things"."id" LIMIT :limit OFFSET :offset"#,
        ),
        Asked::Patch => write(
            r#"UPDATE "public"."quiet_things" SET "price" = "pgrst_body"."price", "stock" = "pgrst_body"."stock"
               FROM (SELECT '{"price":13.37,"stock":4}'::json AS json_data) pgrst_payload,
                 LATERAL (SELECT "price", "stock"
                          FROM json_to_record(pgrst_payload.json_data) AS _("price" numeric, "stock" integer)) pgrst_body
               WHERE "public"."quiet_things"."id" = md5((:own)::text)::uuid
                 AND "public"."quiet_things"."version" = :version
               RETURNING 1"#,
        ),
        Asked::Post(_) => write(&format!(
            r#"INSERT INTO "public"."{}"("maker_id", "name", "price", "stock")
               SELECT "pgrst_body"."maker_id", "pgrst_body"."name", "pgrst_body"."price", "pgrst_body"."stock"
               FROM (SELECT ('{{"name":"a thing","price":12.50,"stock":3,"maker_id":' || :maker || '}}')::json AS json_data)
                   pgrst_payload,
                 LATERAL (SELECT "maker_id", "name", "price", "stock"
                          FROM json_to_record(pgrst_payload.json_data)
                            AS _("maker_id" bigint, "name" text, "price" numeric, "stock" integer)) pgrst_body
               RETURNING 1"#,
            asked.table()
        )),
    }
}

fn read(source: &str) -> String {
    format!(
        "WITH pgrst_source AS ({source}) \
         SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, \
         coalesce(json_agg(_postgrest_t), '[]') AS body, {RESPONSE} \
         FROM (SELECT * FROM pgrst_source) _postgrest_t"
    )
}

fn write(source: &str) -> String {
    format!(
        "WITH pgrst_source AS ({source}) \
         SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, \
         array[]::text[] AS header, ''::text AS body, {RESPONSE} \
         FROM (SELECT * FROM pgrst_source) _postgrest_t"
    )
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
