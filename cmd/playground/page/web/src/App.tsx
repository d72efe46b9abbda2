import { CallerPanel } from "./caller/CallerPanel";
import { ConfigPanel } from "./config/ConfigPanel";
import { Examples } from "./Examples";
import { Dock } from "./live/Dock";
import { OutcomePanel } from "./outcome/OutcomePanel";
import { announced } from "./state/announce";
import { start, startFailed } from "./state/start";
import { Peek } from "./outcome/Peek";
import { TopBar } from "./TopBar";

export function App() {
  return (
    <>
      <TopBar />
      {start.value ? (
        <>
          <Examples />
          <main>
            <ConfigPanel />
            <CallerPanel />
            <OutcomePanel />
          </main>
          <Dock />
          <Peek />
        </>
      ) : (
        <main><p class="starting">{startFailed.value || "The playground is starting."}</p></main>
      )}
      <p class="unseen" role="status" aria-live="polite" id="announced">{announced}</p>
    </>
  );
}
