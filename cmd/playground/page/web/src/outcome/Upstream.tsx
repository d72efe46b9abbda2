import { signal } from "@preact/signals";
import type { Trial } from "../types";
import { Value } from "../ui/HeaderList";

interface Row {
  name: string;
  sent: string | undefined;
  received: string | undefined;
  mark: "identity" | "gateway" | "kept" | "stripped" | "unseen";
}

// rowsOf puts what the client sent beside what the upstream received, by the
// header's name.
export function rowsOf({ sent, upstream }: Trial): Row[] {
  const rows: Row[] = [];
  const left = sent.headers.map(([name, value]) => ({ name, value }));
  const take = (name: string) => {
    const n = left.findIndex((h) => h.name.toLowerCase() === name.toLowerCase());
    return n < 0 ? undefined : left.splice(n, 1)[0]?.value;
  };
  for (const h of upstream?.headers ?? []) {
    rows.push({ name: h.name, sent: take(h.name), received: h.value, mark: h.mark ?? "kept" });
  }
  const stripped: Row[] = [];
  for (const h of upstream?.stripped ?? []) {
    // Its row is there already where the gateway put its own in its place.
    if (rows.some((r) => r.name.toLowerCase() === h.name.toLowerCase() && r.sent === h.value && replaced(r))) continue;
    stripped.push({ name: h.name, sent: take(h.name) ?? h.value, received: undefined, mark: "stripped" });
  }
  for (const h of left) stripped.push({ name: h.name, sent: h.value, received: undefined, mark: "unseen" });
  const order = { stripped: 0, identity: 1, unseen: 2, kept: 3, gateway: 4 };
  return [...stripped, ...rows].sort((a, b) => order[a.mark] - order[b.mark]);
}

const most = 44; // characters of a value

// all says whether the gateway's own headers are shown, such as X-Forwarded-For.
const all = signal(false);

const marks: Record<Row["mark"], string> = { identity: "identity", gateway: "gateway", kept: "kept", stripped: "stripped", unseen: "" };

// Upstream is the point of it all: what the application is told, beside what the
// client said.
export function Upstream({ trial }: { trial: Trial }) {
  const rows = rowsOf(trial);
  const added = rows.filter((r) => r.mark === "gateway").length;
  const shown = all.value ? rows : rows.filter((r) => r.mark !== "gateway");
  return (
    <section class="upstream" aria-labelledby="upstream-title">
      <h3 id="upstream-title">{trial.upstream ? "What the client sent, and what the upstream received" : "What the client sent; the upstream received nothing"}</h3>
      <table>
        <thead>
          <tr><th scope="col">Header</th><th scope="col">Client sent</th><th scope="col">Upstream received</th></tr>
        </thead>
        <tbody>
          {shown.map((r, n) => (
            <tr key={n} data-mark={r.mark} data-header={r.name.toLowerCase()}>
              <th scope="row"><code>{r.name}</code>{marks[r.mark] && <span class={`badge ${r.mark}`}>{marks[r.mark]}</span>}</th>
              <td class="mono"><span><Sent row={r} /></span></td>
              <td class="mono"><span>{r.received === undefined ? <None /> : <Value text={r.received} most={most} />}</span></td>
            </tr>
          ))}
        </tbody>
      </table>
      {added > 0 && (
        <button type="button" class="button small bare more" aria-pressed={all.value} onClick={() => (all.value = !all.value)}>
          {all.value ? "Hide" : "Show"} {added} that every request gets from the gateway
        </button>
      )}
    </section>
  );
}

// replaced reports whether what the client sent did not come through.
function replaced(r: Row): boolean {
  return r.mark === "stripped" || (r.mark === "identity" && r.sent !== undefined && r.sent !== r.received);
}

function Sent({ row }: { row: Row }) {
  if (row.sent === undefined) return <None />;
  if (!replaced(row)) return <Value text={row.sent} most={most} />;
  return (
    <>
      <s><Value text={row.sent} most={most} /></s>
      {row.mark === "identity" && <span class="badge stripped">stripped</span>}
    </>
  );
}

function None() {
  return <span class="none"><span aria-hidden="true">–</span><span class="unseen">nothing</span></span>;
}
