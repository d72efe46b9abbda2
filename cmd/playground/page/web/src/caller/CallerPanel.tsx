import { kind } from "../state/caller";
import { trying, tryNow } from "../state/trial";
import type { CallerKind } from "../types";
import { Choice, type Option } from "../ui/Choice";
import { Icon } from "../ui/Icon";
import { Minted } from "./Minted";
import { Pasted } from "./Pasted";
import { RequestLine } from "./RequestLine";
import { SessionCaller } from "./SessionCaller";

const kinds: Option<CallerKind>[] = [
  { id: "minted", title: "Minted" },
  { id: "pasted", title: "Pasted" },
  { id: "session", title: "Session" },
  { id: "none", title: "Nobody" },
];

export function CallerPanel() {
  return (
    <section class="panel caller" aria-labelledby="caller-title">
      <header class="panel-head">
        <h2 id="caller-title"><span class="step">2</span>Who calls</h2>
        <button type="button" class="button primary try" onClick={() => void tryNow()} aria-busy={trying.value} title="Ctrl+Enter, or Cmd+Enter">
          <Icon name="play" />Try it
        </button>
      </header>
      <RequestLine />
      <Choice legend="What the request carries" look="segments" options={kinds} value={kind.value} onChoose={(id) => (kind.value = id)} />
      {kind.value === "minted" && <Minted />}
      {kind.value === "pasted" && <Pasted />}
      {kind.value === "session" && <SessionCaller />}
      {kind.value === "none" && <p class="hint">The request carries no token and no session. Routes with <code>unauth_action: "pass"</code> take it all the same. To come as somebody who is logged in, choose Session.</p>}
    </section>
  );
}
