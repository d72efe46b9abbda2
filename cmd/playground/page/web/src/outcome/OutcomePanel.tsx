import { trial, tryFailed } from "../state/trial";
import { AnswerView } from "./AnswerView";
import { Checks } from "./Checks";
import { Hops } from "./Hops";
import { Share } from "./Share";
import { Upstream } from "./Upstream";
import { Verdict } from "./Verdict";

export function OutcomePanel() {
  const result = trial.value;
  return (
    <section class="panel outcome" aria-labelledby="outcome-title" tabindex={-1}>
      <header class="panel-head">
        <h2 id="outcome-title"><span class="step">3</span>What happened</h2>
      </header>
      {tryFailed.value && <p class="said bad">{tryFailed.value}</p>}
      {result ? (
        <>
          <Verdict />
          <Hops trial={result} />
          {/* First what people want to know: what the upstream was told, or which check refused. */}
          {result.upstream
            ? <><Upstream trial={result} /><Checks trial={result} /><AnswerView answer={result.answer} /></>
            : <><Checks trial={result} /><AnswerView answer={result.answer} /><Upstream trial={result} /></>}
          {result.share && <Share share={result.share} />}
        </>
      ) : !tryFailed.value && <p class="hint">The first request is on its way.</p>}
    </section>
  );
}
