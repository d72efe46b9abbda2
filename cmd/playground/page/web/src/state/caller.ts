import { computed, signal } from "@preact/signals";
import type { Caller, CallerKind, Header } from "../types";

export const method = signal("GET");
export const path = signal("/try/orders");
export const headers = signal<Header[]>([]);

export const kind = signal<CallerKind>("minted");
export const variant = signal("valid");
export const claimsText = signal("{}");
export const pasted = signal("");

// claimsError says why the claims cannot be minted; "" where they can.
export const claimsError = computed(() => {
  if (kind.value !== "minted") return "";
  try {
    const value: unknown = JSON.parse(claimsText.value);
    return value !== null && typeof value === "object" && !Array.isArray(value)
      ? "" : "The claims must be one JSON object.";
  } catch (cause) {
    return `The claims are no JSON yet: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
});

// subject is the user that the claims name, whom a button can revoke.
export const subject = computed(() => {
  try {
    const sub = (JSON.parse(claimsText.value) as { sub?: unknown } | null)?.sub;
    return typeof sub === "string" ? sub : "";
  } catch {
    return "";
  }
});

export function caller(): Caller {
  switch (kind.value) {
    case "minted":
      return { kind: "minted", variant: variant.value, claims: JSON.parse(claimsText.value) as unknown };
    case "pasted":
      return { kind: "pasted", token: pasted.value.trim() };
    default:
      return { kind: kind.value };
  }
}
