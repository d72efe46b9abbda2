// The page's server, which answers this page alone: what changes something
// carries the token that came with the document.

import type { Act, Caller, Checked, Request, Start, Trial } from "./types";

function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

export const styleNonce = meta("style-nonce");

// ServerError has a sentence for people to read.
export class ServerError extends Error {}

const unreachable = "The playground's server does not answer. Is “make run” still running in your terminal?";

async function answerOf<T>(asked: Promise<Response>): Promise<T> {
  let response: Response;
  try {
    response = await asked;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ServerError(unreachable);
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && body !== null) return body as T;
  const said = (body as { error?: unknown } | null)?.error;
  throw new ServerError(typeof said === "string" ? said : `The playground's server answered ${response.status}.`);
}

function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return answerOf<T>(fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Playground-Token": meta("playground-token") },
    body: JSON.stringify(body),
    signal: signal ?? null,
  }));
}

export const api = {
  start: () => answerOf<Start>(fetch("/api/start")),
  check: (config: string, signal: AbortSignal) => post<Checked>("/api/check", { config }, signal),
  attempt: (config: string, request: Request, caller: Caller, signal: AbortSignal) =>
    post<Trial>("/api/try", { config, request, caller }, signal),
  login: (config: string) => post<{ open: string }>("/api/login", { config }),
  act: (act: Act, subject?: string) => post<{ said: string }>("/api/act", subject ? { act, subject } : { act }),
};
