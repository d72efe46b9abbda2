import { checkedText, checkFailed, findings, goTo } from "../state/config";
import { Icon } from "../ui/Icon";

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function summary(): string {
  if (checkFailed.value) return checkFailed.value;
  if (!checkedText.value) return "The configuration was not checked yet.";
  const errors = findings.value.filter((f) => f.severity === "error").length;
  const warnings = findings.value.length - errors;
  if (errors === 0 && warnings === 0) return "No errors and no warnings.";
  return [errors && count(errors, "error"), warnings && count(warnings, "warning")].filter(Boolean).join(" and ") + ".";
}

// Findings are the errors and warnings of check, in words; each leads to its
// place in the editor.
export function Findings() {
  const errors = findings.value.some((f) => f.severity === "error");
  const tone = checkFailed.value || errors ? "bad" : findings.value.length > 0 ? "warn" : "good";
  return (
    <div class="findings" data-tone={tone}>
      <p class="findings-summary" role="status">
        <Icon name={tone === "bad" ? "cross" : tone === "warn" ? "warn" : "check"} />{summary()}
      </p>
      <ul>
        {findings.value.map((f, n) => (
          <li key={n} data-severity={f.severity}>
            <button type="button" disabled={f.from === undefined} onClick={() => f.from !== undefined && (goTo.value = { from: f.from, to: f.to ?? f.from })}>
              <span class={`badge ${f.severity === "error" ? "bad" : "warn"}`}>{f.severity}</span>{" "}
              {f.path && <><code>{f.path}</code>{" "}</>}
              <span class="message">{f.message}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
