import type { Answer, Challenge, Header } from "../types";
import { HeaderList } from "../ui/HeaderList";

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

// AnswerView is what the client got.
export function AnswerView({ answer }: { answer: Answer }) {
  return (
    <section class="answer" aria-labelledby="answer-title">
      <h3 id="answer-title">What the client got</h3>
      {answer.location && <Location url={answer.location} />}
      {(answer.challenges ?? []).map((c, n) => <ChallengeView key={n} challenge={c} />)}
      <HeaderList headers={[["Status", String(answer.status)], ...answer.headers]} label="Headers of the answer" />
      {answer.body ? <pre class="body" tabindex={0} aria-label="Body of the answer">{pretty(answer.body)}</pre> : <p class="hint">The body is empty.</p>}
    </section>
  );
}

// Location is where the browser goes next, its arguments one below the other.
function Location({ url }: { url: string }) {
  const [page = "", query = ""] = url.split("?", 2);
  const params: Header[] = [...new URLSearchParams(query)];
  return (
    <div class="challenge">
      <p>The browser is sent on to <code>{page}</code></p>
      {params.length > 0 && <HeaderList headers={params} label="Arguments of the address" />}
    </div>
  );
}

function ChallengeView({ challenge }: { challenge: Challenge }) {
  return (
    <div class="challenge">
      <p>The challenge says: come back with <strong>{challenge.scheme}</strong></p>
      {challenge.params.length > 0 && (
        <dl class="headers">
          {challenge.params.map(([name, value], n) => <div key={n}><dt>{name}</dt><dd>{value}</dd></div>)}
        </dl>
      )}
    </div>
  );
}
