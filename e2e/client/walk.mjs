// Walks flows with the official API client.
//
//   node walk.mjs < walks.jsonl
//
// Each line is {"base": "http://...", "session": 1, "calls": [...]}; lines of the same
// session share their cookies. A call is {"call": "flowsExecutorGet", "api":
// "FlowsApi", "args": {...}, "schema": "ChallengeTypes"}. In args, "$3.pk" stands for
// a member of the third answer of the line (counted from 0), "@2026-01-01T00:00:00Z"
// for a date, "file:..." for a file. A call with "text" has a text for an answer. For each line the answers are printed as one JSON list of {status, hops,
// data, problems}: what came back on the wire and where it departs from the schema of
// the client's own package.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { validator } from "./schema.mjs";

const require = createRequire(import.meta.url);
const api = require("@goauthentik/api");
const packageDir = dirname(require.resolve("@goauthentik/api/package.json"));
const check = validator(readFileSync(join(packageDir, "schema.yml"), "utf8"));

const jars = new Map();
let jar = null;
let out = [];
let hops = 0;
let wire = null;

// fetchApi keeps cookies and follows redirects as a browser does, so that the
// client sees what it would see there.
async function fetchApi(url, init = {}) {
  let request = { ...init, redirect: "manual" };
  for (hops = 0; hops < 10; hops++) {
    const headers = new Headers(request.headers);
    if (jar.size > 0) headers.set("cookie", [...jar].map(([k, v]) => `${k}=${v}`).join("; "));
    const answer = await fetch(url, { ...request, headers });
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";");
      const at = pair.indexOf("=");
      const gone = attributes.some((a) => /^\s*max-age=(0|-\d+)$/i.test(a));
      if (gone) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    if (answer.status !== 302) {
      const text = await answer.clone().text();
      wire = { status: answer.status, text };
      return answer;
    }
    url = new URL(answer.headers.get("location"), url).toString();
    request = { headers: init.headers, method: "GET", redirect: "manual" };
  }
  throw new Error("more than 10 redirects");
}

// list checks each member of a list.
function list(schema, data) {
  return Array.isArray(data) ? data.flatMap((one) => check(schema, one)) : ["the answer is not a list"];
}

// fill puts earlier answers and dates into arguments.
function fill(value) {
  if (Array.isArray(value)) return value.map(fill);
  if (value !== null && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fill(v)]));
  if (typeof value !== "string") return value;
  const [, number, path] = value.match(/^\$(\d+)\.(.+)$/) ?? [];
  if (path) return path.split(".").reduce((at, name) => at?.[name], out[Number(number)].data);
  if (value.startsWith("file:")) return new Blob([value.slice(5)]);
  return value.startsWith("@") ? new Date(value.slice(1)) : value;
}

// walk makes the calls of a line.
async function walk(base, session, calls) {
  if (!jars.has(session)) jars.set(session, new Map());
  jar = jars.get(session);
  out = [];
  for (const { api: name, call, args, schema, token, text } of calls) {
    const configuration = new api.Configuration({ basePath: `${base}/api/v3`, fetchApi, accessToken: token });
    const client = new api[name](configuration);
    wire = null;
    let failure = "";
    try {
      await client[call](fill(args));
    } catch (e) {
      failure = String(e?.name ?? e);
    }
    let data = text ? wire?.text : null;
    try {
      data ??= JSON.parse(wire?.text ?? "null");
    } catch {
      failure ||= "the answer is not JSON";
    }
    const ok = wire?.status >= 200 && wire?.status < 300;
    const problems = [];
    if (schema && ok) problems.push(...(schema.endsWith("[]") ? list(schema.slice(0, -2), data) : check(schema, data)));
    if (schema && wire?.status === 400) problems.push(...check("ValidationError", data));
    if (schema && (wire?.status === 403 || wire?.status === 404)) problems.push(...check("GenericError", data));
    out.push({ status: wire?.status ?? 0, hops, data, problems, failure });
  }
  return out;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { base, session, calls } = JSON.parse(line);
  process.stdout.write(JSON.stringify(await walk(base, session, calls)) + "\n");
}
