import type { Header } from "../types";

// HeaderList shows headers as they went over the wire.
export function HeaderList({ headers, label }: { headers: Header[]; label: string }) {
  if (headers.length === 0) return <p class="hint">None.</p>;
  return (
    <dl class="headers" aria-label={label}>
      {headers.map(([name, value], n) => (
        <div key={n}>
          <dt>{name}</dt>
          <dd><Value text={value} /></dd>
        </div>
      ))}
    </dl>
  );
}

// Value is cut in the middle where it is long; its title has it whole.
export function Value({ text, most = 72 }: { text: string; most?: number }) {
  if (text.length <= most) return <>{text}</>;
  return <span title={text}>{text.slice(0, most - 12)}…{text.slice(-10)}</span>;
}
