import { effect, signal } from "@preact/signals";
import { api } from "../api";
import type { Finding } from "../types";

// The text may outlive a reload of the page; tokens never do.
const key = "playground-config";
const quiet = 250; // milliseconds without a key before the text is checked

export const configText = signal("");
export const findings = signal<Finding[]>([]);
export const checkFailed = signal("");
// checkedText is the text that the findings are about.
export const checkedText = signal("");
// goTo is where the editor is asked to put the cursor.
export const goTo = signal<{ from: number; to: number } | null>(null);

export function keptConfig(): string | null {
  return sessionStorage.getItem(key);
}

// checkAsYouType asks for the findings of every text that stands for a moment.
export function checkAsYouType(): void {
  let running: AbortController | undefined;
  let timer: number | undefined;
  effect(() => {
    const text = configText.value;
    sessionStorage.setItem(key, text);
    running?.abort();
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = new AbortController();
      void check(text, running.signal);
    }, quiet);
  });
}

async function check(text: string, signal: AbortSignal): Promise<void> {
  try {
    const checked = await api.check(text, signal);
    if (signal.aborted) return;
    findings.value = checked.findings ?? [];
    checkedText.value = text;
    checkFailed.value = "";
  } catch (cause) {
    if (!signal.aborted) checkFailed.value = cause instanceof Error ? cause.message : String(cause);
  }
}
