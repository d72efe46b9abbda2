import { batch, signal } from "@preact/signals";
import type { Example } from "../types";
import { claimsText, headers, kind, method, pasted, path, variant } from "./caller";
import { configText } from "./config";

const key = "playground-example";

// exampleId is the example that was picked last.
export const exampleId = signal("");

// keptExample is the one that was picked before the page was loaded again.
export function keptExample(): string | null {
  return sessionStorage.getItem(key);
}

export function pick(example: Example): void {
  batch(() => {
    exampleId.value = example.id;
    sessionStorage.setItem(key, example.id);
    configText.value = example.config;
    method.value = example.request.method;
    path.value = example.request.path;
    headers.value = example.request.headers ?? [];
    kind.value = example.caller.kind;
    variant.value = example.caller.variant ?? "valid";
    claimsText.value = JSON.stringify(example.caller.claims ?? {}, null, 2);
    pasted.value = example.caller.token ?? "";
  });
}
