// Prints what a browser loads, compressed, and reports whether it is within the
// limit.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const limit = 400 * 1000;

export function sizes(dir) {
  let sum = 0;
  for (const name of readdirSync(dir).sort()) {
    if (name === ".gitignore" || name === "licences.txt") continue; // the page loads neither
    const bytes = readFileSync(join(dir, name));
    const packed = gzipSync(bytes, { level: 9 }).length;
    sum += packed;
    console.log(`${String(packed).padStart(8)} of ${String(bytes.length).padStart(8)} bytes  ${name}`);
  }
  console.log(`${String(sum).padStart(8)} bytes in all, compressed; the limit is ${limit}`);
  if (sum > limit) console.error("The page is too large.");
  return sum <= limit;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = sizes("dist") ? 0 : 1;
