// A token taken apart as everybody may: without any key, and so without any
// judgement whether it is good.

export interface Parts {
  header: string;
  payload: string;
  signature: string;
  headerJSON: unknown;
  payloadJSON: unknown;
}

function decode(part: string): unknown {
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

// takeApart is null for what is no JWT.
export function takeApart(token: string): Parts | null {
  const [header, payload, signature, ...rest] = token.split(".");
  if (!header || payload === undefined || signature === undefined || rest.length > 0) return null;
  return { header, payload, signature, headerJSON: decode(header), payloadJSON: decode(payload) };
}

// tokenOf is the token that a request carries in Authorization.
export function tokenOf(headers: [string, string][]): string {
  const value = headers.find(([name]) => name.toLowerCase() === "authorization")?.[1] ?? "";
  return /^(?:Bearer|DPoP) +(\S+)$/i.exec(value)?.[1] ?? "";
}
