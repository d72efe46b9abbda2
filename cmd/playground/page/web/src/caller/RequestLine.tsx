import { headers, method, path } from "../state/caller";
import type { Header } from "../types";
import { Icon } from "../ui/Icon";

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

function change(n: number, part: 0 | 1, text: string): void {
  headers.value = headers.value.map((h, i) => (i === n ? (part === 0 ? [text, h[1]] : [h[0], text]) : h) as Header);
}

// RequestLine is what the client sends, beside its token.
export function RequestLine() {
  return (
    <div class="request">
      <div class="request-line">
        <label class="unseen" for="method">Method</label>
        <select id="method" value={method.value} onChange={(e) => (method.value = e.currentTarget.value)}>
          {methods.map((m) => <option key={m}>{m}</option>)}
        </select>
        <label class="unseen" for="path">Path</label>
        <input id="path" class="mono" value={path.value} onInput={(e) => (path.value = e.currentTarget.value)} autocomplete="off" spellcheck={false} />
      </div>
      <ul class="request-headers" aria-label="Headers of the request">
        {headers.value.map(([name, value], n) => (
          <li key={n}>
            <input class="mono" aria-label={`Name of header ${n + 1}`} value={name} placeholder="Name" onInput={(e) => change(n, 0, e.currentTarget.value)} autocomplete="off" spellcheck={false} />
            <input class="mono" aria-label={`Value of header ${n + 1}`} value={value} placeholder="value" onInput={(e) => change(n, 1, e.currentTarget.value)} autocomplete="off" spellcheck={false} />
            <button type="button" class="button bare" aria-label={`Remove header ${name || n + 1}`} onClick={() => (headers.value = headers.value.filter((_, i) => i !== n))}>
              <Icon name="cross" />
            </button>
          </li>
        ))}
        <li>
          <button type="button" class="button bare add" onClick={() => (headers.value = [...headers.value, ["", ""]])}>
            <Icon name="plus" />Add a header
          </button>
        </li>
      </ul>
    </div>
  );
}
