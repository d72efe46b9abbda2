import { signal } from "@preact/signals";
import type { Check, CheckOutcome, Trial } from "../types";
import { Icon, type IconName } from "../ui/Icon";
import { outcomes, plain } from "../words";

const icons: Record<CheckOutcome, IconName> = { passed: "check", refused: "cross", let_pass: "arrow", not_asked: "dash", not_reached: "dot" };

// all says whether checks are shown that had nothing to do.
const all = signal(false);

const hadWork = (c: Check) => c.outcome === "passed" || c.outcome === "refused" || c.outcome === "let_pass";

// Checks is the walk that explain prints: each check in order and how it ended.
export function Checks({ trial }: { trial: Trial }) {
  const checks = trial.checks ?? [];
  const idle = checks.filter((c) => !hadWork(c)).length;
  const shown = all.value ? checks : checks.filter(hadWork);
  const remarks = [...(trial.notes ?? []), ...(trial.session ?? []), ...(trial.login ?? []), ...(trial.reports ?? [])];
  return (
    <section class="checks" aria-labelledby="checks-title">
      <div class="row between">
        <h3 id="checks-title">Checks, in order</h3>
        {idle > 0 && (
          <button type="button" class="button small bare flush" aria-pressed={all.value} onClick={() => (all.value = !all.value)}>
            {all.value ? "Hide" : "Show"} {idle} that had nothing to do
          </button>
        )}
      </div>
      {remarks.length > 0 && <ul class="remarks">{remarks.map((r, n) => <li key={n}>{r}</li>)}</ul>}
      {checks.length === 0 && <p class="hint">No check ran.</p>}
      <ol>
        {shown.map((c) => (
          <li key={c.number} class="check" data-outcome={c.outcome} data-check={c.name}>
            <span class="check-sign"><Icon name={icons[c.outcome]} /></span>
            <span class="check-name">{c.name}</span>
            <span class={c.outcome === "passed" ? "unseen" : "check-outcome"}>{outcomes[c.outcome]}{c.reason ? `: ${plain(c.reason)}` : ""}</span>
            {c.details && c.details.length > 0 && <ul class="check-details">{c.details.map((d, n) => <li key={n}>{d}</li>)}</ul>}
            {c.outcome === "refused" && (c.found || c.wanted) && (
              <dl class="compared">
                {c.found && <div><dt>found</dt><dd class="mono">{c.found}</dd></div>}
                {c.wanted && <div><dt>wanted</dt><dd class="mono">{c.wanted}</dd></div>}
              </dl>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
