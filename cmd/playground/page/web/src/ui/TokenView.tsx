import { takeApart } from "./token";

const times = new Set(["exp", "iat", "nbf", "auth_time", "updated_at"]);

function pretty(value: unknown): string {
  return value === undefined ? "(this part is no JSON)" : JSON.stringify(value, null, 2);
}

// whenInWords says the token's times for people, since nobody reads seconds.
function whenInWords(payload: unknown): { name: string; text: string }[] {
  if (payload === null || typeof payload !== "object") return [];
  const now = Date.now() / 1000;
  return Object.entries(payload).flatMap(([name, value]) => {
    if (!times.has(name) || typeof value !== "number") return [];
    const away = Math.round(Math.abs(value - now));
    const span = away < 90 ? `${away} s` : away < 5400 ? `${Math.round(away / 60)} min` : away < 172800 ? `${Math.round(away / 3600)} h` : `${Math.round(away / 86400)} days`;
    return [{ name, text: value > now ? `in ${span}` : `${span} ago` }];
  });
}

// TokenView shows a token in the three colours that people know, and what its
// first two parts say.
export function TokenView({ token }: { token: string }) {
  const parts = takeApart(token);
  if (!parts) return <p class="hint">This is no JWT: it does not have three parts with dots between them.</p>;
  return (
    <div class="token">
      <p class="token-text mono">
        <span class="jwt-header">{parts.header}</span>.<wbr />
        <span class="jwt-payload">{parts.payload}</span>.<wbr />
        <span class="jwt-signature">{parts.signature}</span>
      </p>
      <div class="token-parts">
        <figure>
          <figcaption class="jwt-header">Header</figcaption>
          <pre>{pretty(parts.headerJSON)}</pre>
        </figure>
        <figure>
          <figcaption class="jwt-payload">Payload</figcaption>
          <pre>{pretty(parts.payloadJSON)}</pre>
          <p class="hint token-times">
            {whenInWords(parts.payloadJSON).map(({ name, text }) => <span key={name}><code>{name}</code> {text}</span>)}
          </p>
        </figure>
      </div>
    </div>
  );
}
