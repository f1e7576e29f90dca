// Makes the Chinese typefaces that PDFs embed: node assets/fonts.mjs FOLDER. manage.py build_assets runs it.
// The packages have variable fonts in pieces of about a hundred characters; PDFs need one weight, as TrueType.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import subsetFont from "subset-font";

const folder = process.argv[2];
// A character is taken from the first that has it: simplified Chinese before Japanese, which has rare ones.
const FONTS = ["noto-sans-sc", "noto-sans-jp"];
const REGULAR = 400;

function codes(range) {
  const [first, last] = range.trim().slice(2).split("-").map((code) => parseInt(code, 16));
  return Array.from({ length: (last ?? first) - first + 1 }, (_code, index) => first + index);
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const taken = new Set();
for (const font of FONTS) {
  const home = join("node_modules/@fontsource-variable", font);
  const pieces = JSON.parse(readFileSync(join(home, "unicode.json"), "utf-8"));
  for (const [name, ranges] of Object.entries(pieces)) {
    const piece = name.match(/^\[(\d+)\]$/)?.[1];
    const wanted = ranges.split(",").flatMap(codes).filter((code) => code > 0x2e7f && !taken.has(code));
    if (!piece || !wanted.length) continue;
    const source = readFileSync(join(home, "files", `${font}-${piece}-wght-normal.woff2`));
    const target = await subsetFont(source, String.fromCodePoint(...wanted), {
      targetFormat: "truetype", variationAxes: { wght: REGULAR },
    });
    writeFileSync(join(folder, `${font}-${piece}.ttf`), target);
    wanted.forEach((code) => taken.add(code));
  }
}
