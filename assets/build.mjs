// Makes what pages load of npm's packages: node assets/build.mjs FOLDER. manage.py build_assets runs it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, transform } from "esbuild";
import { PurgeCSS } from "purgecss";

const folder = process.argv[2];

// Tabler's rules for classes that no page has are four fifths of it. Recipients load the least: most have a phone.
const CLASSES_PUT_TOGETHER = [/^(alert|bg|btn|text)-(danger|info|primary|secondary|success|warning)$/];
const PUBLIC = [
  "templates/*.html", "templates/{account,bootstrap5,components}/**/*.html", "templates/parcels/{track,recipient,expected,revision}*.html",
  "alliance/static/js/app.js", process.argv[3],
];
const PORTAL = [
  "templates/**/*.html", "{alliance,couriers,parcels,slas}/**/*.py", "alliance/static/js/*.js", "assets/*.js",
  "node_modules/@tabler/core/js/src/bootstrap/{alert,collapse,dropdown,modal,tooltip}.ts",
  "node_modules/@tabler/core/js/src/bootstrap/util/*.ts", process.argv[3],
];

const TABLER = "node_modules/@tabler/core/dist/css/tabler.min.css";
// Scripts set attributes by parts of their names, too.
// Tabler's colours follow color-scheme, as ours do; what it has for attributes of its own is not used.
const OTHER_THEMES = [/navbar-theme/, /data-theme/, /data-bs-theme=dark/];
// Named by words of our texts or by scripts of components that we do not load.
const OTHER_COMPONENTS = [
  /\.(accordion|carousel|legend|navbar|offcanvas|popover|steps|step-item|tag|tags|valid-feedback|valid-tooltip|invalid-tooltip)\b/,
  /data-vc/, /litepicker/,
];
const ATTRIBUTES = Array.from(readFileSync(TABLER, "utf-8").matchAll(/\[([a-z-]+)/g), (match) => match[1]);

// One file a layout: on a slow network each costs a turn of its own.
async function writeStyles(name, content, ours, others = []) {
  const [{ css }] = await new PurgeCSS().purge({
    css: [TABLER], content, variables: true, keyframes: true, dynamicAttributes: ATTRIBUTES,
    blocklist: [...OTHER_THEMES, ...OTHER_COMPONENTS, ...others],
    safelist: { standard: CLASSES_PUT_TOGETHER },
  });
  const sheets = ours.map((sheet) => readFileSync(join("alliance/static/css", sheet), "utf-8"));
  const { code } = await transform([css, ...sheets].join("\n"), { loader: "css", minify: true });
  mkdirSync(join(folder, "static/css"), { recursive: true });
  writeFileSync(join(folder, "static/css", name), code);
}

function writeIcons() {
  const icons = JSON.parse(readFileSync("node_modules/@tabler/icons/tabler-nodes-outline.json", "utf-8"));
  const drawn = Object.entries(icons).map(([name, nodes]) => [name, nodes.map(
    ([tag, attributes]) => `<${tag} ${Object.entries(attributes).map(([key, value]) => `${key}="${value}"`).join(" ")}/>`,
  ).join("")]);
  writeFileSync(join(folder, "icons.json"), JSON.stringify(Object.fromEntries(drawn)));
}

writeIcons();
await writeStyles("public.min.css", PUBLIC, ["app.css", "components.css", "public.css"], [/\.(dropdown|modal)\b/]);
await writeStyles("portal.min.css", PORTAL, ["app.css", "components.css", "lists.css"]);
await build({
  entryPoints: ["assets/charts.js", "assets/components.js"], bundle: true, minify: true, outdir: join(folder, "static/js"),
  entryNames: "[name].min", logLevel: "warning",
});
