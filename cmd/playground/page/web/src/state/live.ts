import { computed, signal } from "@preact/signals";
import { api } from "../api";
import type { Act, Live } from "../types";
import { announce } from "./announce";
import { tryNow } from "./trial";

const remembered = 60; // seconds of history

export const live = signal<Live | null>(null);
export const history = signal<Live[]>([]);
export const liveLost = signal(false);
export const open = signal(false);
// said is what the buttons did, the newest first.
export const said = signal<{ id: number; text: string; failed: boolean }[]>([]);
export const acting = signal<Act | "">("");

export const rates = computed(() => history.value.map((l) => l.requestsPerSecond));

// follow listens to the server until the page goes away; EventSource comes back
// by itself.
export function follow(): void {
  const source = new EventSource("/api/live");
  source.onmessage = (event: MessageEvent<string>) => {
    const now = JSON.parse(event.data) as Live;
    live.value = now;
    liveLost.value = false;
    history.value = [...history.value, now].slice(-remembered);
  };
  source.onerror = () => {
    liveLost.value = true;
  };
}

let count = 0;

export async function act(what: Act, subject?: string): Promise<void> {
  acting.value = what;
  let text: string;
  let failed = false;
  try {
    text = (await api.act(what, subject)).said;
  } catch (cause) {
    failed = true;
    text = cause instanceof Error ? cause.message : String(cause);
  }
  acting.value = "";
  said.value = [{ id: ++count, text, failed }, ...said.value].slice(0, 6);
  announce(text);
  if (what !== "load-start" && what !== "load-stop") await tryNow(); // what one sees is what holds now
}
