import { signal } from "@preact/signals";
import { start } from "../state/start";
import { verdict } from "../state/trial";
import type { Edit, Request, Trial } from "../types";
import { HeaderList } from "../ui/HeaderList";
import { Icon, type IconName } from "../ui/Icon";

type Hop = "client" | "gateway" | "runner" | "upstream";

interface Node {
  id: Hop;
  title: string;
  icon: IconName;
  note: string;
  reached: boolean;
}

// chosen is the hop whose view is open.
const chosen = signal<Hop | null>(null);

function nodesOf(t: Trial): Node[] {
  const asked = t.runner.kind !== "none" || Boolean(t.shown);
  const edits = t.runner.edits?.length ?? 0;
  return [
    { id: "client", title: "Client", icon: "person", note: `${t.sent.method} ${t.sent.path}`, reached: true },
    { id: "gateway", title: "Gateway", icon: "gate", note: `${start.value?.apisix ?? "APISIX"} double`, reached: true },
    {
      id: "runner", title: "Runner", icon: "shield", reached: asked,
      note: t.runner.kind === "stop" ? `stops: ${t.runner.status ?? t.answer.status}` : t.runner.kind === "rewrite" ? `${edits} header ${edits === 1 ? "edit" : "edits"}` : "was not asked",
    },
    { id: "upstream", title: "Upstream", icon: "server", note: t.upstream ? `answers ${t.answer.status}` : "never sees it", reached: t.upstream !== null },
  ];
}

// Hops is the way of the request, drawn: who it reached, who answered, and what
// each of them saw.
export function Hops({ trial }: { trial: Trial }) {
  const nodes = nodesOf(trial);
  const answeredBy = trial.upstream ? "upstream" : trial.runner.kind === "stop" ? "runner" : "gateway";
  const open = chosen.value;
  return (
    <div class="hops" data-tone={verdict.value?.tone} data-answered-by={answeredBy}>
      <ol aria-label="The way of the request">
        {nodes.map((n) => (
          <li key={n.id} class="hop" data-hop={n.id} data-reached={n.reached} data-answered={n.id === answeredBy}>
            <button type="button" aria-expanded={open === n.id} aria-controls="hop-view" onClick={() => (chosen.value = open === n.id ? null : n.id)}>
              <Icon name={n.icon} />
              <span class="hop-title">{n.title}</span>
              <span class="hop-note" title={n.note}>{n.note}</span>
            </button>
          </li>
        ))}
      </ol>
      <p class="way-back"><Icon name="arrow" /><span>{trial.answer.status} from the {answeredBy}{trial.upstream ? ", through the gateway" : ""}</span></p>
      <div id="hop-view" class="hop-view" hidden={open === null}>{open && <Saw hop={open} trial={trial} />}</div>
    </div>
  );
}

function Saw({ hop, trial }: { hop: Hop; trial: Trial }) {
  switch (hop) {
    case "client":
      return <Lines title="What the client sent" request={trial.sent} />;
    case "gateway":
      return trial.shown
        ? <Lines title="What the gateway showed the runner, over its socket" request={trial.shown} />
        : <p class="hint">The gateway showed the runner nothing.</p>;
    case "runner":
      return <Decision trial={trial} />;
    case "upstream":
      return trial.upstream
        ? <Lines title="What the upstream received" request={{ ...trial.upstream, headers: trial.upstream.headers.map((h) => [h.name, h.value]) }} />
        : <p class="hint">The upstream received nothing. A refused request ends at the gateway.</p>;
  }
}

function Lines({ title, request }: { title: string; request: Request }) {
  return (
    <>
      <h3>{title}</h3>
      <p class="mono request-said">{request.method} {request.path}</p>
      <HeaderList headers={request.headers} label={title} />
    </>
  );
}

const operations: Record<Edit["op"], string> = { set: "set", delete: "delete", "delete-argument": "delete argument" };

function Decision({ trial: { runner } }: { trial: Trial }) {
  if (runner.kind === "stop") {
    return (
      <>
        <h3>The runner told the gateway to stop, and to answer {runner.status}</h3>
        <HeaderList headers={runner.headers ?? []} label="Headers of the runner's answer" />
      </>
    );
  }
  if (runner.kind === "none") return <p class="hint">The gateway did not ask the runner.</p>;
  return (
    <>
      <h3>The runner told the gateway to forward the request, with these edits</h3>
      <ul class="edits">
        {(runner.edits ?? []).map((e, n) => (
          <li key={n} data-op={e.op}><span class="badge">{operations[e.op]}</span><code>{e.name}</code>{e.value !== undefined && <span class="mono value">{e.value}</span>}</li>
        ))}
      </ul>
    </>
  );
}
