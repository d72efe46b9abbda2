import { live, liveLost, open, rates } from "../state/live";
import { Icon } from "../ui/Icon";
import { Buttons } from "./Buttons";
import { Figures } from "./Figures";
import { rate, whole } from "./numbers";
import { Sparkline } from "./Sparkline";

// Dock is the live view: one line that is always there, and the rest of it on
// demand.
export function Dock() {
  const now = live.value;
  return (
    <section class="dock" aria-labelledby="dock-title" data-open={open.value}>
      <div class="dock-line">
        <h2 id="dock-title">
          <button type="button" aria-expanded={open.value} aria-controls="dock-body" onClick={() => (open.value = !open.value)}>
            <Icon name="chevron" />Live
          </button>
        </h2>
        <p class="dock-figure runner" data-up={now?.runner.up ?? false}>
          <span class="lamp" aria-hidden="true" />{liveLost.value ? "connection lost" : now?.runner.up ? `runner up${now.runner.pid ? `, pid ${now.runner.pid}` : ""}` : "runner down"}
        </p>
        <p class="dock-figure"><Sparkline values={rates.value} least={10} /><strong>{rate(now?.requestsPerSecond ?? 0)}</strong> requests/s</p>
        <Wrong />
      </div>
      <div id="dock-body" class="dock-body" hidden={!open.value}>
        {now && <Figures now={now} />}
        <Buttons />
      </div>
    </section>
  );
}

// Wrong is what must stay at 0 through every button.
function Wrong() {
  const { wrong, failed, good, bad } = live.value?.load ?? { wrong: 0, failed: 0, good: 0, bad: 0 };
  const tone = wrong + failed > 0 ? "bad" : good + bad > 0 ? "good" : "quiet";
  return (
    <p class="dock-figure wrong" data-tone={tone} data-wrong={wrong} data-failed={failed}>
      <Icon name={tone === "bad" ? "cross" : "check"} />
      <span>wrong verdicts <strong>{whole(wrong)}</strong></span>
      <span>failed <strong>{whole(failed)}</strong></span>
      {good + bad > 0 && <span class="of">of {whole(good + bad)}</span>}
    </p>
  );
}
