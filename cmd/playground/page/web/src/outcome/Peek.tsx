import { trial, verdict } from "../state/trial";

// Peek is the verdict on a phone, where it would be far below what one changes.
export function Peek() {
  const words = verdict.value;
  if (!words || !trial.value) return null;
  return <a class="peek" href="#outcome-title" data-tone={words.tone}><strong>{trial.value.answer.status}</strong> {words.title}</a>;
}
