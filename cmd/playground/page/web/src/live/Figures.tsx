import { history } from "../state/live";
import type { Live } from "../types";
import { plain } from "../words";
import { Icon } from "../ui/Icon";
import { age, brief, percent, rate, whole } from "./numbers";
import { Sparkline } from "./Sparkline";

const past = (of: (l: Live) => number) => history.value.map(of);

// Figures are the runner's own metrics.
export function Figures({ now }: { now: Live }) {
  return (
    <div class="figures">
      <figure>
        <figcaption>Latency</figcaption>
        <p class="big">{brief(now.latency.p50)} <small>half are faster</small></p>
        <Sparkline values={past((l) => l.latency.p99)} least={0.0005} />
        <p class="hint">99 of 100 within {brief(now.latency.p99)}</p>
      </figure>
      <Verdicts now={now} />
      <figure>
        <figcaption>Issuers’ keys</figcaption>
        <ul class="providers">
          {(now.providers ?? []).map((p) => (
            <li key={p.issuer} data-healthy={p.healthy} data-sick={p.sick}>
              <code title={p.issuer}>{p.issuer.replace(/^https?:\/\//, "")}</code>
              <span>{p.keys} {p.keys === 1 ? "key" : "keys"}, {age(p.ageSeconds)} old</span>
              <span class={`badge ${p.sick || !p.healthy ? "warn" : "good"}`}><Icon name={p.sick || !p.healthy ? "warn" : "check"} />{p.sick ? "sick" : p.healthy ? "well" : "not answering"}</span>
            </li>
          ))}
          {(now.providers ?? []).length === 0 && <li class="hint">No issuer was asked yet.</li>}
        </ul>
      </figure>
      <figure>
        <figcaption>In memory</figcaption>
        <dl class="numbers">
          <div><dt>decisions from the cache</dt><dd>{percent(now.cache.hitRatio)}</dd></div>
          <div><dt>logins</dt><dd>{whole(now.sessions.logins)}</dd></div>
          <div><dt>sessions refreshed</dt><dd>{whole(now.sessions.refreshed)}</dd></div>
          <div><dt>revocations</dt><dd data-figure="revocations">{whole(now.revocations.entries)}</dd></div>
          <div><dt>refused as revoked</dt><dd>{whole(now.revocations.refused)}</dd></div>
        </dl>
      </figure>
    </div>
  );
}

const most = 6; // reasons that fit

function Verdicts({ now }: { now: Live }) {
  const sorted = [...(now.verdicts ?? [])].sort((a, b) => b.total - a.total).slice(0, most);
  const top = Math.max(1, ...sorted.map((v) => v.total));
  return (
    <figure>
      <figcaption>Verdicts</figcaption>
      <ul class="verdicts">
        {sorted.map((v) => (
          <li key={v.reason} data-forwarded={v.reason === "forwarded"}>
            <span class="name">{plain(v.reason)}</span>
            <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect width={Math.max(1, (v.total / top) * 100)} height="6" rx="1" /></svg>
            <span class="total">{whole(v.total)}</span>
            <span class="per">{rate(v.perSecond)}/s</span>
          </li>
        ))}
        {sorted.length === 0 && <li class="hint">None yet.</li>}
      </ul>
    </figure>
  );
}
