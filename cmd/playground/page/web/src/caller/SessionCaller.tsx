import { useState } from "preact/hooks";
import { api } from "../api";
import { announce } from "../state/announce";
import { configText } from "../state/config";
import { tryNow } from "../state/trial";
import { Icon } from "../ui/Icon";

// SessionCaller is a person who logs in at the local provider, in a tab of this
// browser; the session's cookie is then this browser's.
export function SessionCaller() {
  const [said, setSaid] = useState("");
  const [failed, setFailed] = useState(false);
  const say = (text: string, bad: boolean) => {
    setSaid(text);
    setFailed(bad);
    announce(text);
  };
  const logIn = async () => {
    // Opened before the answer, since browsers only open tabs for a click.
    const tab = window.open("about:blank", "_blank");
    try {
      const { open } = await api.login(configText.peek());
      if (tab) {
        tab.opener = null;
        tab.location.href = open;
        say("Log in in the new tab, come back here, and use the session.", false);
      } else {
        say(`The browser did not open a tab. Open ${open} yourself.`, true);
      }
    } catch (cause) {
      tab?.close();
      say(cause instanceof Error ? cause.message : String(cause), true);
    }
  };
  return (
    <div class="session">
      <ol class="steps">
        <li>
          <button type="button" class="button" onClick={() => void logIn()}><Icon name="login" />Log in</button>
          <p class="hint">Opens the route in a new tab. The gateway sends you to the local provider; choose a user there. The configuration needs <code>login</code>: the example “Web app behind login” has it.</p>
        </li>
        <li>
          <button type="button" class="button" onClick={() => void tryNow()}><Icon name="person" />Use the session</button>
          <p class="hint">Sends the request with the session’s cookie. The cookie is sealed: only the runner can open it.</p>
        </li>
      </ol>
      {said && <p class={`said ${failed ? "bad" : "info"}`}>{said}</p>}
    </div>
  );
}
