// Builds dist/: index.html, one script and one style sheet named by their hash,
// the fonts, and the licences of everything in them. dist/.gitignore stays, since
// Go embeds the directory on machines without Node.js too.
import { build } from "esbuild";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { sizes } from "./size.mjs";

const out = "dist";
for (const name of readdirSync(out)) {
  if (name !== ".gitignore") rmSync(join(out, name), { recursive: true });
}

// codemirror-json-schema renders descriptions by markdown-it and shiki, which are
// larger than the rest of the page, start WebAssembly and write style attributes,
// and knows JSON5 and YAML. The page needs neither: descriptions of the schema are
// plain sentences, and configurations are JSON.
const lighten = {
  name: "lighten",
  setup(b) {
    b.onResolve({ filter: /\/utils\/markdown$/ }, (a) =>
      a.importer.includes("codemirror-json-schema") ? { path: join(process.cwd(), "src/editor/markdown.ts") } : undefined);
    b.onResolve({ filter: /\/(json5|yaml)-parser$/ }, (a) =>
      a.importer.includes("codemirror-json-schema") ? { path: a.path, namespace: "absent" } : undefined);
    b.onLoad({ filter: /.*/, namespace: "absent" }, () => ({
      contents: "export const parseJSON5DocumentState = undefined, parseYAMLDocumentState = undefined;",
    }));
  },
};

const result = await build({
  entryPoints: { page: "src/main.tsx" },
  bundle: true,
  minify: true,
  metafile: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari17.5"],
  outdir: out,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file" },
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none", // licences.txt has them whole
  plugins: [lighten],
  logLevel: "warning",
});

const built = Object.keys(result.metafile.outputs).map((path) => basename(path));
const named = (suffix) => built.find((name) => name.endsWith(suffix));
const fonts = built.filter((name) => name.endsWith(".woff2") && /sans|mono-latin-400/.test(name));
writeFileSync(join(out, "index.html"), readFileSync("src/index.html", "utf8")
  .replace("__SCRIPT__", named(".js"))
  .replace("__STYLE__", named(".css"))
  .replace("__FONTS__", fonts.map((f) => `<link rel="preload" href="/${f}" as="font" type="font/woff2" crossorigin>`).join("\n    ")));
writeFileSync(join(out, "licences.txt"), licences(Object.keys(result.metafile.inputs)));
if (!sizes(out)) {
  rmSync(join(out, "index.html")); // so that make builds it again
  process.exitCode = 1;
}

// licences joins the licence files of every package that gave something to the
// bundle.
function licences(inputs) {
  const packages = new Set();
  for (const path of inputs) {
    const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (found) packages.add(found[1]);
  }
  return [...packages].sort().map((dir) => {
    const about = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license"].map((name) => join(dir, name)).find(existsSync);
    const text = file ? readFileSync(file, "utf8").trim() : "";
    return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
  }).join("\n" + "-".repeat(72) + "\n\n");
}
