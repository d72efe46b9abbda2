import { subject } from "../state/caller";
import { act, acting, live, said } from "../state/live";
import type { Act } from "../types";
import { Icon } from "../ui/Icon";

function Do({ what, subject: who, children }: { what: Act; subject?: string; children: preact.ComponentChildren }) {
  return (
    <button type="button" class="button" data-act={what} aria-busy={acting.value === what} disabled={acting.value !== ""} onClick={() => void act(what, who)}>
      {children}
    </button>
  );
}

// Buttons do what happens to a gateway in its life, so that one sees that
// nothing breaks.
export function Buttons() {
  const sick = live.value?.providers?.some((p) => p.sick) ?? false;
  const running = live.value?.load.running ?? false;
  const who = subject.value || "auth0|alice";
  return (
    <div class="trouble">
      <div class="trouble-buttons" role="group" aria-label="Trouble to make">
        <Do what={running ? "load-stop" : "load-start"}><Icon name="pulse" />{running ? "Stop the load" : "Start a load"}</Do>
        <Do what="rotate-keys">Rotate the keys</Do>
        <Do what={sick ? "issuer-well" : "issuer-sick"}>{sick ? "Make the issuer well" : "Make the issuer sick"}</Do>
        <Do what="revoke-user" subject={who}>Revoke <code>{who}</code></Do>
        <Do what="clear-revocations">Clear revocations</Do>
        <Do what="restart-runner">Restart the runner</Do>
        <Do what="reload-gateway">Reload the gateway</Do>
      </div>
      <ul class="said-list" aria-label="What the buttons did">
        {said.value.map((s) => <li key={s.id} data-failed={s.failed}>{s.text}</li>)}
        {said.value.length === 0 && <li class="hint">Start a load of good and bad tokens, then make trouble. The two numbers above stay at 0.</li>}
      </ul>
    </div>
  );
}
