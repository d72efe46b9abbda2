import { signal } from "@preact/signals";
import { api } from "../api";
import type { Start } from "../types";

// start is what the server told at the start; null until then.
export const start = signal<Start | null>(null);
export const startFailed = signal("");

export async function loadStart(): Promise<Start | null> {
  try {
    start.value = await api.start();
  } catch (cause) {
    startFailed.value = cause instanceof Error ? cause.message : String(cause);
  }
  return start.value;
}
