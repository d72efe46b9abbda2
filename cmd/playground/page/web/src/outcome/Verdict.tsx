import { trial, tried, trying, verdict } from "../state/trial";
import { plain, type Tone } from "../words";
import { Icon, type IconName } from "../ui/Icon";

const icons: Record<Tone, IconName> = { good: "check", bad: "cross", warn: "warn", info: "login" };

// Verdict is the answer in one look: its sign, its words and its number.
export function Verdict() {
  const words = verdict.value;
  const answer = trial.value?.answer;
  if (!words || !answer) return null;
  return (
    <div key={tried.value} class="verdict" data-tone={words.tone} data-status={answer.status} data-reason={answer.reason ?? ""} data-tried={tried.value} aria-busy={trying.value}>
      <span class="verdict-sign"><Icon name={icons[words.tone]} /></span>
      <div class="verdict-words">
        <p class="verdict-title">{words.title}{words.tone !== "good" && answer.reason && <span class="reason">{plain(answer.reason)}</span>}</p>
        <p class="verdict-about">{words.about}</p>
      </div>
      <p class="verdict-status"><span class="unseen">Status </span>{answer.status}</p>
    </div>
  );
}
