// node-postgres: connects as libpq's variables say, does what standard input asks for (checks.py), prints outcomes.
import fs from "node:fs";
import { text as all } from "node:stream/consumers";
import pg from "pg";
import Cursor from "pg-cursor";
import { to as copyTo } from "pg-copy-streams";

const asked = JSON.parse(fs.readFileSync(0, "utf8"));
const authority = process.env.PGSSLROOTCERT;
const ssl = authority ? { ca: fs.readFileSync(authority, "utf8"), rejectUnauthorized: true } : false;
const pool = new pg.Pool({ ssl, max: 2 });
const client = await pool.connect();
const found = {};

async function outcome(check) {
  try {
    return (await check()) ?? null;
  } catch (error) {
    if (!error.code) throw error;
    return ["error", error.code];
  }
}
async function attempt(feature, check) {
  found[feature] = await outcome(check);
}
async function rows(text, values, on = client) {
  return (await on.query({ text, values, rowMode: "array" })).rows;
}
async function each(items, run) {
  const told = [];
  for (const item of items) told.push(await run(item));
  return told;
}

await attempt("sign in", () => rows("SELECT current_database(), version() LIKE 'PostgreSQL 18%'"));
await attempt("column types", () => each(asked.tables, (t) => rows(`SELECT * FROM ${t} ORDER BY 1, 2 LIMIT 20`)));
await attempt("parameters", () => each(asked.parameters, ([text, value]) => rows(text, [value])));
await attempt("prepared statements", () =>
  each(asked.keys, async (key) => {
    const query = { name: "by key", text: "SELECT handle FROM accounts WHERE id = $1", values: [key] };
    return (await client.query(query)).rows;
  }),
);
await attempt("errors", () => each(asked.errors, (text) => outcome(() => rows(text))));
await attempt("transactions", () => each(asked.steps, (text) => outcome(() => rows(text))));
await attempt("rows in portions", async () => {
  const cursor = client.query(new Cursor("SELECT id FROM videos ORDER BY id LIMIT 50"));
  const told = [await cursor.read(3), await cursor.read(7), await cursor.read(100)];
  await cursor.close();
  return told;
});
await attempt("pipeline or batch", async () =>
  // several statements in one message
  (await client.query("SELECT 1 AS a; SELECT count(*) FROM accounts; SELECT 2 AS b")).map((one) => one.rows),
);
await attempt("COPY TO STDOUT", () => all(client.query(copyTo(asked.copy))));
await attempt("cancel", async () => {
  const slow = new pg.Client({ ssl });
  await slow.connect();
  const pid = (await slow.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
  const same = pid === slow.processID;
  await slow.end();
  return same; // the number that a client would cancel by
});
await attempt("change", () => rows(asked.change));
await attempt("hidden column", () => rows(asked.hidden));
await attempt("its own transactions", () => each(["BEGIN", "SELECT count(*) FROM accounts", "COMMIT"], (t) => rows(t)));
client.release();
await attempt("pool", () => Promise.all([...Array(20).keys()].map((n) => rows("SELECT $1::int", [n], pool))));
await pool.end();
console.log(JSON.stringify(found));
