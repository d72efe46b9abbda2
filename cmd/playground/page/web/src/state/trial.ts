import { computed, effect, signal } from "@preact/signals";
import { api } from "../api";
import type { Trial } from "../types";
import { inWords } from "../words";
import { announce } from "./announce";
import { caller, claimsError, claimsText, headers, kind, method, pasted, path, variant } from "./caller";
import { configText } from "./config";

const quiet = 400; // milliseconds without a change before it is tried

export const trial = signal<Trial | null>(null);
// tried counts the answers, so that the page can show that one came.
export const tried = signal(0);
export const trying = signal(false);
export const tryFailed = signal("");

export const verdict = computed(() => (trial.value ? inWords(trial.value) : null));

let running: AbortController | undefined;
let timer: number | undefined;

// tryAgainOnChange sends the request whenever the configuration, the request or
// the caller has changed and stands for a moment.
export function tryAgainOnChange(): void {
  effect(() => {
    // Read for the subscription: each of them changes what happens.
    void [configText.value, method.value, path.value, headers.value, kind.value, variant.value, claimsText.value, pasted.value];
    running?.abort();
    clearTimeout(timer);
    timer = setTimeout(() => void tryNow(), quiet);
  });
}

export async function tryNow(): Promise<void> {
  clearTimeout(timer);
  running?.abort();
  if (claimsError.peek()) return;
  const mine = (running = new AbortController());
  trying.value = true;
  try {
    const request = { method: method.peek(), path: path.peek(), headers: headers.peek().filter(([name]) => name.trim() !== "") };
    const result = await api.attempt(configText.peek(), request, caller(), mine.signal);
    if (mine.signal.aborted) return;
    trial.value = result;
    tried.value++;
    tryFailed.value = "";
    announce(`${result.answer.status}. ${inWords(result).title}.`);
  } catch (cause) {
    if (mine.signal.aborted) return;
    trial.value = null; // what is there is of another request
    tryFailed.value = cause instanceof Error ? cause.message : String(cause);
    announce(tryFailed.value);
  } finally {
    if (running === mine) trying.value = false;
  }
}
