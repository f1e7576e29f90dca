// Quote, book, label, scan, track and read rates, with types made by openapi-typescript.
//
//     URL=http://127.0.0.1:8000 MERCHANT_KEY=ca_... COURIER_KEY=ca_... node main_job.ts FOLDER
import { writeFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./courier_alliance";

type Problem = components["schemas"]["Problem"];

const { URL: baseUrl = "", MERCHANT_KEY, COURIER_KEY } = process.env;
const as = (key?: string) => createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
const merchant = as(MERCHANT_KEY);
const courier = as(COURIER_KEY);
const folder = process.argv[2];

/** What a call was answered; a refusal says why. */
function done<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) throw new Error(`${answer.error?.status}: ${answer.error?.detail}`);
  return answer.data;
}

const lane = { origin: "CN-HGH", destination: "CN-CTU", weight_g: 800 };
const quote = done(await merchant.POST("/api/v1/quotes", { body: lane }));
const [offer] = quote.offers;
if (!offer) throw new Error("No courier sells this lane.");
console.log(`${offer.courier_name} promises ${offer.promise.current} for ${offer.price} ${quote.currency}`);

const recipient = { name: "王小明", phone: "13812345678", address: "人民南路四段12号" };
const booked = done(
  await merchant.POST("/api/v1/parcels", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { ...lane, tier: offer.tier, courier: offer.courier, recipient },
  }),
);
const path = { tracking_number: booked.tracking_number };

const label = done(
  await merchant.GET("/api/v1/parcels/{tracking_number}/label", { params: { path }, parseAs: "arrayBuffer" }),
);
writeFileSync(`${folder}/label.pdf`, Buffer.from(label));

const report = done(
  await courier.POST("/api/v1/scans", {
    body: [
      { ...path, code: "picked_up", occurred_at: new Date().toISOString() },
      { ...path, code: "delivered", occurred_at: new Date(Date.now() + 60_000).toISOString() },
    ],
  }),
);
console.log(`${report.accepted} scans accepted, ${report.rejected} rejected`);

const tracked = done(await merchant.GET("/api/v1/tracking/{tracking_number}", { params: { path } }));
console.log(`${path.tracking_number}: ${tracked.status}, promised ${tracked.promise?.current}`);

const rates = done(await courier.GET("/api/v1/rates"));
console.log(`on time: ${rates.totals.raw_rate} of ${rates.totals.n}`);
const cards = done(await courier.GET("/api/v1/scorecards"));
console.log(`scorecards: ${cards.results.length}`);

const day = (later: number) => new Date(Date.now() + later * 86_400_000).toISOString().slice(0, 10);
let exported = done(
  await merchant.POST("/api/v1/exports", {
    body: { content: "commitments", format: "csv", from: day(0), to: day(14) },
  }),
);
for (let tries = 0; tries < 120 && !exported.file_url && exported.state !== "failed"; tries++) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  exported = done(
    await merchant.GET("/api/v1/exports/{export_id}", { params: { path: { export_id: exported.id } } }),
  );
}
if (!exported.file_url) throw new Error(`The export is ${exported.state}: ${exported.problem}`);
const file = done(
  await merchant.GET("/api/v1/exports/{export_id}/file", {
    params: {
      path: { export_id: exported.id },
      query: Object.fromEntries(new URL(exported.file_url).searchParams),
    },
    parseAs: "arrayBuffer",
  }),
);
writeFileSync(`${folder}/commitments.csv`, Buffer.from(file));
