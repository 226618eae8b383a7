// Verify webhooks from Holdfast with nothing but Node (18 or later). Copy this file into your server.
//
//     const message = verify(rawBody, request.headers, ["whsec_…"]);
//
// The signature is over the bytes as they came: verify before anything parses them (in Express: express.raw).
// During a rotation give both secrets. Run it to try it: WEBHOOK_SECRETS=whsec_… node verify.mjs 8080

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const TOLERANCE_SECONDS = 300;

// The message is not from Holdfast, or not from now: answer 401 and do nothing.
export class NotOurs extends Error {}

// Return the message of a raw body (Buffer) and its headers. Throws NotOurs.
export function verify(body, headers, secrets, now = Date.now() / 1000) {
  const found = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const id = found["webhook-id"];
  const timestamp = found["webhook-timestamp"];
  const signatures = found["webhook-signature"];
  if (!id || !signatures || !/^[0-9]{1,12}$/.test(timestamp ?? "")) throw new NotOurs("a header is missing or malformed");
  if (Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) throw new NotOurs("the timestamp is too far from now");
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const given = signatures.split(" ").filter((item) => item.startsWith("v1,")).map((item) => Buffer.from(item.slice(3)));
  for (const secret of secrets) {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const expected = Buffer.from(createHmac("sha256", key).update(signed).digest("base64"));
    if (given.some((one) => one.length === expected.length && timingSafeEqual(one, expected))) {
      return JSON.parse(body.toString("utf8"));
    }
  }
  throw new NotOurs("no signature fits");
}

// The whole of a receiver: verify, remember the webhook-id, answer at once, work afterwards.
const seen = new Set(); // in your database, with a unique index

function receive(request, response) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    try {
      const message = verify(Buffer.concat(pieces), request.headers, process.env.WEBHOOK_SECRETS.split(" "));
      if (!seen.has(message.id)) { // the same event may come twice
        seen.add(message.id);
        console.log(message.type, JSON.stringify(message.data));
      }
      response.writeHead(204).end();
    } catch (error) {
      if (!(error instanceof NotOurs)) throw error;
      response.writeHead(401).end(error.message);
    }
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  createServer(receive).listen(Number(process.argv[2] ?? 8080), "127.0.0.1");
}
